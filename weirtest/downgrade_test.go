package weirtest

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/weirtest/dialect"
)

// A request of HTTP/2 or HTTP/3 becomes one of HTTP/1.1, or none: whatever stands in it, the origin sees no second one, and
// the next request on the connection that it came by is answered as itself.
func TestDowngrade(t *testing.T) {
	list := attacks()
	for _, mode := range []Mode{H2, H3} {
		t.Run(string(mode), func(t *testing.T) {
			t.Run("witness", func(t *testing.T) { t.Parallel(); downgradeToWitness(t, mode, list) })
			t.Run("nginx", func(t *testing.T) { t.Parallel(); downgradeToNginx(t, mode, list) })
		})
	}
}

func downgradeToWitness(t *testing.T, mode Mode, list []attack) {
	o := newWitness(t)
	d := newDowngrade(t, mode, o.address())
	got := d.mountAll(list)
	if err := d.weir.Stop(); err != nil {
		t.Error(err)
	}
	o.close() // now it has seen all that there is to see
	for _, dirt := range o.dirt {
		t.Errorf("the origin saw %s", dirt)
	}
	for i := range list {
		by := strconv.Itoa(i)
		judgeSeen(t, &list[i], got[i], o.seen[by], o.cut[by])
	}
	if n := len(o.seen["probe"]); n != len(list) {
		t.Errorf("the origin saw %d probes of %d", n, len(list))
	}
	if strange := o.seen[""]; len(strange) > 0 {
		t.Errorf("the origin saw requests of nobody: %q", strange)
	}
}

// judgeSeen holds what the client got and the origin saw of an attack against what they should have.
func judgeSeen(t *testing.T, a *attack, got string, seen []string, cut int) {
	t.Helper()
	well := false
	switch a.want {
	case refused:
		well = len(seen) == 0 && cut == 0 && !strings.HasPrefix(got, "200")
	case broken:
		well = len(seen) == 0 && cut <= 1 && !strings.HasPrefix(got, "200")
	case atMost:
		well = len(seen)+cut <= 1 && (len(seen) == 1 || !strings.HasPrefix(got, "200"))
	case once:
		well = (len(seen) == 1 && cut == 0 || len(seen)+cut == 1 && strings.Contains(a.name, "at once")) && got != ""
	}
	if !well {
		t.Errorf("%s: the client got %q; the origin saw %q, and %d cut", a.name, got, seen, cut)
	}
	for _, request := range seen {
		for _, want := range a.sees {
			if !strings.Contains(request, want) {
				t.Errorf("%s: no %q in %q", a.name, want, request)
			}
		}
		for _, not := range a.unseen {
			if strings.Contains(strings.ToLower(request), not) {
				t.Errorf("%s: %q in %q", a.name, not, request)
			}
		}
	}
}

const downgradeNginx = `
    access_log %s/seen.log combined;
    large_client_header_buffers 8 64k;
    keepalive_timeout 1h;
    location / { return 200 $request_uri; }
    location = /426 { return 426; }
`

func downgradeToNginx(t *testing.T, mode Mode, list []attack) {
	dir := t.TempDir()
	n, err := NewNginx(dir, fmt.Sprintf(downgradeNginx, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	if err := await("tcp", n.Address()); err != nil {
		t.Fatal(err)
	}
	d := newDowngrade(t, mode, n.Address())
	got := d.mountAll(list)
	least, most := len(list), len(list)
	for i, a := range list {
		switch {
		case a.want == once:
			least++
			most++
		case a.want == broken || a.want == atMost:
			most++ // nginx answers, and notes, what it need not read to the end
		case strings.HasPrefix(got[i], "200"):
			t.Errorf("%s: the client got %q", a.name, got[i])
		}
	}
	lines := readSoon(t, filepath.Join(dir, "seen.log"), least)
	for _, line := range lines {
		if strings.Contains(line, `" 400 `) && !strings.Contains(line, `"purge `) || // it knows no method in lower case
			strings.Contains(line, "smuggled") {
			t.Errorf("nginx saw %q", line)
		}
	}
	if len(lines) > most {
		t.Errorf("nginx saw %d requests, want %d to %d", len(lines), least, most)
	}
}

// readSoon reads a log that has to have so many lines soon.
func readSoon(t *testing.T, name string, least int) []string {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(data)), "\n")
		if len(lines) >= least {
			return lines
		}
		if time.Now().After(end) {
			t.Fatalf("%d lines, want %d", len(lines), least)
		}
	}
}

// A downgrade is weir before an origin of HTTP/1.1, and a client that makes up what it sends.
type downgrade struct {
	t    *testing.T
	mode Mode
	addr string
	weir *Process
	raw  *dialect.Raw
}

func newDowngrade(t *testing.T, mode Mode, origin string) *downgrade {
	t.Helper()
	w := startHoused(t, fmt.Sprintf(`
listener "http" {
  address   = "127.0.0.1:0"
  protocols = [%q]
  tls {
    certificate = "weir.pem"
    key         = "weir.key"
  }
}
admin {
  listen = "127.0.0.1:0"
  socket = %q
}
state_dir = "state"
upstream "origin" {
  server %q {}
}
site "*" {
  route "/*" { proxy = upstream.origin }
}
`, mode.offered(), AdminSocket, origin))
	d := &downgrade{t: t, mode: mode, addr: w.Listeners["http"], weir: w}
	t.Cleanup(func() {
		if d.raw != nil {
			d.raw.Close()
		}
	})
	return d
}

// stream opens a stream, on a new connection where the old one is gone.
func (d *downgrade) stream() *dialect.Stream {
	d.t.Helper()
	if d.raw != nil {
		if s, err := d.raw.Open(); err == nil {
			return s
		}
		d.raw.Close()
	}
	var err error
	if d.raw, err = dialRaw(d.mode, d.addr); err != nil {
		d.t.Fatal(err)
	}
	s, err := d.raw.Open()
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// dialRaw connects to weir at address.
func dialRaw(mode Mode, address string) (*dialect.Raw, error) {
	if mode == H2 {
		c, err := sealH2(&net.Dialer{Timeout: patience}, address)
		if err != nil {
			return nil, err
		}
		return dialect.RawH2(c)
	}
	config, err := trusting("h3")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return dialect.RawH3(ctx, address, config)
}

// mountAll mounts one attack after the other, with an honest request behind each, and returns what was answered.
func (d *downgrade) mountAll(list []attack) (got []string) {
	d.t.Helper()
	for i := range list {
		got = append(got, d.mount(&list[i], strconv.Itoa(i)))
		d.probe(fmt.Sprintf("/probe/%d", i))
	}
	return got
}

// mount sends an attack and returns the answer: its status and content, or "" if there was none.
func (d *downgrade) mount(a *attack, by string) string {
	d.t.Helper()
	s := d.stream()
	alone := a.body == nil && a.trailer == nil || a.whole
	s.Head(append(a.head(d.addr, "/attack/"+by), dialect.Field{Name: "x-attack", Value: by}), alone)
	if !alone {
		for _, p := range a.body {
			s.Write([]byte(p))
		}
		if a.trailer != nil {
			s.Trailer(a.trailerFields())
		} else {
			s.CloseWrite()
		}
	}
	return d.answer(s, a.name)
}

func (a *attack) trailerFields() (out []dialect.Field) {
	for i := 0; i < len(a.trailer); i += 2 {
		out = append(out, dialect.Field{Name: a.trailer[i], Value: a.trailer[i+1]})
	}
	return out
}

// answer reads one, and gives up on a stream that stays silent.
func (d *downgrade) answer(s *dialect.Stream, name string) string {
	d.t.Helper()
	silent := time.AfterFunc(patience, func() {
		d.t.Errorf("%s: neither answer nor end", name)
		d.raw.Close()
	})
	defer silent.Stop()
	defer s.Cancel()
	status, _, err := s.Answer()
	if err != nil {
		return ""
	}
	body, _ := io.ReadAll(s)
	return fmt.Sprintf("%d %s", status, body)
}

// probe makes sure that an honest request, on the same connection if there still is one, has its own answer.
func (d *downgrade) probe(path string) {
	d.t.Helper()
	s := d.stream()
	s.Head(append((&attack{}).head(d.addr, path), dialect.Field{Name: "x-attack", Value: "probe"}), true)
	if got := d.answer(s, path); got != "200 "+path {
		d.t.Errorf("%s is answered by %q", path, got)
	}
}

// A witness that finds nothing would have the rest pass.
func TestWitness(t *testing.T) {
	for head, clean := range map[string]bool{
		"GET / HTTP/1.1\r\nHost: a\r\n":                                                        true,
		"POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nx: a:b\r\n":                     true,
		"GET /smuggled HTTP/1.1\r\nHost: a\r\n":                                                false,
		"GET /a b HTTP/1.1\r\nHost: a\r\n":                                                     false,
		"GET / HTTP/1.1\r\n":                                                                   false,
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n":                                             false,
		"GET / HTTP/1.1\r\nHost: a\r\nEvil: 1\r\n":                                             false,
		"GET / HTTP/1.1\r\nHost: a\r\nx: b\rEvil: 1\r\n":                                       false,
		"GET / HTTP/1.1\r\nHost: a\r\nx: b\nEvil: 1\r\n":                                       false,
		"GET / HTTP/1.1\r\nHost: a\r\nx : b\r\n":                                               false,
		"GET / HTTP/1.1\r\nHost: a\r\n x: b\r\n":                                               false,
		"GET / HTTP/1.1\r\nHost: a\r\nx: b\x00\r\n":                                            false,
		"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n":                         false,
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n":     false,
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent_Length: 1\r\n":              false,
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n": false,
		"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n":                                        false,
	} {
		if err := judgeHead(head); (err == nil) != clean {
			t.Errorf("%q: %v", head, err)
		}
	}
}
