package cert

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// A responder answers for the certificates of a CA.
type responder struct {
	*httptest.Server
	asked  atomic.Int64
	status atomic.Int64 // ocsp.Good, ...; -1: status 500
}

func newResponder(t *testing.T, authority *ca) *responder {
	t.Helper()
	r := &responder{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		defer r.asked.Add(1)
		raw, _ := io.ReadAll(req.Body)
		q, err := ocsp.ParseRequest(raw)
		if err != nil || r.status.Load() < 0 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		now := time.Now().Truncate(time.Second)
		answer, err := ocsp.CreateResponse(authority.certificate, authority.certificate, ocsp.Response{
			Status: int(r.status.Load()), SerialNumber: q.SerialNumber, ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Hour),
		}, authority.key)
		if err != nil {
			t.Error(err)
		}
		w.Write(answer)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *responder) leaf(t *testing.T, authority *ca) *tls.Certificate {
	t.Helper()
	c := authority.leaf(t, func(c *x509.Certificate) { c.OCSPServer = []string{r.URL} }, "a.example")
	c.Certificate = append(c.Certificate, authority.certificate.Raw)
	return c
}

func TestStaples(t *testing.T) {
	authority := newCA(t)
	r := newResponder(t, authority)
	var log journal
	s := NewStapler(log.logger())
	defer s.Close()
	var ahead atomic.Int64
	s.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	table := newTable(t, Entry{Source: fixed{r.leaf(t, authority)}, Default: true})
	table.Staple(s)
	server := Policy{}.ServerConfig(table, nil)
	shake := func() []byte {
		t.Helper()
		m := meet(t, server, &tls.Config{ServerName: "a.example", RootCAs: authority.pool()})
		if m.clientErr != nil {
			t.Fatal(m.clientErr)
		}
		return m.client.OCSPResponse
	}
	if shake() != nil {
		t.Error("a handshake waited for a responder")
	}
	eventually(t, "a staple", func() bool { return shake() != nil })
	if answer, err := ocsp.ParseResponse(shake(), authority.certificate); err != nil || answer.Status != ocsp.Good {
		t.Errorf("%v, %v", answer, err)
	}
	if n := r.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	r.status.Store(-1)
	ahead.Store(int64(35 * time.Minute))
	if shake() == nil {
		t.Error("the old answer is still good")
	}
	eventually(t, "another question", func() bool { return r.asked.Load() == 2 })
	eventually(t, "the failure to be told", func() bool { return strings.Contains(log.String(), "status 500") })
	ahead.Store(int64(2 * time.Hour))
	if shake() != nil {
		t.Error("an answer that is too old")
	}
}

func TestRevokedIsNotStapled(t *testing.T) {
	authority := newCA(t)
	r := newResponder(t, authority)
	r.status.Store(ocsp.Revoked)
	var log journal
	s := NewStapler(log.logger())
	defer s.Close()
	source := newTable(t, Entry{Source: fixed{r.leaf(t, authority)}, Default: true})
	source.Staple(s)
	eventually(t, "the revocation to be told", func() bool {
		c, err := source.Certificate(helloFor("a.example"))
		if err != nil || c.OCSPStaple != nil {
			t.Fatalf("%v, or a staple", err)
		}
		return strings.Contains(log.String(), "revoked")
	})
	if n := r.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestStaplesAreForgotten(t *testing.T) {
	authority := newCA(t)
	r := newResponder(t, authority)
	var log journal
	s := NewStapler(log.logger())
	defer s.Close()
	now := time.Now()
	s.now = func() time.Time { return now }
	s.with(r.leaf(t, authority))
	eventually(t, "the answer", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.slots) == 0 })
	now = now.Add(stapleIdle + time.Minute)
	s.with(r.leaf(t, authority))
	if n := len(s.staples); n != 1 {
		t.Errorf("%d certificates", n)
	}
	// One without a responder, and one without a chain, are nobody's business.
	for _, c := range []*tls.Certificate{authority.leaf(t, nil, "a.example"), {}} {
		if got := s.staple(c); got != c {
			t.Errorf("%v", got)
		}
	}
}
