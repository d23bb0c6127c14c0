package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"
)

// What the demonstration tells its guests to try is tried here.
func TestDemo(t *testing.T) {
	r := launch(t, nil, "demo", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	site := r.await(t, `Open +(http://[0-9.:]+)/`)[1]
	admin := r.await(t, `(http://[0-9.:]+)/ +the dashboard`)[1]
	file := r.await(t, `Change +(\S+)`)[1]
	r.await(t, "Stop")

	for path, want := range map[string]string{
		"/":                 "The demonstration shop",
		"/products/1":       "Red boots",
		"/api/echo?a=1":     `"X-Forwarded-For"`,
		"/api/slow?ms=5":    `"waited_ms": 5`,
		"/old/products/1":   "Red boots",
		"/teapot":           "you are 127.0.0.1",
		"/api/fail":         "on purpose",
		"/nowhere":          "no such page",
		"/api/servers":      `"shop-2"`,
		"/api/products?x=%": "Blue sandals",
	} {
		if got := get(t, site+path); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	demoStreams(t, site)
	demoFailures(t, site)
	for path, want := range map[string]string{"/healthz": "", "/status": `"name": "shop"`, "/metrics": "# TYPE weir_"} {
		if got := get(t, admin+path); !strings.Contains(got, want) {
			t.Errorf("admin %s: %.200q, want %q", path, got, want)
		}
	}
	out, err := exec.CommandContext(t.Context(), "weir", "explain", "-c", file, site+"/api/echo").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "/api/*") {
		t.Errorf("explain: %v\n%s", err, out)
	}
	out, err = exec.CommandContext(t.Context(), "weir", "explain", "--admin", strings.TrimPrefix(admin, "http://"), site+"/").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "upstream  shop, round-robin") {
		t.Errorf("explain by the running one: %v\n%s", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), "weir", "check", file).CombinedOutput(); err != nil {
		t.Errorf("check: %v\n%s", err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, strings.Replace(string(text), "I'm a teapot", "I'm a kettle", 1))
	r.await(t, "reloaded")
	if got := get(t, site+"/teapot"); !strings.Contains(got, "kettle") {
		t.Errorf("after the change: %q", got)
	}
	r.signal(t, syscall.SIGINT)
	r.ends(t, exitOK)
	if _, err := os.Stat(file); err == nil {
		t.Error("the demonstration leaves its file behind")
	}
}

func demoStreams(t *testing.T, site string) {
	t.Helper()
	events, err := http.Get(site + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	if line, err := bufio.NewReader(events.Body).ReadString('\n'); line != "id: 1\n" {
		t.Errorf("first event: %q, %v", line, err)
	}
	c, _, err := websocket.Dial(t.Context(), strings.Replace(site, "http", "ws", 1)+"/echo", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := c.Read(t.Context()); string(got) != "hello" {
		t.Errorf("echo: %q, %v", got, err)
	}
}

// demoFailures stops one server and makes another sick: no guest of the shop notices.
func demoFailures(t *testing.T, site string) {
	t.Helper()
	post := func(path string) {
		t.Helper()
		r, err := http.Post(site+path, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if b, _ := io.ReadAll(r.Body); r.StatusCode != 200 {
			t.Fatalf("%s: %d %s", path, r.StatusCode, b)
		}
	}
	servers := func() map[string]int {
		seen := map[string]int{}
		for range 60 {
			r, err := http.Get(site + "/")
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, r.Body)
			r.Body.Close()
			if r.StatusCode != 200 {
				t.Errorf("the shop answers with %d", r.StatusCode)
			}
			seen[r.Header.Get("X-Served-By")]++
		}
		return seen
	}
	if seen := servers(); len(seen) != 3 {
		t.Errorf("served by %v, want three", seen)
	}
	post("/api/servers/shop-2/stop")
	servers() // what came on a kept connection before its end is still served
	if seen := servers(); seen["shop-2"] > 0 || len(seen) != 2 {
		t.Errorf("served by %v, want two others", seen)
	}
	post("/api/servers/shop-2/start")
}
