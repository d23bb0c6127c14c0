package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test's own program stand for the command weir.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"weir": main})
}

// TestScripts runs what a user types, and compares what is said. `exits N COMMAND...` demands the exit code N.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE") != "",
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
		Setup: func(e *testscript.Env) error {
			e.Setenv("GOVERSION", runtime.Version())
			e.Setenv("PLATFORM", runtime.GOOS+"/"+runtime.GOARCH)
			return nil
		},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var failed *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &failed) {
		got = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s ended with code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

func TestProxyText(t *testing.T) {
	f := proxyFlags{
		from: []string{"8080", "127.0.0.1:81"}, to: []string{"3000", "http://app.internal", "unix:/run/a${b}.sock"},
		hosts: []string{"a.example", "*.a.example"}, balance: "hash", health: "/h", admin: "127.0.0.1:9180", log: true,
	}
	got, err := f.text()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/proxy.hcl")
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestProxyRefuses(t *testing.T) {
	for _, tt := range []struct{ from, to, want string }{
		{"", "3000", `--from "": write host:port, a port, or unix:/path`},
		{"localhost", "3000", `--from "localhost": write host:port, a port, or unix:/path`},
		{":99999", "3000", `--from ":99999": write host:port, a port, or unix:/path`},
		{":80", "https://a", `--to "https://a": servers are spoken to by http; https is not available yet`},
		{":80", "http://a/b", `--to "http://a/b": a server has no path; a configuration file's rewrite adds one`},
		{":80", "unix:", `--to "unix:": write host:port, a port, or unix:/path`},
		{":80", "http://[::1", `--to "http://[::1": not an address`},
	} {
		_, err := (&proxyFlags{from: []string{tt.from}, to: []string{tt.to}}).text()
		if fmt.Sprint(err) != tt.want {
			t.Errorf("--from %q --to %q: %v, want %s", tt.from, tt.to, err, tt.want)
		}
	}
}
