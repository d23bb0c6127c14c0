package h3

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"weir"
)

// page tells in its title what came of some requests, and how they were made.
const page = `<!doctype html><title>begun</title><script>
(async () => {
	const big = 'x'.repeat(300000)
	const got = await Promise.all([
		fetch('/echo', {method: 'POST', body: big}).then(r => r.text()),
		fetch('/echo?2', {headers: {'X-A': 'b'}}).then(r => r.text()),
		fetch('/none', {method: 'HEAD'}).then(r => String(r.status)),
	])
	const how = performance.getEntriesByType('resource').map(e => e.nextHopProtocol)
	document.title = [got[0] === 'POST /echo ' + big, got[1], got[2], ...new Set(how)].join('; ')
})().catch(e => { document.title = 'failed: ' + e })
</script>`

// A real browser asks for a page, and the page for more.
func TestChromium(t *testing.T) {
	program := browser(t)
	w := serve(t, ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
		switch x.Request.Path {
		case "/":
			x.Response.Text(200, page)
			x.Response.Header.Set("Content-Type", "text/html")
			return nil
		case "/none":
			x.Response.Status = 204
			return nil
		}
		return echo(x)
	})})
	key := sha256.Sum256(certificate().Leaf.RawSubjectPublicKeyInfo)
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(),
		fmt.Sprintf("--origin-to-force-quic-on=a.test:%d", w.addr.Port), "--host-resolver-rules=MAP a.test 127.0.0.1",
		"--ignore-certificate-errors-spki-list="+base64.StdEncoding.EncodeToString(key[:]),
		"--virtual-time-budget=20000", "--dump-dom", fmt.Sprintf("https://a.test:%d/", w.addr.Port))
	out, err := cmd.Output()
	title := regexp.MustCompile(`<title>(.*)</title>`).FindSubmatch(out)
	if err != nil || title == nil || string(title[1]) != "true; GET /echo ; 204; h3" {
		t.Errorf("%v, %.2000s", err, out)
	}
}

// browser returns the program, or skips the test.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-headless-shell", "/usr/lib/chromium/chromium-headless-shell"} {
		if p, err := exec.LookPath(name); err == nil {
			return p
		}
	}
	t.Skip("no Chromium here")
	return ""
}

// curl speaks HTTP/3 where it has been built with it.
func TestCurl(t *testing.T) {
	features, err := exec.Command("curl", "--version").Output()
	if err != nil || !strings.Contains(string(features), "HTTP3") {
		t.Skip("no curl with HTTP/3 here")
	}
	w := serve(t, ServerConfig{Handler: echo})
	body := t.TempDir() + "/body"
	if err := os.WriteFile(body, []byte(content(1<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("curl", "--http3-only", "--silent", "--show-error", "--insecure", "--data-binary", "@"+body,
		"--resolve", fmt.Sprintf("a.test:%d:127.0.0.1", w.addr.Port), "--write-out", " %{http_version} %{http_code}",
		fmt.Sprintf("https://a.test:%d/c", w.addr.Port))
	cmd.Stderr = io.Discard
	out, err := cmd.Output()
	if want := "POST /c " + content(1<<20) + " 3 200"; err != nil || string(out) != want {
		t.Errorf("%v, %d bytes: %.100s", err, len(out), out)
	}
}
