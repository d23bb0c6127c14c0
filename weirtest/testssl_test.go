package weirtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// testsslSections are the parts of testssl.sh that judge: protocols, ciphers, forward secrecy, preferences, what the server
// shows, header fields, and known holes. Those left out only list what each known client would agree on.
var testsslSections = []string{
	"--protocols", "--std", "--pfs", "--server-preference", "--server-defaults", "--headers", "--vulnerable",
}

// notFound are what testssl.sh could not test, each with the reason. A finding of "LOW" needs none.
var notFound = map[string]string{
	"engine_problem": "this machine's openssl has no GOST to ask with, and crypto/tls none to answer with",
	"secure_renego":  "it asks without a name, and who gives none is shown no certificate; the listener that has one is tested besides",
}

// testssl.sh finds nothing above "LOW" in a listener with the default settings, whether the certificate's key is of ECDSA
// or of RSA. It takes minutes: `make testssl` runs it.
func TestTestssl(t *testing.T) {
	if os.Getenv("WEIR_TESTSSL") == "" {
		t.Skip("takes minutes: make testssl runs it")
	}
	program, err := exec.LookPath("testssl")
	if err != nil {
		t.Skip("there is no testssl.sh (Debian's package testssl.sh)")
	}
	dir := testsslDir(t)
	w, err := Start(binary(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, name := range []string{"ecdsa", "rsa"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			judgeFindings(t, runTestssl(t, program, dir, name, w.Listeners["https"], testsslSections...), 30)
		})
	}
	t.Run("nameless", func(t *testing.T) {
		found := runTestssl(t, program, dir, "nameless", w.Listeners["nameless"], "--renegotiation", "--headers")
		for _, f := range found {
			if f.ID == "secure_renego" && f.Severity != "OK" {
				t.Errorf("%+v", f)
			}
		}
		judgeFindings(t, found, 2)
	})
}

// testsslConfig has a listener as it is by default, and one that has a certificate for who asks for no name.
const testsslConfig = `
listener "https" {
  address = "127.0.0.1:0"
  tls {}
}
listener "nameless" {
  address = "127.0.0.1:0"
  tls {
    certificate = "nameless.pem"
    key         = "nameless.key"
  }
}
admin {
  listen = "127.0.0.1:0"
  socket = %q
}
state_dir = "state"
`

// testsslSite has the fields that testssl.sh wants an application to set.
const testsslSite = `
site "%[1]s.test" {
  tls {
    certificate = "%[1]s.pem"
    key         = "%[1]s.key"
  }
  route "/*" {
    proxy = %[2]q
    response {
      set = {
        "X-Content-Type-Options"  = "nosniff"
        "X-Frame-Options"         = "DENY"
        "Content-Security-Policy" = "default-src 'self'"
        "Referrer-Policy"         = "no-referrer"
      }
    }
  }
}
`

// testsslDir is where weir runs, with two sites before an origin.
func testsslDir(t *testing.T) string {
	t.Helper()
	origin, err := NewServer("a", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(origin.Close)
	dir := t.TempDir()
	ca, err := newAuthority("testssl")
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("root.pem", ca.pem())
	config := fmt.Sprintf(testsslConfig, AdminSocket)
	for _, name := range []string{"ecdsa", "rsa", "nameless"} {
		p, err := ca.sign(wish{names: []string{name + ".test"}, rsa: name == "rsa", months: 2, revocations: "http://ca.test/revoked"})
		if err != nil {
			t.Fatal(err)
		}
		write(name+".pem", p.cert)
		write(name+".key", p.key)
		config += fmt.Sprintf(testsslSite, name, origin.Address())
	}
	write("weir.hcl", []byte(config))
	return dir
}

// A finding is one line of testssl.sh's report.
type finding struct{ ID, Severity, Finding string }

func runTestssl(t *testing.T, program, dir, name, address string, sections ...string) (found []finding) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
	defer cancel()
	_, port, _ := strings.Cut(address, ":")
	report := filepath.Join(dir, name+".json")
	args := append([]string{
		"--quiet", "--warnings", "off", "--color", "0", "--nodns", "none", "--ip", "127.0.0.1",
		"--add-ca", filepath.Join(dir, "root.pem"), "--jsonfile", report,
	}, sections...)
	cmd := exec.CommandContext(ctx, program, append(args, "https://"+name+".test:"+port+"/")...)
	out, err := cmd.CombinedOutput() // its exit code counts what it could not do as well
	data, failed := os.ReadFile(report)
	if err := errors.Join(ctx.Err(), failed); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if failed := json.Unmarshal(data, &found); failed != nil {
		t.Fatalf("%v (%v)\n%s", failed, err, out)
	}
	return found
}

// judgeFindings fails on what is above "LOW", and where fewer than least things are well.
func judgeFindings(t *testing.T, found []finding, least int) {
	t.Helper()
	count := map[string]int{}
	for _, f := range found {
		count[f.Severity]++
		line := fmt.Sprintf("%s %s: %s", f.Severity, f.ID, f.Finding)
		switch f.Severity {
		case "INFO", "OK":
		case "LOW":
			t.Log(line)
		default:
			if why := notFound[f.ID]; why != "" {
				t.Logf("%s (%s)", line, why)
				continue
			}
			t.Error(line)
		}
	}
	t.Log(count)
	if count["OK"] < least {
		t.Errorf("only %d things are well: were they looked at?", count["OK"])
	}
}
