package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A measurement is what one round of one workload gave for one proxy.
type measurement struct {
	Work, Proxy  string
	Round        int
	Failed       string  `json:",omitempty"`
	Requests     int64   // in the measured time
	Seconds      float64 // measured
	Bytes        int64   // of content and heads, down or up
	Errors       int64
	PerSecond    float64
	P50, P99     float64 // milliseconds, closed loop
	CPUMicros    float64 // user and system, per request
	CPUPerGB     float64 // seconds
	Busy         float64 // share of its core that the proxy used
	MemoryMiB    float64 // after the load
	KiBPerConn   float64 // of idle connections
	Instructions float64 `json:",omitempty"` // in user mode, per request; 0: could not be counted
}

// String is the line that is printed as the run goes on.
func (m measurement) String() string {
	if m.KiBPerConn != 0 {
		return fmt.Sprintf("%6.2f KiB/connection, %.0f MiB", m.KiBPerConn, m.MemoryMiB)
	}
	return fmt.Sprintf("%7.2f us/request, %.3f s/GB, %7.0f/s, p50 %.2f ms, p99 %.2f ms, busy %.2f, %s instructions, %d errors",
		m.CPUMicros, m.CPUPerGB, m.PerSecond, m.P50, m.P99, m.Busy, counted(m.Instructions), m.Errors)
}

// measure starts the proxy afresh, warms it up, and loads it.
func (b *bench) measure(ctx context.Context, w work, p *proxy) (m measurement, err error) {
	running, err := p.start(w)
	if err != nil {
		return m, err
	}
	defer running.stop()
	if w.idle {
		return b.weigh(ctx, w, p, running)
	}
	if _, err = b.load(ctx, w, p, 1); err != nil {
		return m, err
	}
	cpu, from := running.cpu(), time.Now()
	if m, err = b.load(ctx, w, p, b.seconds); err != nil {
		return m, err
	}
	used := running.cpu() - cpu
	m.Busy = used.Seconds() / time.Since(from).Seconds()
	m.CPUMicros = float64(used.Microseconds()) / float64(max(m.Requests, 1))
	m.CPUPerGB = used.Seconds() / (float64(max(m.Bytes, 1)) / 1e9)
	m.MemoryMiB = float64(running.memory()) / (1 << 20)
	m.Instructions = b.instructions(ctx, w, p, running)
	return m, nil
}

// load runs wrk, h2load or our own load for some seconds.
func (b *bench) load(ctx context.Context, w work, p *proxy, seconds int) (m measurement, err error) {
	switch {
	case w.own():
		return b.loadOwn(ctx, w, p, seconds)
	case w.streams > 0:
		return b.loadH2(ctx, w, p, seconds)
	}
	args := []string{
		"-t1", fmt.Sprintf("-c%d", w.conns), fmt.Sprintf("-d%d", seconds), "--timeout", "10",
		"-s", filepath.Join(b.dir, "report.lua"),
	}
	if w.fresh {
		args = append(args, "-H", "Connection: close")
	}
	cmd := exec.CommandContext(ctx, "wrk", append(args, w.url(p))...)
	cmd.Env = append(os.Environ(), fmt.Sprintf("UPLOAD=%d", w.upload))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return m, fmt.Errorf("wrk: %w: %s", err, out)
	}
	if m, err = figures(out); err != nil {
		return m, fmt.Errorf("wrk: %w", err)
	}
	if w.upload > 0 {
		m.Bytes = m.Requests * int64(w.upload)
	}
	return m, nil
}

// figures reads what reportLua, and our own load, print at the end.
func figures(out []byte) (m measurement, err error) {
	_, text, _ := strings.Cut(string(out), "figures ")
	var micros, p50, p99 float64
	if _, err := fmt.Sscan(text, &m.Requests, &micros, &m.Bytes, &m.Errors, &p50, &p99); err != nil {
		return m, fmt.Errorf("%w in %q", err, out)
	}
	m.Seconds, m.P50, m.P99 = micros/1e6, p50/1e3, p99/1e3
	m.PerSecond = float64(m.Requests) / m.Seconds
	return m, nil
}

// instructions counts in a window of its own with perf; 0 where that does not work.
func (b *bench) instructions(ctx context.Context, w work, p *proxy, running *program) float64 {
	out := filepath.Join(b.dir, "perf.csv")
	var pids []string
	for _, pid := range running.tree() {
		pids = append(pids, strconv.Itoa(pid))
	}
	perf := exec.CommandContext(ctx, "perf", "stat", "-x,", "-o", out, "-e", "instructions:u", "-p", strings.Join(pids, ","))
	if perf.Start() != nil {
		return 0
	}
	time.Sleep(200 * time.Millisecond) // perf says nothing when it has attached
	m, err := b.load(ctx, w, p, 1)
	perf.Process.Signal(os.Interrupt)
	perf.Wait()
	if err != nil {
		return 0
	}
	data, _ := os.ReadFile(out)
	for _, line := range strings.Split(string(data), "\n") {
		n, err := strconv.ParseFloat(strings.SplitN(line, ",", 2)[0], 64)
		if err == nil && m.Requests > 0 {
			return n / float64(m.Requests)
		}
	}
	return 0
}

// weigh opens connections, makes a request on each, leaves them alone, and looks at the memory.
func (b *bench) weigh(ctx context.Context, w work, p *proxy, running *program) (m measurement, err error) {
	before := running.memory()
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	address := "127.0.0.1:" + p.values["PORT"]
	for range w.conns {
		if ctx.Err() != nil {
			return m, ctx.Err()
		}
		c, err := w.dial(p)
		if err != nil {
			return m, err
		}
		open = append(open, c)
		if err := get(c, address, w.path, 1024); err != nil {
			return m, fmt.Errorf("connection %d: %w", len(open), err)
		}
	}
	time.Sleep(time.Second) // what is given back needs a moment
	after := running.memory()
	m.Requests = int64(len(open))
	m.MemoryMiB = float64(after) / (1 << 20)
	m.KiBPerConn = float64(after-before) / 1024 / float64(len(open))
	return m, nil
}

// ask makes one request on a connection of its own.
func ask(address, path string, size int) error {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	return get(c, address, path, size)
}

// get asks for path and makes sure of the answer.
func get(c net.Conn, host, path string, size int) error {
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host); err != nil {
		return err
	}
	r, err := http.ReadResponse(bufio.NewReaderSize(c, 2048), nil)
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK || n != int64(size) {
		return fmt.Errorf("status %d with %d bytes, want 200 with %d", r.StatusCode, n, size)
	}
	return nil
}
