package server

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"weir/internal/poll"
)

const childEnv = "WEIR_TEST_ACTIVATED"

// TestActivated is the process that TestSystemdActivation starts as systemd would.
func TestActivated(t *testing.T) {
	if os.Getenv(childEnv) == "" {
		t.Skip("started by TestSystemdActivation")
	}
	inherited, err := FromSystemd()
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := os.LookupEnv("LISTEN_FDS"); ok {
		t.Fatalf("LISTEN_FDS=%s is left for children", v)
	}
	g, err := poll.NewGroup(1)
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{Group: g, Inherited: inherited})
	swap(t, s, snapshot(says("from the child"),
		ListenerSpec{Name: "web", Address: ":80"},
		ListenerSpec{Name: "local", Address: "unix:" + os.Getenv(childEnv)}))
	fmt.Println("ready")
	if _, err := os.Stdin.Read(make([]byte, 1)); err == nil { // until the parent goes
		t.Error("unexpected input")
	}
	s.Close(t.Context())
}

func TestSystemdActivation(t *testing.T) {
	path := t.TempDir() + "/local.sock"
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	local, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	tcpFile, err := tcp.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	localFile, err := local.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}

	child := exec.CommandContext(t.Context(), "/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" -test.run='^TestActivated$'`, os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+path, "LISTEN_FDS=2", "LISTEN_FDNAMES=web:weir.socket")
	child.ExtraFiles = []*os.File{tcpFile, localFile}
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 200)
	if n, _ := stdout.Read(buf); !strings.HasPrefix(string(buf[:n]), "ready") {
		t.Fatalf("child: %s", buf[:n])
	}
	for _, addr := range []net.Addr{tcp.Addr(), local.Addr()} {
		if got := connect(t, addr).get(t); got != "from the child" {
			t.Errorf("%s: %q", addr, got)
		}
	}
	stdin.Close()
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the child removed a socket that is not its own: %v", err)
	}
}
