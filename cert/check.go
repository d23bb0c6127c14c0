package cert

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	lookTimeout  = 10 * time.Second // for one look at the DNS
	probeTimeout = 3 * time.Second  // for weir to reach itself
	maxCAALevels = 10               // labels that are climbed for CAA records
)

// check finds out before any CA is asked whether there is a point in it.
func (a *attempt) check(ctx context.Context) error {
	a.at(stepResolve)
	if isAddress(a.name) {
		return nil
	}
	if strings.HasPrefix(a.name, "*.") || a.s.Challenge == DNS01 {
		return nil // nothing has to lead here
	}
	if err := a.resolves(ctx); err != nil {
		return a.fail(CA{}, stepResolve, err)
	}
	a.hint = a.probe(ctx)
	return nil
}

// resolves reports an error only where it is sure that the name has no address.
func (a *attempt) resolves(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	_, err := a.s.resolver.LookupNetIP(ctx, "ip", a.name)
	var d *net.DNSError
	if errors.As(err, &d) && d.IsNotFound && a.s.dns == nil {
		return fmt.Errorf("%s has no address in the DNS as this machine sees it: add an A or AAAA record that leads here", a.name)
	}
	return nil
}

// probe asks weir itself by the name for an answer that only this process knows, and returns what it finds odd. Being
// odd is no error: many networks do not let a machine reach its own public address.
func (a *attempt) probe(ctx context.Context) string {
	if a.s.NoHTTP || a.s.Challenge == TLSALPN {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	token, body := "weir-"+rand.Text(), rand.Text()
	a.m.answers.setHTTP(a.name, token, body)
	defer a.m.answers.clearHTTP(a.name, token)
	host := a.name
	if a.s.HTTPPort != defaultHTTPPort {
		host = net.JoinHostPort(host, strconv.Itoa(a.s.HTTPPort))
	}
	status, got, err := a.get(ctx, "http://"+host+challengePath+token)
	switch {
	case err != nil:
		return fmt.Sprintf("weir cannot reach itself at http://%s either: %s", host, a.s.asked(err, rootOf(err).Error()))
	case got != body:
		return fmt.Sprintf("at http://%s something else than this weir answers (status %d)", host, status)
	}
	return ""
}

func (a *attempt) get(ctx context.Context, url string) (status int, body string, err error) {
	client := &http.Client{
		Transport: &http.Transport{
			DialContext:       (&net.Dialer{Resolver: a.s.resolver}).DialContext,
			DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1024))
	return resp.StatusCode, string(b), err
}

// asked puts the servers that were asked into the text of err: net names those of the system, whoever was asked.
func (s *settings) asked(err error, text string) string {
	var d *net.DNSError
	if len(s.Resolvers) == 0 || !errors.As(err, &d) {
		return text
	}
	return strings.Replace(text, " on "+d.Server+": ", " on "+strings.Join(s.Resolvers, ", ")+": ", 1)
}

// rootOf is the innermost error.
func rootOf(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// allowed looks at the name's CAA records (RFC 8659) where the CA says which identities it goes by. Records that cannot
// be looked up are the CA's to judge.
func (a *attempt) allowed(ctx context.Context, ca CA) error {
	if isAddress(a.name) {
		return nil
	}
	a.at(stepConnect)
	identities, err := a.identities(ctx, ca)
	if err != nil {
		return a.fail(ca, stepConnect, err)
	}
	if len(identities) == 0 {
		return nil
	}
	a.at(stepCAA)
	records := a.caa(ctx)
	if len(records) == 0 || permits(records, identities, strings.HasPrefix(a.name, "*.")) {
		return nil
	}
	return a.fail(ca, stepCAA, fmt.Errorf("the CAA records of %s do not let this CA issue: they name %s, not %s",
		a.name, namedBy(records), strings.Join(identities, " or ")))
}

// identities are those of the CA in CAA records, as its directory tells them.
func (a *attempt) identities(ctx context.Context, ca CA) ([]string, error) {
	client := a.client(ca, nil)
	defer client.HTTPClient.CloseIdleConnections()
	dir, err := client.GetDirectory(ctx)
	if err != nil || dir.Meta == nil {
		return nil, err
	}
	return dir.Meta.CAAIdentities, nil
}

// caa returns the records that hold for the name: its own, or those of the nearest domain above that has some.
func (a *attempt) caa(ctx context.Context) []*dns.CAA {
	name := dns.Fqdn(strings.TrimPrefix(a.name, "*."))
	for range maxCAALevels {
		records, err := a.caaOf(ctx, name)
		if err != nil || len(records) > 0 {
			return records
		}
		_, parent, ok := strings.Cut(name, ".")
		if !ok || parent == "" {
			return nil
		}
		name = parent
	}
	return nil
}

func (a *attempt) caaOf(ctx context.Context, name string) (records []*dns.CAA, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	q := new(dns.Msg)
	q.SetQuestion(name, dns.TypeCAA)
	q.SetEdns0(dns.DefaultMsgSize, false)
	var answer *dns.Msg
	for _, server := range a.s.nameservers() {
		if answer, _, err = new(dns.Client).ExchangeContext(ctx, q, server); err == nil {
			break
		}
	}
	if err != nil || answer == nil {
		return nil, err
	}
	for _, rr := range answer.Answer {
		if c, ok := rr.(*dns.CAA); ok {
			records = append(records, c)
		}
	}
	return records, nil
}

// nameservers are the resolvers that are asked directly.
func (s *settings) nameservers() []string {
	if len(s.Resolvers) > 0 {
		return s.Resolvers
	}
	system, err := dns.ClientConfigFromFile("/etc/resolv.conf")
	if err != nil {
		return nil
	}
	var list []string
	for _, ip := range system.Servers {
		list = append(list, net.JoinHostPort(ip, system.Port))
	}
	return list
}

// permits reports whether CAA records let a CA with one of the identities issue.
func permits(records []*dns.CAA, identities []string, wild bool) bool {
	tag := "issue"
	if wild && slices.ContainsFunc(records, func(c *dns.CAA) bool { return strings.EqualFold(c.Tag, "issuewild") }) {
		tag = "issuewild"
	}
	asked := false
	for _, c := range records {
		if !strings.EqualFold(c.Tag, tag) {
			continue
		}
		asked = true
		if slices.ContainsFunc(identities, func(id string) bool { return strings.EqualFold(id, issuerIn(c)) }) {
			return true
		}
	}
	return !asked
}

// issuerIn is the CA in a record, without parameters.
func issuerIn(c *dns.CAA) string {
	domain, _, _ := strings.Cut(c.Value, ";")
	return strings.TrimSpace(domain)
}

func namedBy(records []*dns.CAA) string {
	var names []string
	for _, c := range records {
		if n := issuerIn(c); n != "" && strings.HasPrefix(lower(c.Tag), "issue") {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(slices.Compact(names), ", ")
}
