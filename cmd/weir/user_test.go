package main

import (
	"net"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"weir/weirtest/freeport"
)

// What root has opened belongs to the user as whom weir goes on, which can open it again, and put it aside where the
// folder is its own.
func TestLogsBelongToTheUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip(err)
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	dir, err := os.MkdirTemp("/tmp", "weir")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	logs := filepath.Join(dir, "logs")
	for _, f := range []string{dir, logs} {
		if err := os.MkdirAll(f, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(f, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(logs, uid, 0); err != nil {
		t.Fatal(err)
	}
	file, access, events := filepath.Join(dir, "weir.hcl"), filepath.Join(logs, "access.log"), filepath.Join(dir, "events.log")
	write(t, file, "user = \"nobody\"\nstate_dir = \""+filepath.Join(logs, "state")+"\"\n"+says("one")+
		"log \"access\" {\n  to = \""+access+"\"\n  rotate { size = \"1KiB\" }\n}\n"+
		"log \"events\" {\n  to = \""+events+"\"\n  rotate { size = \"1MiB\" }\n}\n")
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	address := freeport.Address(t)
	write(t, file, strings.Replace(read(t, file), "127.0.0.1:0", address, 1))
	r := launch(t, nil, "run", "-c", file)
	for {
		r.answers(t, "http://"+address+"/")
		if _, err := os.Stat(access + ".1"); err == nil {
			break
		}
	}
	r.signal(t, syscall.SIGUSR1)
	r.signal(t, syscall.SIGTERM)
	r.ends(t, exitOK)
	for _, name := range []string{access, access + ".1", events} {
		info, err := os.Stat(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := info.Sys().(*syscall.Stat_t).Uid; int(got) != uid {
			t.Errorf("%s belongs to %d", name, got)
		}
	}
	said := read(t, events)
	if strings.Contains(said, "permission denied") && !strings.Contains(said, "cannot be rotated") || !strings.Contains(said, "log=events") {
		t.Errorf("events:\n%s", said)
	}
}

// Who may not use the socket hears that, and not that nobody is there.
func TestSocketIsNotForEverybody(t *testing.T) {
	for cause, want := range map[syscall.Errno]string{syscall.EACCES: "unix:a.sock: permission denied\nthe socket is for", syscall.ENOENT: "no weir answers at unix:a.sock: no such"} {
		err := &url.Error{Op: "Get", URL: "http://localhost/", Err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", cause)}}
		if got := (question{}).unanswered("unix:a.sock", err).Error(); !strings.HasPrefix(got, want) {
			t.Errorf("%v: %q, want %q", cause, got, want)
		}
	}
}
