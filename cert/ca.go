package cert

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mholt/acmez/v3/acme"
)

// callTimeout bounds one request to a CA.
const callTimeout = 30 * time.Second

// A CA is a certificate authority that speaks ACME (RFC 8555).
type CA struct {
	Name      string // for people: "letsencrypt"
	Directory string // the URL of its directory, https

	// Staging is the directory of a twin whose certificates nobody trusts and that nobody counts: after a
	// failure an order is tried there first. "": none.
	Staging string

	Roots   *x509.CertPool // for Directory itself; nil: the system's
	Profile string         // of the certificates, "": the CA's default

	// EAB is the account at the CA that an ACME account is bound to (external account binding); nil: none.
	EAB *EAB

	// register returns an EAB for who has none, by e-mail address.
	register func(ctx context.Context, client *http.Client, email string) (*EAB, error)
}

// EAB is what a CA gives out for external account binding.
type EAB struct {
	ID  string
	Key string // base64url
}

// KnownCA returns a CA by its name: "letsencrypt", "letsencrypt-staging", "zerossl" or "google".
func KnownCA(name string) (CA, bool) {
	for _, c := range knownCAs {
		if c.Name == name {
			return c, true
		}
	}
	return CA{}, false
}

// KnownCAs are the names that [KnownCA] knows.
func KnownCAs() []string {
	var names []string
	for _, c := range knownCAs {
		names = append(names, c.Name)
	}
	return names
}

const letsencryptStaging = "https://acme-staging-v02.api.letsencrypt.org/directory"

var knownCAs = []CA{
	{Name: "letsencrypt", Directory: "https://acme-v02.api.letsencrypt.org/directory", Staging: letsencryptStaging},
	{Name: "letsencrypt-staging", Directory: letsencryptStaging},
	{Name: "zerossl", Directory: "https://acme.zerossl.com/v2/DV90", register: registerZeroSSL},
	{Name: "google", Directory: "https://dv.acme-v02.api.pki.goog/directory"},
}

// Check says what makes the CA impossible.
func (c CA) Check() error {
	u, err := url.Parse(c.Directory)
	if err != nil || u.Host == "" || u.Scheme != "https" {
		return fmt.Errorf("%q is no directory of an ACME CA: want an https URL or one of %s", c.Directory, strings.Join(KnownCAs(), ", "))
	}
	return nil
}

// String is the CA's name, or the host of its directory.
func (c CA) String() string {
	if c.Name != "" && !strings.Contains(c.Name, "://") {
		return c.Name
	}
	if u, err := url.Parse(c.Directory); err == nil && u.Host != "" {
		return u.Host
	}
	return c.Directory
}

// key names the CA in file names.
func (c CA) key() string {
	u, err := url.Parse(c.Directory)
	if err != nil {
		return "unknown"
	}
	return fileName(u.Host + u.Path)
}

// fileName keeps what is harmless in a file name.
func fileName(s string) string {
	keep := func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '.', r == '-', r == '_', r == '@':
			return r
		case r == '*':
			return '+'
		}
		return '-'
	}
	return strings.Trim(strings.Map(keep, lower(s)), "-.")
}

// httpClient is what the CA is asked with.
func (c CA) httpClient(dialer *net.Dialer) *http.Client {
	return &http.Client{
		Timeout: callTimeout,
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           dialer.DialContext,
			TLSClientConfig:       &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:   callTimeout,
			ResponseHeaderTimeout: callTimeout,
			ForceAttemptHTTP2:     true,
			DisableKeepAlives:     false,
			IdleConnTimeout:       callTimeout,
			MaxIdleConnsPerHost:   2,
		},
	}
}

// zeroSSLAccounts gives out EABs for an e-mail address.
const zeroSSLAccounts = "https://api.zerossl.com/acme/eab-credentials-email"

func registerZeroSSL(ctx context.Context, client *http.Client, email string) (*EAB, error) {
	return registerByEmail(ctx, client, zeroSSLAccounts, email)
}

func registerByEmail(ctx context.Context, client *http.Client, endpoint, email string) (*EAB, error) {
	if email == "" {
		return nil, errors.New("this CA wants an e-mail address: set acme.email")
	}
	form := url.Values{"email": {email}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewBufferString(form))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		ID  string `json:"eab_kid"`
		Key string `json:"eab_hmac_key"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxFile)).Decode(&answer); err != nil || answer.ID == "" || answer.Key == "" {
		return nil, fmt.Errorf("%s gave no account for external binding (status %d)", endpoint, resp.StatusCode)
	}
	return &EAB{answer.ID, answer.Key}, nil
}

func (e EAB) acme() acme.EAB { return acme.EAB{KeyID: e.ID, MACKey: e.Key} }
