package cert

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/crypto/ocsp"
)

const (
	stapleTimeout = 10 * time.Second // for one question to a responder
	stapleRetry   = 10 * time.Minute // after a failure
	stapleIdle    = 24 * time.Hour   // unused for that long, a certificate is forgotten
	maxStapling   = 4                // questions at once
	maxStaple     = 64 << 10         // bytes of an answer
)

// Stapler adds to certificates what their issuers' responders say of them (OCSP stapling, RFC 6066 8), so that
// clients need not ask. Certificates that name no responder, as most do not any more, cost nothing. Answers are got
// in the background when a certificate is first used and again at half of their time; a handshake never waits for one.
// One stapler serves all tables, see [Table.Staple], and may be used concurrently.
type Stapler struct {
	log    *slog.Logger
	now    func() time.Time
	client *http.Client
	ctx    context.Context
	cancel context.CancelFunc
	slots  chan struct{}
	ended  sync.WaitGroup

	mu      sync.Mutex // protects the rest
	staples map[*tls.Certificate]*staple
}

// A staple is what is known of one certificate.
type staple struct {
	with  *tls.Certificate // with the answer; nil: none
	until time.Time        // the answer is good until then
	next  time.Time        // when to ask again
	used  time.Time
	busy  bool
}

// NewStapler makes a stapler; it is ended by Close.
func NewStapler(log *slog.Logger) *Stapler {
	s := &Stapler{
		log: log, now: time.Now, client: &http.Client{Timeout: stapleTimeout}, slots: make(chan struct{}, maxStapling),
		staples: map[*tls.Certificate]*staple{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Close ends the stapler and waits for its questions.
func (s *Stapler) Close() {
	s.cancel()
	s.ended.Wait()
	s.client.CloseIdleConnections()
}

// staple returns c with its staple where there is a good one.
func (s *Stapler) staple(c *tls.Certificate) *tls.Certificate {
	if c == nil || c.Leaf == nil || len(c.Leaf.OCSPServer) == 0 || len(c.Certificate) < 2 {
		return c
	}
	return s.with(c)
}

// with is staple for a certificate that names a responder.
func (s *Stapler) with(c *tls.Certificate) *tls.Certificate {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.staples[c]
	if st == nil {
		s.forgetIdle(now)
		st = &staple{}
		s.staples[c] = st
	}
	st.used = now
	if !st.busy && !now.Before(st.next) {
		s.begin(c, st)
	}
	if st.with == nil || !now.Before(st.until) {
		return c
	}
	return st.with
}

// forgetIdle drops certificates that nobody uses any more. mu is held.
func (s *Stapler) forgetIdle(now time.Time) {
	for c, st := range s.staples {
		if now.Sub(st.used) > stapleIdle && !st.busy {
			delete(s.staples, c)
		}
	}
}

// begin asks in the background, unless too many questions are under way: then the next handshake tries again. mu is
// held.
func (s *Stapler) begin(c *tls.Certificate, st *staple) {
	select {
	case s.slots <- struct{}{}:
	default:
		return
	}
	if s.ctx.Err() != nil {
		<-s.slots
		return
	}
	st.busy = true
	s.ended.Go(func() {
		defer func() { <-s.slots }()
		raw, answer, err := s.ask(c)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.settle(c, st, raw, answer, err)
	})
}

// settle notes the end of a question. mu is held.
func (s *Stapler) settle(c *tls.Certificate, st *staple, raw []byte, answer *ocsp.Response, err error) {
	st.busy = false
	if err != nil {
		st.next = s.now().Add(stapleRetry)
		s.log.Warn("no OCSP staple", "certificate", c.Leaf.Subject.CommonName, "names", c.Leaf.DNSNames, "error", err)
		return
	}
	with := *c
	with.OCSPStaple = raw
	st.with, st.until = &with, answer.NextUpdate
	st.next = answer.ThisUpdate.Add(answer.NextUpdate.Sub(answer.ThisUpdate) / 2)
	if soonest := s.now().Add(stapleRetry); st.next.Before(soonest) {
		st.next = soonest
	}
}

var errRevoked = errors.New("the certificate is revoked: get a new one")

// ask asks the first responder that the certificate names.
func (s *Stapler) ask(c *tls.Certificate) ([]byte, *ocsp.Response, error) {
	issuer, err := x509.ParseCertificate(c.Certificate[1])
	if err != nil {
		return nil, nil, err
	}
	question, err := ocsp.CreateRequest(c.Leaf, issuer, nil)
	if err != nil {
		return nil, nil, err
	}
	raw, err := s.post(c.Leaf.OCSPServer[0], question)
	if err != nil {
		return nil, nil, err
	}
	answer, err := ocsp.ParseResponseForCert(raw, c.Leaf, issuer)
	if err != nil {
		return nil, nil, err
	}
	now := s.now()
	switch {
	case answer.Status == ocsp.Revoked:
		return nil, nil, errRevoked
	case answer.Status != ocsp.Good:
		return nil, nil, errors.New("the responder does not know the certificate")
	case now.Before(answer.ThisUpdate.Add(-clockSkew)) || !now.Before(answer.NextUpdate):
		return nil, nil, fmt.Errorf("the responder's answer is for %v to %v", answer.ThisUpdate, answer.NextUpdate)
	}
	return raw, answer, nil
}

func (s *Stapler) post(url string, question []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, url, bytes.NewReader(question))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/ocsp-request")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers with status %d", url, resp.StatusCode)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxStaple))
}
