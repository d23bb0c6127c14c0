package cert

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"sync"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// challengePath is where a CA looks for an answer, RFC 8555 8.3.
const challengePath = "/.well-known/acme-challenge/"

// answers are what weir has to say to the CAs that are looking at its names just now.
type answers struct {
	mu    sync.RWMutex                // protects the rest
	paths map[answerKey]string        // HTTP-01: key authorizations
	certs map[string]*tls.Certificate // TLS-ALPN-01, by name
}

type answerKey struct{ host, token string }

func newAnswers() *answers {
	return &answers{paths: map[answerKey]string{}, certs: map[string]*tls.Certificate{}}
}

// http is the answer to a request, if there is one.
func (a *answers) http(host, path string) (string, bool) {
	token, ok := strings.CutPrefix(path, challengePath)
	if !ok {
		return "", false
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(lower(strings.Trim(host, "[]")), ".")
	a.mu.RLock()
	defer a.mu.RUnlock()
	body, ok := a.paths[answerKey{host, token}]
	return body, ok
}

func (a *answers) setHTTP(host, token, body string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.paths[answerKey{lower(host), token}] = body
}

func (a *answers) clearHTTP(host, token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.paths, answerKey{lower(host), token})
}

func (a *answers) tls(name string) *tls.Certificate {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.certs[lower(name)]
}

func (a *answers) setTLS(name string, c *tls.Certificate) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c == nil {
		delete(a.certs, lower(name))
		return
	}
	a.certs[lower(name)] = c
}

// httpSolver answers by HTTP-01.
type httpSolver struct{ answers *answers }

func (s httpSolver) Present(_ context.Context, c acme.Challenge) error {
	s.answers.setHTTP(c.Identifier.Value, c.Token, c.KeyAuthorization)
	return nil
}

func (s httpSolver) CleanUp(_ context.Context, c acme.Challenge) error {
	s.answers.clearHTTP(c.Identifier.Value, c.Token)
	return nil
}

// alpnSolver answers by TLS-ALPN-01.
type alpnSolver struct{ answers *answers }

func (s alpnSolver) Present(_ context.Context, c acme.Challenge) error {
	certificate, err := acmez.TLSALPN01ChallengeCert(c)
	if err != nil {
		return err
	}
	s.answers.setTLS(c.Identifier.Value, certificate)
	return nil
}

func (s alpnSolver) CleanUp(_ context.Context, c acme.Challenge) error {
	s.answers.setTLS(c.Identifier.Value, nil)
	return nil
}

// A watchedSolver notes in the ledger and in the attempt what another solver is about to do.
type watchedSolver struct {
	acmez.Solver
	kind    Challenge
	attempt *attempt
}

func (s watchedSolver) Present(ctx context.Context, c acme.Challenge) error {
	if err := s.attempt.validating(s.kind); err != nil {
		return err
	}
	if err := s.Solver.Present(ctx, c); err != nil {
		return err
	}
	if s.kind != DNS01 {
		s.attempt.at(stepValidate)
	}
	return nil
}

func (s watchedSolver) Wait(ctx context.Context, c acme.Challenge) error {
	w, ok := s.Solver.(acmez.Waiter)
	if !ok {
		return nil
	}
	if err := w.Wait(ctx, c); err != nil {
		return err
	}
	s.attempt.at(stepValidate)
	return nil
}

// CleanUp goes on where the attempt was broken off: what was put into the DNS has to go again.
func (s watchedSolver) CleanUp(ctx context.Context, c acme.Challenge) error {
	return s.Solver.CleanUp(context.WithoutCancel(ctx), c)
}
