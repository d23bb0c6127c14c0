package weirtest

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// A record of TLS that is damaged in the middle of an upload breaks the request's body: the client has not gone.
func TestDamagedUpload(t *testing.T) {
	t.Parallel()
	for _, protocols := range []string{"h1", "h2"} {
		t.Run(protocols, func(t *testing.T) { damagedUpload(t, protocols) })
	}
}

func damagedUpload(t *testing.T, protocols string) {
	begun := make(chan struct{}, 1)
	origin := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		bufio.NewReader(r.Body).ReadByte()
		begun <- struct{}{}
		io.Copy(io.Discard, r.Body)
	}))
	defer origin.Close()
	dir := t.TempDir()
	config := fmt.Sprintf(`state_dir = "%s/state"
admin {
  listen = "127.0.0.1:0"
  socket = "%s/%s"
}
listener "https" {
  address   = "127.0.0.1:0"
  protocols = ["%s"]
  tls {}
}
site "a.test" {
  route "/*" { proxy = "%s" }
}
`, dir, dir, AdminSocket, protocols, origin.Listener.Addr())
	if err := os.WriteFile(filepath.Join(dir, "weir.hcl"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := Start(binary(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	line := new(noisy)
	client := http.Client{Timeout: patience, Transport: &http.Transport{
		ForceAttemptHTTP2: protocols == "h2", TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: "a.test"},
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			c, err := net.DialTimeout("tcp", p.Listeners["https"], patience)
			line.Conn = c
			return line, err
		},
	}}
	body, upload := io.Pipe()
	go func() {
		upload.Write(make([]byte, 1000))
		<-begun
		line.damages.Store(true)
		upload.Write(make([]byte, 1000))
		upload.Close()
	}()
	if resp, err := client.Post("https://a.test/", "", body); err == nil {
		t.Errorf("answered with %s", resp.Status)
	}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if f := lastFailure(t, p); f != "" {
			if f != "client.body" {
				t.Errorf("the outcome is %s", f)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatal("no outcome")
		}
	}
}

// lastFailure is the outcome of the last exchange that failed; "": none has.
func lastFailure(t *testing.T, p *Process) string {
	resp, err := p.Admin().Get("http://weir/failures")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list []struct{ Outcome string }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		return ""
	}
	return list[0].Outcome
}

// A noisy connection damages what is sent over it, once it is told to.
type noisy struct {
	net.Conn
	damages atomic.Bool
}

func (n *noisy) Write(p []byte) (int, error) {
	if n.damages.Load() {
		p = append([]byte(nil), p...)
		p[len(p)-1] ^= 1
	}
	return n.Conn.Write(p)
}
