package h2

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// curl runs the program of that name with prior knowledge of HTTP/2, and returns what it prints.
func curl(t *testing.T, args ...string) string {
	t.Helper()
	bin, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("there is no curl here")
	}
	if v, _ := exec.Command(bin, "--version").Output(); !strings.Contains(string(v), "HTTP2") {
		t.Skip("this curl does not speak HTTP/2")
	}
	all := append([]string{"-q", "-sS", "--max-time", "20", "--noproxy", "*", "--http2-prior-knowledge", "-k"}, args...)
	out, err := exec.CommandContext(t.Context(), bin, all...).CombinedOutput()
	if err != nil {
		t.Fatalf("curl %q: %v: %.2000s", args, err, out)
	}
	return string(out)
}

func TestCurl(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: echo})
		if got := curl(t, "-w", " %{http_version} %{http_code}", w.url("/a?b")); got != "GET /a  2 200" {
			t.Errorf("GET: %q", got)
		}
		if got := curl(t, "-I", w.url("/a")); !strings.Contains(got, "content-length: 8\r\n") || !strings.Contains(got, "\r\ndate: ") {
			t.Errorf("HEAD: %q", got)
		}
		large := strings.Repeat("0123456789", 500000)
		name := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(name, []byte(large), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := curl(t, "-T", name, "-H", "Expect: 100-continue", w.url("/up")); got != "PUT /up "+large {
			t.Errorf("PUT: %d bytes, %.100q", len(got), got)
		}
		if got := curl(t, "-T", "-", "-H", "Expect:", w.url("/up")); got != "PUT /up " {
			t.Errorf("PUT of nothing: %.100q", got)
		}
	})
}
