package weirtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// What weir explains must be what it does also where a client and a listener do not speak alike, or a request is not one:
// random clients ask random listeners.
func TestExplainAgreesOnClients(t *testing.T) {
	t.Parallel()
	const requests = 600
	origin := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(299) }))
	origin.Config.DisableGeneralOptionsHandler = true
	origin.Start()
	defer origin.Close()
	dir := t.TempDir()
	text := fmt.Sprintf(meetConfig, dir, dir, AdminSocket, origin.Listener.Addr())
	if err := os.WriteFile(filepath.Join(dir, "weir.hcl"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := Start(binary(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	r := rand.New(rand.NewPCG(2026, 22))
	admin, seen := p.Admin(), map[string]int{}
	for range requests {
		v := randomVisit(r)
		want, got := v.explained(t, admin), v.made(p.Listeners[v.Listener])
		if want != got {
			t.Errorf("%+v: explained %q, made %q", v, want, got)
		}
		seen[got]++
	}
	for _, outcome := range []string{"nothing", "200", "299", "301", "400", "404", "405", "505"} {
		if seen[outcome] == 0 {
			t.Errorf("nobody was answered with %s: %v", outcome, seen)
		}
	}
}

const meetConfig = `state_dir = "%s/state"
admin {
  listen = "127.0.0.1:0"
  socket = "%s/%s"
}
listener "plain" { address = "127.0.0.1:0" }
listener "both" {
  address   = "127.0.0.1:0"
  protocols = ["h1", "h2c"]
}
listener "clear" {
  address   = "127.0.0.1:0"
  protocols = ["h2c"]
}
listener "all" {
  address = "127.0.0.1:0"
  tls {}
}
listener "one" {
  address   = "127.0.0.1:0"
  protocols = ["h1"]
  tls {}
}
listener "two" {
  address   = "127.0.0.1:0"
  protocols = ["h2"]
  tls {}
}
site "sealed.test" {
  respond "/*" { body = "sealed" }
}
site "open.test" {
  on = [listener.plain, listener.both, listener.clear]
  respond "/x" { body = "open" }
}
site "to.test" {
  on = [listener.plain, listener.both, listener.clear]
  route "/*" { proxy = "%s" }
}
`

// A visit is a request, and how its client comes.
type visit struct {
	Listener, Scheme, Version, Method, Host, Target string
	Nameless                                        bool // the request does not say whom it is for
}

func randomVisit(r *rand.Rand) visit {
	one := func(list ...string) string { return list[r.IntN(len(list))] }
	v := visit{
		Listener: one("plain", "both", "clear", "all", "one", "two"), Scheme: one("http", "https"), Version: one("1.0", "1.1", "2"),
		Method: one("GET", "GET", "HEAD", "OPTIONS", "FOO", "CONNECT", "TRACE"), Host: one("sealed.test", "open.test", "to.test", "none.test"),
		Target: one("/", "/x"), Nameless: r.IntN(4) == 0,
	}
	if v.Method == "OPTIONS" && r.IntN(2) == 0 {
		v.Target = "*"
	}
	if v.Listener == "all" && v.Scheme == "https" && r.IntN(2) == 0 {
		v.Version, v.Method, v.Target, v.Nameless = "3", "GET", "/x", false
	}
	return v
}

// explained is the status that the client gets; "nothing": none.
func (v *visit) explained(t *testing.T, admin *http.Client) string {
	t.Helper()
	header := http.Header{}
	if v.Nameless {
		header["Host"] = []string{""}
	}
	body, _ := json.Marshal(map[string]any{
		"method": v.Method, "url": v.Scheme + "://" + v.Host, "target": v.Target, "version": v.Version, "listener": v.Listener, "header": header,
	})
	resp, err := admin.Post("http://weir/explain", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	var e struct {
		Error  string
		Answer *struct{ Status int }
	}
	switch err := json.Unmarshal(text, &e); {
	case err != nil:
		t.Fatalf("%v in %s", err, text)
	case e.Error != "":
		return e.Error
	case e.Answer == nil:
		return "299"
	case e.Answer.Status == 0:
		return "nothing"
	}
	return fmt.Sprint(e.Answer.Status)
}

// made is the same of a client that does it.
func (v *visit) made(address string) string {
	if v.Version == "3" {
		return v.overQUIC(address)
	}
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	heard := &recorder{Conn: conn}
	var c net.Conn = heard
	if v.Scheme == "https" {
		offered := map[string]string{"1.0": "http/1.0", "1.1": "http/1.1", "2": "h2"}
		c = tls.Client(heard, &tls.Config{ServerName: v.Host, InsecureSkipVerify: true, NextProtos: []string{offered[v.Version]}})
	}
	status := 0
	if v.Version == "2" {
		status = v.overFrames(c)
	} else {
		status = v.overLines(c)
	}
	if begin := heard.first.String(); status == 0 && strings.HasPrefix(begin, "HTTP/1.1 ") {
		return begin[9:12] // said to who did not ask so
	}
	if status == 0 {
		return "nothing"
	}
	return fmt.Sprint(status)
}

// A recorder keeps the first of what comes.
type recorder struct {
	net.Conn
	first bytes.Buffer
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	if r.first.Len() < 64 {
		r.first.Write(p[:n])
	}
	return n, err
}

func (v *visit) overLines(c net.Conn) int {
	host := "Host: " + v.Host + "\r\n"
	if v.Nameless {
		host = ""
	}
	fmt.Fprintf(c, "%s %s HTTP/%s\r\n%s\r\n", v.Method, v.Target, v.Version, host)
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: v.Method})
	if err != nil {
		return 0
	}
	return resp.StatusCode
}

func (v *visit) overFrames(c net.Conn) (status int) {
	io.WriteString(c, http2.ClientPreface)
	f := http2.NewFramer(c, c)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.WriteSettings()
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: v.block(), EndStream: true, EndHeaders: true})
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return 0
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			fmt.Sscan(frame.PseudoValue("status"), &status)
			return status
		case *http2.RSTStreamFrame:
			return 0
		}
	}
}

func (v *visit) block() []byte {
	var b bytes.Buffer
	enc := hpack.NewEncoder(&b)
	write := func(name, value string) { enc.WriteField(hpack.HeaderField{Name: name, Value: value}) }
	write(":method", v.Method)
	if !v.Nameless {
		write(":authority", v.Host)
	}
	if v.Method != "CONNECT" {
		write(":scheme", v.Scheme)
		write(":path", v.Target)
	}
	return b.Bytes()
}

func (v *visit) overQUIC(address string) string {
	t := &http3.Transport{TLSClientConfig: &tls.Config{ServerName: v.Host, InsecureSkipVerify: true}}
	defer t.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, v.Method, "https://"+address+v.Target, nil)
	if err != nil {
		return err.Error()
	}
	req.Host = v.Host
	resp, err := t.RoundTrip(req)
	if err != nil {
		return "nothing"
	}
	resp.Body.Close()
	return fmt.Sprint(resp.StatusCode)
}
