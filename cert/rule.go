package cert

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	askTimeout = 2 * time.Second // for an answer of who is asked
	maxAsking  = 16              // questions at once, for each rule
)

// A Rule says for which names certificates are got on demand. Its methods may be called concurrently.
type Rule struct {
	allow  []string
	ask    *url.URL // nil: nobody is asked
	client *http.Client
	asking chan struct{}
}

// NewRule makes a rule. allow are host names, of which "*.example.com" stands for all below example.com; ask is a URL that
// is asked with ?domain=NAME, where status 200 means yes. One of them may be empty; where both are there, both have to agree.
func NewRule(allow []string, ask string) (*Rule, error) {
	r := &Rule{asking: make(chan struct{}, maxAsking)}
	for _, a := range allow {
		name, err := normalName(a)
		if err != nil {
			return nil, err
		}
		r.allow = append(r.allow, name)
	}
	if len(allow) == 0 && ask == "" {
		return nil, errors.New("a rule that says nothing allows any name")
	}
	if ask == "" {
		return r, nil
	}
	var err error
	if r.ask, err = url.Parse(ask); err != nil || r.ask.Host == "" {
		return nil, fmt.Errorf("%q is no URL to ask", ask)
	}
	r.client = &http.Client{
		Timeout:       askTimeout,
		Transport:     &http.Transport{MaxIdleConns: maxAsking, MaxIdleConnsPerHost: maxAsking, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: askTimeout},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return r, nil
}

// Allow is what [OnDemand] asks. name is in lower case, without a final dot.
func (r *Rule) Allow(ctx context.Context, name string) error {
	if len(r.allow) > 0 && !r.listed(name) {
		return errors.New("no name of the list fits")
	}
	if r.ask == nil {
		return nil
	}
	select {
	case r.asking <- struct{}{}:
		defer func() { <-r.asking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return r.question(ctx, name)
}

// Excludes reports whether the list alone, without anybody being asked, has no room for a host.
func (r *Rule) Excludes(host string) bool {
	name, err := normalName(host)
	return err != nil || len(r.allow) > 0 && !r.listed(name)
}

func (r *Rule) listed(name string) bool {
	for _, a := range r.allow {
		if a == name || strings.HasPrefix(a, "*.") && strings.HasSuffix(name, a[1:]) && len(name) > len(a)-1 {
			return true
		}
	}
	return false
}

func (r *Rule) question(ctx context.Context, name string) error {
	u := *r.ask
	q := u.Query()
	q.Set("domain", name)
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "weir")
	resp, err := r.client.Do(req)
	if err != nil {
		return fmt.Errorf("%s %w: %w", r.ask.Host, ErrNotAsked, rootOf(err))
	}
	resp.Body.Close()
	switch {
	case resp.StatusCode >= http.StatusInternalServerError: // who is asked fails, or what stands before it
		return fmt.Errorf("%s %w: it answers with status %d", r.ask.Host, ErrNotAsked, resp.StatusCode)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s answers with status %d", r.ask.Host, resp.StatusCode)
	}
	return nil
}

// Close closes connections that are kept.
func (r *Rule) Close() {
	if r.client != nil {
		r.client.CloseIdleConnections()
	}
}
