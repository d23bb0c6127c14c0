package weirtest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// systemd hands weir a socket, hears from it when it is ready, reloading and stopping, and while it is down
// connections wait in the socket.
func TestSystemd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const config = "listener \"http\" { address = \"127.0.0.1:1\" }\nsite \"*\" {\n  respond \"/*\" { body = \"here\" }\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "weir.hcl"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	said, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: dir + "/notify", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	early := make(chan error, 1)
	go func() { early <- askHere(l.Addr().String()) }()

	cmd := underSystemd(t, dir, l)
	waitFor(t, said, "READY=1")
	if err := <-early; err != nil {
		t.Errorf("a connection from before the start: %v", err)
	}
	cmd.Process.Signal(syscall.SIGHUP)
	waitFor(t, said, "RELOADING=1")
	waitFor(t, said, "READY=1")
	cmd.Process.Signal(syscall.SIGTERM)
	waitFor(t, said, "STOPPING=1")
	if err := cmd.Wait(); err != nil {
		t.Errorf("the end: %v", err)
	}
	again := make(chan error, 1)
	go func() { again <- askHere(l.Addr().String()) }()
	cmd = underSystemd(t, dir, l)
	if err := <-again; err != nil {
		t.Errorf("a connection from between two processes: %v", err)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.Wait()
}

// underSystemd starts weir with l as its socket "http".
func underSystemd(t *testing.T, dir string, l net.Listener) *exec.Cmd {
	t.Helper()
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" run -c weir.hcl`, binary(t))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "LISTEN_FDNAMES=http", "NOTIFY_SOCKET="+dir+"/notify")
	cmd.ExtraFiles = []*os.File{file}
	cmd.Stderr = new(buffer)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return cmd
}

// waitFor reads what is notified until it holds the line.
func waitFor(t *testing.T, said *net.UnixConn, line string) {
	t.Helper()
	said.SetReadDeadline(time.Now().Add(3 * patience))
	buf := make([]byte, 4096)
	for {
		n, err := said.Read(buf)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if strings.Contains("\n"+string(buf[:n])+"\n", "\n"+line+"\n") {
			return
		}
	}
}

func askHere(address string) error {
	c := &http.Client{Timeout: 3 * patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get("http://" + address + "/")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && string(text) != "here" {
		err = fmt.Errorf("%s %q", resp.Status, text)
	}
	return err
}
