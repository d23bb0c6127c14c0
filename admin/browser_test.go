package admin

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"weir/observe"
)

// TestDashboardInABrowser opens the page in a headless Chromium, where there is one, and reads what its
// script has made of it: so the script runs under the page's own policy, and hostile text stays text.
func TestDashboardInABrowser(t *testing.T) {
	browser := ""
	for _, name := range []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		t.Skip("there is no Chromium")
	}
	s := newServer(t, Config{Listen: "127.0.0.1:0"}, &fake{state: observe.Serving})
	serve(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	run := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(),
		"--virtual-time-budget=6000", "--dump-dom", "http://"+s.Addr()+"/")
	run.WaitDelay = 5 * time.Second
	out, err := run.Output()
	if err != nil {
		t.Skipf("%s does not run here: %v", browser, err)
	}
	dom := string(out)
	for _, want := range []string{
		`<span id="state" class="pill good">serving</span>`,
		`round-robin`, `10.0.0.1:80`, `connection refused`, `<span class="pill bad">unhealthy</span>`,
		`<td>shop "1"</td><td>/shoes,{id}/*</td>`, `<td class="n">11</td>`, `1 of 2 servers in service`, `no such upstream &lt;script&gt;`, `2 sites, 1 route<`,
		`<td>h1 h2, encrypted</td>`, `<td class="n">17</td>`, `2 certificates`, `<span class="pill bad">missing</span>`,
		`ordering: the CA says &lt;no&gt; · 2 failed attempts`, `<td>acme · An Authority</td>`, `<button class="small" type="button">Renew</button>`, `<td>30 days</td>`,
	} {
		if !strings.Contains(dom, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if t.Failed() {
		t.Log(dom)
	}
}
