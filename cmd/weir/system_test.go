package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/weirtest/freeport"
)

// fields returns the words of the line of a process's file in /proc that begins with name.
func (r *running) fields(t *testing.T, file, name string) []string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", r.Process.Pid, file))
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return strings.Fields(rest)
		}
	}
	t.Fatalf("%s has no line %q:\n%s", file, name, b)
	return nil
}

func TestFilesAreRaised(t *testing.T) {
	file := filepath.Join(t.TempDir(), "weir.hcl")
	write(t, file, says("one"))
	r := &running{Cmd: exec.CommandContext(t.Context(), "sh", "-c", `ulimit -S -n 200; exec weir run -c "$0"`, file)}
	r.launch(t)
	get(t, r.url(t))
	limit := r.fields(t, "limits", "Max open files")
	if limit[0] != limit[1] {
		t.Errorf("the soft limit is %s, the hard one %s", limit[0], limit[1])
	}
}

func TestUserIsLeft(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	file := filepath.Join(t.TempDir(), "weir.hcl")
	write(t, file, `user = "nobody"`+says("one"))
	r := launch(t, nil, "run", "-c", file)
	get(t, r.url(t))
	for _, id := range r.fields(t, "status", "Uid:") {
		if id == "0" {
			t.Errorf("still root: %s", r.fields(t, "status", "Uid:"))
		}
	}
}

func TestSocketsOfTheServiceManager(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	socket, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	file := filepath.Join(t.TempDir(), "weir.hcl")
	write(t, file, strings.Replace(says("one"), "127.0.0.1:0", ":80", 1))
	r := &running{Cmd: exec.CommandContext(t.Context(), "sh", "-c", `LISTEN_PID=$$ exec weir run -c "$0"`, file)}
	r.Env = append(os.Environ(), "LISTEN_FDS=1", "LISTEN_FDNAMES=http")
	r.ExtraFiles = []*os.File{socket}
	r.launch(t)
	r.await(t, "listening .*inherited=true")
	if got := get(t, "http://"+l.Addr().String()); got != "one" {
		t.Errorf("got %q", got)
	}
}

// Who reads the log may go; weir stays.
func TestLogReaderGoes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "weir.hcl")
	write(t, file, says("one")+"log \"access\" { to = \"stdout\" }\n")
	r := &running{Cmd: exec.CommandContext(t.Context(), "weir", "run", "-c", file)}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Stdout = writer
	r.launch(t)
	writer.Close()
	url := r.url(t)
	get(t, url)
	if _, err := io.ReadFull(reader, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	reader.Close()
	for range 3 {
		get(t, url)
		r.signal(t, syscall.SIGUSR1) // has what is buffered written
		r.await(t, "log files opened again")
	}
	if got := get(t, url); got != "one" {
		t.Errorf("got %q", got)
	}
}

func TestReloadByPID(t *testing.T) {
	r := run(t, says("one"))
	url := r.url(t)
	get(t, url)
	write(t, r.file, says("two"))
	if out, err := exec.CommandContext(t.Context(), "weir", "reload", "--pid", fmt.Sprint(r.Process.Pid)).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r.await(t, "reloaded")
	if got := get(t, url); got != "two" {
		t.Errorf("got %q", got)
	}
}

func TestMemoryIsTuned(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	defer func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
		runtime.GC()
	}()
	t.Setenv("GOGC", "")
	tuneMemory(log)
	if got := debug.SetGCPercent(100); got != gcPercent {
		t.Errorf("GOGC is %d, want %d", got, gcPercent)
	}
	t.Setenv("GOGC", "50")
	tuneMemory(log)
	if got := debug.SetGCPercent(100); got != 100 {
		t.Errorf("GOGC is %d although the environment says something", got)
	}
}

func TestLogsAreOpenedAgain(t *testing.T) {
	dir := t.TempDir()
	access, events := filepath.Join(dir, "access.log"), filepath.Join(dir, "events.log")
	file := filepath.Join(dir, "weir.hcl")
	write(t, file, says("one")+fmt.Sprintf("log \"access\" { to = %q }\nlog \"events\" { to = %q }\n", access, events))
	address := freeport.Address(t)
	write(t, file, strings.Replace(read(t, file), "127.0.0.1:0", address, 1))
	r := launch(t, nil, "run", "-c", file)
	url := "http://" + address
	r.answers(t, url+"/before")
	for text, err := []byte(nil), error(nil); !strings.Contains(string(text), "/before"); { // lines are written after the answer
		if text, err = os.ReadFile(access); err != nil {
			t.Fatal(err)
		}
		runtime.Gosched()
	}
	for _, name := range []string{access, events} {
		if err := os.Rename(name, name+".old"); err != nil {
			t.Fatal(err)
		}
	}
	r.signal(t, syscall.SIGUSR1)
	for _, name := range []string{access, events} { // it has been heard when the new files are there
		for {
			if _, err := os.Stat(name); err == nil {
				break
			}
			runtime.Gosched()
		}
	}
	get(t, url+"/after")
	r.signal(t, syscall.SIGTERM)
	r.ends(t, exitOK)
	if s := read(t, access); strings.Contains(s, "/before") || !strings.Contains(s, "/after") {
		t.Errorf("access log: %s", s)
	}
	if s := read(t, access+".old"); !strings.Contains(s, "/before") || strings.Contains(s, "/after") {
		t.Errorf("old access log: %s", s)
	}
	if s := read(t, events); strings.Contains(s, "listening") || !strings.Contains(s, "stopped") {
		t.Errorf("events: %s", s)
	}
	if s := read(t, events+".old"); !strings.Contains(s, "listening") {
		t.Errorf("old events: %s", s)
	}
}

// The more lives, the less garbage in proportion.
func TestCollectorPace(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 1 << 20: 400, 8 << 20: 400, 16 << 20: 200, 25 << 20: 128, 32 << 20: 100, 1 << 30: 100} {
		if got := percentFor(live); got != want {
			t.Errorf("%d bytes live: %d%%, want %d%%", live, got, want)
		}
	}
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	ballast := make([][]byte, 0, 64)
	pace()
	for range 64 {
		ballast = append(ballast, make([]byte, 1<<20))
	}
	for end := time.Now().Add(10 * time.Second); ; {
		runtime.GC()
		got := debug.SetGCPercent(100)
		debug.SetGCPercent(got)
		if got < gcPercent {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("with %d MiB alive the pace is %d%% still", len(ballast), got)
		}
		time.Sleep(time.Millisecond)
	}
	runtime.KeepAlive(ballast)
}

// A HUP would end a program that does not know it.
func TestReloadLeavesOthersAlone(t *testing.T) {
	if nameOf("self") == "" {
		t.Skip("no /proc here")
	}
	other := exec.CommandContext(t.Context(), "sleep", "60")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer other.Wait()
	defer other.Process.Kill()
	err := hangUp(other.Process.Pid)
	if err == nil || !strings.Contains(err.Error(), `is "sleep" and not weir`) {
		t.Errorf("%v", err)
	}
	if err := other.Process.Signal(syscall.Signal(0)); err != nil {
		t.Error(err)
	}
}
