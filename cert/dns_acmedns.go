package cert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/libdns/libdns"
)

// ACMEDNS is a [Provider] that has an acme-dns server answer for a name: _acme-challenge of the name is, once and by
// hand, made a CNAME record of that server's subdomain.
type ACMEDNS struct {
	Server    string // "https://auth.example.org"
	Username  string
	Password  string
	Subdomain string
}

// Check says what makes it impossible.
func (p ACMEDNS) Check() error {
	if u, err := url.Parse(p.Server); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("%q is no address of an acme-dns server: want an URL", p.Server)
	}
	if p.Username == "" || p.Password == "" || p.Subdomain == "" {
		return errors.New("acme-dns wants the username, password and subdomain that its server gave out")
	}
	return nil
}

// AppendRecords sets records. The server keeps the last two values.
func (p ACMEDNS) AppendRecords(ctx context.Context, _ string, records []libdns.Record) ([]libdns.Record, error) {
	for _, r := range records {
		if err := p.set(ctx, r.RR().Data); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// DeleteRecords does nothing: such a server forgets by itself.
func (p ACMEDNS) DeleteRecords(_ context.Context, _ string, records []libdns.Record) ([]libdns.Record, error) {
	return records, nil
}

// change implements direct.
func (p ACMEDNS) change(ctx context.Context, set bool, _, value string) error {
	if !set {
		return nil
	}
	return p.set(ctx, value)
}

func (p ACMEDNS) set(ctx context.Context, value string) error {
	body, err := json.Marshal(map[string]string{"subdomain": p.Subdomain, "txt": value})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(p.Server, "/")+"/update", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-Api-User", p.Username)
	req.Header.Set("X-Api-Key", p.Password)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("acme-dns: %w", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("acme-dns: %s refused the record with status %d", p.Server, resp.StatusCode)
	}
	return nil
}
