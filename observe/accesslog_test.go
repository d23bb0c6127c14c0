package observe

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir"
)

// A recorder is a sink that can be slow.
type recorder struct {
	mu       sync.Mutex // protects what follows
	text     bytes.Buffer
	gate     chan struct{} // a write waits for it; nil: does not wait
	reopened int
}

func (r *recorder) write(p []byte) (int, error) {
	if r.gate != nil {
		<-r.gate
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text.Write(p)
	return 0, nil
}

func (r *recorder) reopen() error { r.reopened++; return nil }
func (r *recorder) close() error  { return nil }

func (r *recorder) lines() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Count(r.text.Bytes(), []byte("\n"))
}

// logTo makes a log with that sink.
func logTo(t *testing.T, cfg LogConfig, s sink, events *slog.Logger) *AccessLog {
	t.Helper()
	l, err := newAccessLog(cfg, events, newStamps())
	if err != nil {
		t.Fatal(err)
	}
	l.sink = s
	go l.run()
	return l
}

func TestALineWaitsNoLongerThanItMust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		l := logTo(t, LogConfig{Name: "access"}, r, nil)
		defer l.Close()
		l.Observe(exchange())
		time.Sleep(flushEvery - time.Millisecond)
		synctest.Wait()
		if n := r.lines(); n != 0 {
			t.Fatalf("%d lines are written before others could join", n)
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if n := r.lines(); n != 1 {
			t.Fatalf("%d lines after %v, want 1", n, flushEvery)
		}
	})
}

func TestAFullBlockIsWrittenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		l := logTo(t, LogConfig{Name: "access"}, r, nil)
		defer l.Close()
		for range 500 {
			l.Observe(exchange())
		}
		synctest.Wait()
		if n := r.lines(); n < blockSize/1000 {
			t.Fatalf("%d lines are written without a wait", n)
		}
	})
}

func TestCloseWritesWhatIsLeft(t *testing.T) {
	r := &recorder{}
	l := logTo(t, LogConfig{Name: "access"}, r, nil)
	var serving sync.WaitGroup
	for shard := range 4 {
		serving.Go(func() {
			x := exchange()
			x.Conn = &weir.Conn{Shard: shard}
			for range 1000 {
				l.Observe(x)
			}
		})
	}
	serving.Wait()
	l.Close()
	if n := r.lines(); n+int(l.Dropped()) != 4000 || n == 0 {
		t.Errorf("%d lines written and %d dropped, want 4000 together", n, l.Dropped())
	}
	if s := l.Status(); s.Written != uint64(r.lines()) {
		t.Errorf("%d lines are said to be written, %d are", s.Written, r.lines())
	}
	l.Observe(exchange())
	if n := r.lines(); n+int(l.Dropped()) != 4001 {
		t.Error("a line after the end is neither written nor counted")
	}
}

// TestABlockedSinkStopsNobody: memory is bounded, what does not fit is counted and reported once a minute.
func TestABlockedSinkStopsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events lockedBuffer
		r := &recorder{gate: make(chan struct{})}
		l := logTo(t, LogConfig{Name: "access", Buffer: 8 * blockSize}, r, slog.New(slog.NewTextHandler(&events, nil)))
		const n = 5000
		for range n {
			l.Observe(exchange())
		}
		synctest.Wait()
		if held := l.buffer.held.Load(); held > 8*blockSize {
			t.Errorf("%d bytes are held", held)
		}
		dropped := l.Dropped()
		if dropped == 0 {
			t.Fatal("nothing is dropped")
		}
		if got := strings.Count(events.String(), "access log loses lines"); got != 1 {
			t.Errorf("%d events, want 1:\n%s", got, events.String())
		}
		time.Sleep(61 * time.Second)
		l.Observe(exchange())
		synctest.Wait()
		want := fmt.Sprintf("lost_in_all=%d", l.Dropped())
		if got := strings.Count(events.String(), "access log loses lines"); got != 2 || !strings.Contains(events.String(), want) {
			t.Errorf("%d events a minute later, want 2 and %q:\n%s", got, want, events.String())
		}
		close(r.gate)
		l.Close()
		if got := r.lines() + int(l.Dropped()); got != n+1 {
			t.Errorf("%d lines written or dropped, want %d", got, n+1)
		}
	})
}

// TestAPipeThatNobodyReads is the same with a real one: Observe and Close come back.
func TestAPipeThatNobodyReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := NewAccessLog(LogConfig{Name: "access", To: path, Buffer: blockSize}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 20000 {
		l.Observe(exchange())
	}
	if l.Dropped() == 0 {
		t.Error("nothing is dropped")
	}
	begin := time.Now()
	l.Close()
	if d := time.Since(begin); d > closeWait+3*time.Second {
		t.Errorf("Close took %v", d)
	}
}

// TestAFullDisk writes to the device that is always full.
func TestAFullDisk(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /dev/full")
	}
	var events lockedBuffer
	l, err := NewAccessLog(LogConfig{Name: "access", To: "/dev/full"}, slog.New(slog.NewTextHandler(&events, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		l.Observe(exchange())
	}
	l.Close()
	s := l.Status()
	if s.Dropped != 1000 || s.Written != 0 || !strings.Contains(s.Error, "no space left") {
		t.Errorf("status is %+v", s)
	}
	for l.reporting.Load() {
		runtime.Gosched()
	}
	if !strings.Contains(events.String(), "no space left on device") {
		t.Errorf("the event does not say why: %s", events.String())
	}
}

func TestSinkThatCannotBeOpened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "access.log")
	_, err := NewAccessLog(LogConfig{Name: "access", To: path}, nil)
	if err == nil || !strings.HasPrefix(err.Error(), `log "access": open `+path) {
		t.Errorf("error is %v", err)
	}
}

func TestReopenAfterRename(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	l, err := NewAccessLog(LogConfig{Name: "access", To: path, Format: "{status}"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Observe(exchange())
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	l.Reopen()
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		if _, err := os.Stat(path); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the file is not opened anew")
		}
	}
	l.Observe(failed())
	l.Close()
	if old := read(t, path+".old"); old != "200\n" {
		t.Errorf("the old file holds %q", old)
	}
	if now := read(t, path); now != "502\n" {
		t.Errorf("the new file holds %q", now)
	}
}

func TestStatusFilterAndSample(t *testing.T) {
	r := &recorder{}
	l := logTo(t, LogConfig{Name: "access", Status: "5xx, 404", Sample: 0.25}, r, nil)
	ok := exchange()
	ok.Response.Status = 404
	for range 4000 {
		l.Observe(exchange())
		l.Observe(ok)
	}
	for range 10 {
		l.Observe(failed())
	}
	l.Close()
	if n := r.lines(); n < 800+10 || n > 1200+10 {
		t.Errorf("%d lines, want about 1010", n)
	}
}

func TestParseStatuses(t *testing.T) {
	set, err := parseStatuses("404, 5xx,200-299")
	if err != nil {
		t.Fatal(err)
	}
	for status, want := range map[int]bool{404: true, 403: false, 500: true, 599: true, 200: true, 299: true, 300: false, 0: false, 5000: false} {
		if set.has(status) != want {
			t.Errorf("%d: %v", status, !want)
		}
	}
	for _, bad := range []string{"x", "6", "500-400", "5xy", "99", "404,,"} {
		if _, err := parseStatuses(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestLogsOutliveReloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		logs := NewLogs(nil)
		a := LogConfig{Name: "a", To: filepath.Join(dir, "a")}
		b := LogConfig{Name: "b", To: filepath.Join(dir, "b")}
		first, err := logs.Open(a)
		if err != nil {
			t.Fatal(err)
		}
		second, err := logs.Open(b)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := logs.Open(a); again != first {
			t.Error("the same log is opened twice")
		}
		logs.Retain([]LogConfig{a})
		second.Observe(exchange()) // an exchange that began before
		time.Sleep(retireAfter + time.Second)
		synctest.Wait()
		if n := strings.Count(read(t, b.To), "\n"); n != 1 {
			t.Errorf("%d lines of the exchange under way", n)
		}
		if s := logs.Status(); len(s) != 1 || s[0].Name != "a" {
			t.Errorf("open logs are %+v", s)
		}
		logs.Retain(nil)
		if again, _ := logs.Open(a); again != first {
			t.Error("a log that is wanted again in time is opened anew")
		}
		time.Sleep(retireAfter + time.Second)
		synctest.Wait()
		if first.closed.Load() {
			t.Error("a log that is wanted again is closed all the same")
		}
		logs.Close()
		if !first.closed.Load() {
			t.Error("Close leaves a log open")
		}
	})
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A lockedBuffer may be written and read at once.
type lockedBuffer struct {
	mu sync.Mutex // protects b
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
