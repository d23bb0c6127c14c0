package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const dropEnv = "WEIR_TEST_DROP"

const bindRight = "0000000000000400" // CAP_NET_BIND_SERVICE alone, as /proc writes it

// mayKeepBinding reports whether the system lets a process change the capabilities of all its threads and this
// process may bind low ports at all: a program with C code in it can't, nor one in a container without the right.
func mayKeepBinding(t *testing.T) bool {
	t.Helper()
	if _, _, e := syscall.AllThreadsSyscall(syscall.SYS_GETPID, 0, 0, 0); e != 0 {
		return false
	}
	header := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(header, &data[0]); err != nil {
		t.Fatal(err)
	}
	return data[0].Permitted&(1<<unix.CAP_NET_BIND_SERVICE) != 0
}

// TestDropped is the process that TestDropPrivileges starts: it must not take the test's own rights away.
func TestDropped(t *testing.T) {
	if os.Getenv(dropEnv) == "" {
		t.Skip("started by TestDropPrivileges")
	}
	keeps := mayKeepBinding(t)
	if err := DropPrivileges("nobody"); err != nil {
		t.Fatal(err)
	}
	seen := 0
	tasks, _ := filepath.Glob("/proc/self/task/*/status")
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err != nil {
			continue // ended meanwhile
		}
		seen++
		for line := range strings.Lines(string(b)) {
			checkThread(t, keeps, strings.Fields(line))
		}
	}
	if seen == 0 {
		t.Error("no threads seen")
	}
	l, err := net.Listen("tcp", "127.0.0.1:81")
	if err == nil {
		l.Close()
	} else if keeps && !errors.Is(err, syscall.EADDRINUSE) { // who may not bind hears that first
		t.Errorf("a low port after the drop: %v", err)
	}
	if err := os.WriteFile("/etc/weir-test", nil, 0o600); err == nil {
		os.Remove("/etc/weir-test")
		t.Error("still may write to /etc")
	}
	fmt.Println("dropped")
}

// checkThread looks at one line of a thread's status.
func checkThread(t *testing.T, keeps bool, line []string) {
	t.Helper()
	switch line[0] {
	case "Uid:", "Gid:":
		if slices.Contains(line[1:], "0") {
			t.Errorf("a thread is still root: %s", line)
		}
	case "CapEff:", "CapPrm:":
		want := "0000000000000000"
		if keeps {
			want = bindRight
		}
		if line[1] != want {
			t.Errorf("capabilities: %s, want %s", line, want)
		}
	}
}

func TestDropPrivileges(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDropped$", "-test.v")
	child.Env = append(os.Environ(), dropEnv+"=1")
	out, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "dropped\n") {
		t.Fatalf("%v\n%s", err, out)
	}
}
