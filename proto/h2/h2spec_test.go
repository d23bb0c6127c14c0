package h2

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir"
)

// h2spec is the conformance suite (github.com/summerwind/h2spec), as a module that the go command knows how to get.
const h2spec = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible"

// TestConformance runs all of h2spec, strict cases included.
func TestConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("h2spec takes half a minute")
	}
	bin := installH2spec(t)
	for _, kind := range []string{"poller", "TLS"} {
		t.Run(kind, func(t *testing.T) { conform(t, bin, newWorld(t, kind)) })
	}
}

func conform(t *testing.T, bin string, w *world) {
	w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Response.Text(200, "a body that is longer than nothing\n")
		return nil
	})})
	host, port, err := net.SplitHostPort(w.addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	args := []string{"-S", "-h", host, "-p", port, "-o", "2"}
	if w.kind == "TLS" {
		args = append(args, "-t", "-k")
	}
	out, err := exec.CommandContext(ctx, bin, args...).CombinedOutput()
	text := string(out)
	if at := strings.Index(text, "Failures:"); at >= 0 {
		t.Error(text[at:])
	}
	if err != nil || !strings.Contains(text, " 0 failed") || !strings.Contains(text, " 0 skipped") {
		t.Errorf("h2spec: %v\n%s", err, text[max(0, len(text)-500):])
	}
	t.Log(strings.TrimSpace(text[max(0, strings.LastIndex(strings.TrimSpace(text), "\n")):]))
}

// installH2spec returns the suite's program: the one that H2SPEC names, or one made from its module.
func installH2spec(t *testing.T) string {
	t.Helper()
	if bin := os.Getenv("H2SPEC"); bin != "" {
		return bin
	}
	dir := t.TempDir()
	cmd := exec.Command("go", "install", h2spec)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=-mod=mod", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("h2spec can't be built here, so HTTP/2's conformance is not tested: %v\n%s", err, out)
	}
	return filepath.Join(dir, "h2spec")
}
