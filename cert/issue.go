package cert

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

const (
	// issueTimeout bounds an order at one CA, the wait for DNS records included.
	issueTimeout = 15 * time.Minute

	// pollInterval is the time between two looks at an order where the CA does not say one.
	pollInterval = time.Second
)

// An attempt is one try to get a certificate for a name, at all CAs in turn.
type attempt struct {
	m      *Manager
	s      *settings
	name   string
	forced bool    // by a person
	failed int     // attempts before this one that failed
	old    *bundle // the one to be replaced, nil: none

	step step      // where it is just now; changed by its own goroutine alone
	kind Challenge // the last one that was tried
	hint string
}

func (a *attempt) at(s step) { a.step = s }

// validating is called before a CA looks at the name.
func (a *attempt) validating(kind Challenge) error {
	a.kind = kind
	a.at(stepPresent)
	if kind == DNS01 {
		a.at(stepRecord)
	}
	return a.m.ledger.validation(a.name)
}

// run returns a new certificate that is kept on disk already. The error is a *failure or a *deferral.
func (a *attempt) run(ctx context.Context) (*bundle, error) {
	kinds, err := a.s.challenges(a.name)
	if err != nil {
		return nil, a.fail(CA{}, stepChallenge, err)
	}
	if err := a.check(ctx); err != nil {
		return nil, err
	}
	a.at(stepLedger)
	if err := a.m.ledger.order(a.intent()); err != nil {
		return nil, err
	}
	return a.askAll(ctx, kinds)
}

func (a *attempt) intent() intent {
	i := intent{name: a.name, forced: a.forced}
	if a.old != nil {
		i.life = a.old.pair.Leaf.NotAfter.Sub(a.old.pair.Leaf.NotBefore)
	}
	for _, ca := range a.s.CAs {
		_, known := KnownCA(ca.Name)
		i.public = i.public || known
	}
	return i
}

// askAll asks one CA after the other. All that went wrong is in the error.
func (a *attempt) askAll(ctx context.Context, kinds []Challenge) (*bundle, error) {
	var problems []error
	for _, ca := range a.s.CAs {
		if err := a.allowed(ctx, ca); err != nil {
			problems = append(problems, err)
			continue
		}
		b, err := a.ask(ctx, ca, kinds)
		if err == nil {
			return b, nil
		}
		var wait *deferral
		if errors.As(err, &wait) {
			return nil, wait
		}
		problems = append(problems, a.fail(ca, a.step, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(problems...)
}

// ask orders a certificate from a CA. After failures its staging twin has to give one first, so that what is still
// wrong is found out where nobody counts.
func (a *attempt) ask(ctx context.Context, ca CA, kinds []Challenge) (*bundle, error) {
	ctx, cancel := context.WithTimeout(ctx, issueTimeout)
	defer cancel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if a.failed > 0 && ca.Staging != "" && !a.forced {
		twin := CA{Name: ca.Name + "-staging", Directory: ca.Staging, Roots: ca.Roots}
		if _, err := a.order(ctx, twin, kinds, key); err != nil {
			return nil, err
		}
	}
	got, err := a.order(ctx, ca, kinds, key)
	if a.m.dropAccount(a.s, ca, err) {
		a.old = nil
		got, err = a.order(ctx, ca, kinds, key)
	}
	if err != nil {
		return nil, err
	}
	return a.keep(ca, got, key)
}

// order has a CA sign a certificate for the key.
func (a *attempt) order(ctx context.Context, ca CA, kinds []Challenge, key *ecdsa.PrivateKey) (acme.Certificate, error) {
	a.at(stepAccount)
	client := a.client(ca, kinds)
	defer client.HTTPClient.CloseIdleConnections()
	account, err := a.m.account(ctx, a.s, ca, client.Client)
	if err != nil {
		return acme.Certificate{}, err
	}
	a.at(stepOrder)
	csr, err := acmez.NewCSR(key, []string{a.name})
	if err != nil {
		return acme.Certificate{}, err
	}
	params, err := acmez.OrderParametersFromCSR(account, csr)
	if err != nil {
		return acme.Certificate{}, err
	}
	params.Profile = ca.Profile
	if a.old != nil && a.old.note.CA == ca.String() && a.failed == 0 {
		params.Replaces = a.old.pair.Leaf // not twice: a CA that takes offence at it would never issue
	}
	chains, err := client.ObtainCertificate(ctx, params)
	if err != nil {
		return acme.Certificate{}, err
	}
	if len(chains) == 0 {
		return acme.Certificate{}, errors.New("the CA gave no certificate")
	}
	return chains[0], nil
}

func (a *attempt) client(ca CA, kinds []Challenge) *acmez.Client {
	return &acmez.Client{
		Client: &acme.Client{
			Directory:    ca.Directory,
			HTTPClient:   ca.httpClient(&net.Dialer{Resolver: a.s.resolver, Timeout: callTimeout}),
			UserAgent:    "weir",
			PollInterval: pollInterval,
			PollTimeout:  issueTimeout,
		},
		ChallengeSolvers: a.solvers(kinds),
	}
}

func (a *attempt) solvers(kinds []Challenge) map[string]acmez.Solver {
	all := map[string]acmez.Solver{}
	for _, k := range kinds {
		w := watchedSolver{kind: k, attempt: a}
		switch k {
		case HTTP01:
			w.Solver = httpSolver{a.m.answers}
		case TLSALPN:
			w.Solver = alpnSolver{a.m.answers}
		case DNS01:
			w.Solver = a.s.dns
		}
		all[k.String()] = w
	}
	return all
}

// keep writes the certificate down.
func (a *attempt) keep(ca CA, got acme.Certificate, key *ecdsa.PrivateKey) (*bundle, error) {
	a.at(stepKeep)
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	n := note{CA: ca.String(), URL: got.URL, Renewal: got.RenewalInfo, Got: a.m.now()}
	b, err := writeBundle(bundleFile(a.s.dir, a.name), got.ChainPEM, encodePEM("EC PRIVATE KEY", raw), n)
	if err != nil {
		return nil, err
	}
	if !covers(b.pair.Leaf, a.name) {
		return nil, fmt.Errorf("the CA gave a certificate for %q", b.pair.Leaf.DNSNames)
	}
	return b, a.m.ledger.issued(a.name)
}

// renewalInfo asks the CA of a certificate when it is best renewed (RFC 9773). It returns nil where the CA does not
// say.
func (s *settings) renewalInfo(ctx context.Context, b *bundle) (*acme.RenewalInfo, error) {
	for _, ca := range s.CAs {
		if ca.String() != b.note.CA {
			continue
		}
		client := &acme.Client{Directory: ca.Directory, UserAgent: "weir", HTTPClient: ca.httpClient(&net.Dialer{Resolver: s.resolver, Timeout: callTimeout})}
		defer client.HTTPClient.CloseIdleConnections()
		info, err := client.GetRenewalInfo(ctx, b.pair.Leaf)
		if errors.Is(err, acme.ErrUnsupported) {
			return nil, nil
		}
		return &info, err
	}
	return nil, nil
}
