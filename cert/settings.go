package cert

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
)

// Challenge is how a CA is shown that a name leads here.
type Challenge uint8

// The challenges of RFC 8555 and RFC 8737.
const (
	Auto    Challenge = iota // what the name and the configuration allow; another one where one fails
	HTTP01                   // an answer on port 80
	TLSALPN                  // a certificate on port 443
	DNS01                    // a TXT record; the only one for wildcards
)

var challengeNames = [...]string{"auto", "http-01", "tls-alpn-01", "dns-01"}

// String is the word of the configuration, such as "http-01".
func (c Challenge) String() string { return challengeNames[c] }

// ParseChallenge is the opposite of String; ok is false for other words.
func ParseChallenge(s string) (c Challenge, ok bool) {
	for i, n := range challengeNames {
		if n == s {
			return Challenge(i), true
		}
	}
	return Auto, false
}

// Provider sets and deletes records of a DNS zone, as the providers of libdns do.
type Provider = certmagic.DNSProvider

// Defaults of [Config].
const (
	DefaultRetry       = time.Minute
	maxRetry           = 6 * time.Hour
	DefaultPropagation = 5 * time.Minute
	defaultHTTPPort    = 80
)

// Config says how a [Manager] gets certificates.
type Config struct {
	Email     string // of the accounts at CAs, "": none
	CAs       []CA   // asked in this order until one gives a certificate; none: letsencrypt, zerossl if there is an e-mail address
	Challenge Challenge

	// DNS sets the records for DNS-01; nil: there is none, and no wildcard either.
	DNS Provider

	// DNSName is the name whose TXT record is set instead of _acme-challenge of the name, for those who
	// delegate it with a CNAME record that weir cannot follow; "": none.
	DNSName string

	// Resolvers are the DNS servers, "host:port", by which names are checked and records waited for; none: the
	// system's, and for records the zone's own.
	Resolvers []string

	// Propagation bounds the wait for a record to appear, 0: [DefaultPropagation]. Negative: no wait.
	Propagation time.Duration

	// NoHTTP and NoTLS say that no listener of weir answers on ports 80 and 443 of its names, so that
	// these challenges are not tried.
	NoHTTP, NoTLS bool

	// HTTPPort is where the CA looks for answers by HTTP-01, 0: 80, as all public ones do.
	HTTPPort int

	// Retry is the first wait after a failure, 0: [DefaultRetry]. It doubles up to six hours.
	Retry time.Duration
}

// settings are a checked Config with its defaults, immutable.
type settings struct {
	Config
	dir      string
	log      *slog.Logger
	resolver *net.Resolver
	dns      acmez.Solver // nil: none
}

// Check says what makes the configuration impossible.
func (c Config) Check() error {
	for _, ca := range c.CAs {
		if err := ca.Check(); err != nil {
			return err
		}
	}
	if c.Challenge == DNS01 && c.DNS == nil {
		return errors.New("challenge dns-01 needs a dns block that says how records are set")
	}
	if c.Email != "" && !strings.Contains(c.Email, "@") {
		return fmt.Errorf("%q is no e-mail address", c.Email)
	}
	for _, r := range c.Resolvers {
		if _, _, err := net.SplitHostPort(r); err != nil {
			return fmt.Errorf("resolver %q: want host:port", r)
		}
	}
	return nil
}

func newSettings(dir string, c Config, log *slog.Logger) (*settings, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if c.CAs = slices.Clone(c.CAs); len(c.CAs) == 0 {
		c.CAs = defaultCAs(c.Email)
	}
	if c.Propagation == 0 {
		c.Propagation = DefaultPropagation
	}
	if c.HTTPPort == 0 {
		c.HTTPPort = defaultHTTPPort
	}
	if c.Retry <= 0 {
		c.Retry = DefaultRetry
	}
	s := &settings{Config: c, dir: dir, log: log, resolver: resolver(c.Resolvers)}
	s.dns = s.dnsSolver()
	return s, nil
}

// fingerprint tells configurations apart. It has secrets and is not to be shown.
func (s *settings) fingerprint() string {
	c := s.Config
	dns := fmt.Sprintf("%T%+v", c.DNS, c.DNS)
	if p, ok := c.DNS.(*CloudDNS); ok {
		dns = p.fingerprint()
	}
	out := fmt.Sprintf("%q %v %q %q %q %v %v %v %d", c.Email, c.Challenge, dns, c.DNSName, c.Resolvers, c.Propagation, c.NoHTTP, c.NoTLS, c.HTTPPort)
	for _, ca := range c.CAs {
		out += fmt.Sprintf(" %q %q %q", ca.Directory, ca.Staging, ca.Profile)
		if ca.EAB != nil {
			out += fmt.Sprintf(" %q", *ca.EAB)
		}
	}
	return out
}

func defaultCAs(email string) []CA {
	first, _ := KnownCA("letsencrypt")
	second, _ := KnownCA("zerossl")
	if email == "" {
		return []CA{first}
	}
	return []CA{first, second}
}

// challenges are the ways in which a name may be validated.
func (s *settings) challenges(name string) ([]Challenge, error) {
	var list []Challenge
	for _, c := range []Challenge{HTTP01, TLSALPN, DNS01} {
		if s.suits(c, name) {
			list = append(list, c)
		}
	}
	switch {
	case len(list) > 0:
		return list, nil
	case strings.HasPrefix(name, "*."):
		return nil, errors.New("a wildcard needs dns-01, and there is no acme.dns block that says how records are set")
	case isAddress(name):
		return nil, errors.New("an address can be validated by http-01 alone, and there is no listener for it")
	}
	return nil, fmt.Errorf("challenge %s is not possible: there is no listener that a CA could ask on", s.Challenge)
}

func (s *settings) suits(c Challenge, name string) bool {
	wild := strings.HasPrefix(name, "*.")
	switch {
	case c == DNS01:
		return s.dns != nil && !isAddress(name) && (wild || s.Challenge == Auto || s.Challenge == DNS01)
	case wild || s.Challenge != Auto && s.Challenge != c:
		return false
	case c == HTTP01:
		return !s.NoHTTP
	}
	return !s.NoTLS && !isAddress(name)
}

func isAddress(name string) bool { return net.ParseIP(name) != nil }
