package server

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const dropEnv = "WEIR_TEST_DROP"

// TestDropped is the process that TestDropPrivileges starts: it must not take the test's own rights away.
func TestDropped(t *testing.T) {
	if os.Getenv(dropEnv) == "" {
		t.Skip("started by TestDropPrivileges")
	}
	if err := DropPrivileges("nobody"); err != nil {
		t.Fatal(err)
	}
	tasks, _ := filepath.Glob("/proc/self/task/*/status")
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err != nil {
			continue // ended meanwhile
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); f[0] == "Uid:" || f[0] == "Gid:" || f[0] == "CapEff:" || f[0] == "CapPrm:" {
				fmt.Println(f)
			}
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:81")
	if err != nil {
		t.Fatalf("a low port after the drop: %v", err)
	}
	l.Close()
	if err := os.WriteFile("/etc/weir-test", nil, 0o600); err == nil {
		os.Remove("/etc/weir-test")
		t.Fatal("still may write to /etc")
	}
}

func TestDropPrivileges(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDropped$", "-test.v")
	child.Env = append(os.Environ(), dropEnv+"=1")
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		line = strings.Trim(strings.TrimSpace(line), "[]")
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
		case f[0] == "Uid:" || f[0] == "Gid:":
			for _, id := range f[1:] {
				if id == "0" {
					t.Errorf("a thread is still root: %s", line)
				}
			}
		case f[0] == "CapEff:" || f[0] == "CapPrm:":
			if f[1] != "0000000000000400" {
				t.Errorf("capabilities: %s, want CAP_NET_BIND_SERVICE alone", line)
			}
		}
	}
	if !strings.Contains(string(out), "Uid:") {
		t.Errorf("no threads seen:\n%s", out)
	}
}
