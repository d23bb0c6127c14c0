package cert

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mholt/acmez/v3/acme"
	"github.com/miekg/dns"
)

func TestFailuresInPlainWords(t *testing.T) {
	ca := CA{Name: "letsencrypt", Directory: "https://ca.example/dir"}
	problem := func(kind, detail string) error {
		return fmt.Errorf("solving challenge: %w", acme.Problem{Type: acme.ProblemTypeNamespace + kind, Detail: detail, Status: 403})
	}
	asking := &settings{Config: Config{Resolvers: []string{"192.0.2.1:53"}}}
	lost := &net.OpError{Op: "dial", Err: &net.DNSError{Err: "server misbehaving", Name: "ca.example", Server: "192.0.2.99:53"}}
	for _, tt := range []struct {
		at   step
		err  error
		want string
	}{
		{stepAccount, lost, "letsencrypt: reaching the CA: it cannot be asked: dial: lookup ca.example on 192.0.2.1:53: server misbehaving"},
		{stepAccount, problem("unauthorized", "unknown kid"), "letsencrypt: the account at the CA: the CA does not take weir's account; see id and key of eab in the acme block, if there is one: unknown kid"},
		{stepOrder, problem("unauthorized", "deactivated"), "letsencrypt: the account at the CA: the CA does not take weir's account; see id and key of eab in the acme block, if there is one: deactivated"},
		{stepValidate, problem("unauthorized", "404"), "letsencrypt: validation by the CA: the CA got another answer than weir's; a.example leads to another machine, or something stands before weir: 404; hint"},
		{stepValidate, problem("connection", "refused"), "letsencrypt: validation by the CA: the CA could not connect to a.example; see whether its address is that of this machine and whether the port is open to everybody: refused; hint"},
		{stepOrder, problem("rateLimited", "too many"), "letsencrypt: the CA's limits: the CA's limit is reached: too many"},
		{stepOrder, problem("strange", "odd"), "letsencrypt: ordering: the CA says odd (strange)"},
		{stepAccount, &url.Error{Op: "Get", URL: "https://ca.example/dir", Err: errors.New("no route")}, "letsencrypt: reaching the CA: it cannot be asked: no route"},
		{stepOrder, context.DeadlineExceeded, "letsencrypt: reaching the CA: it cannot be asked: context deadline exceeded"},
		{stepKeep, &fs.PathError{Op: "open", Path: "/x/y", Err: errors.New("disk full")}, "letsencrypt: keeping the certificate: /x/y cannot be written: disk full"},
		{stepRecord, &net.OpError{Op: "dial", Err: errors.New("refused")}, "letsencrypt: setting the TXT record: dial: refused"},
	} {
		a := &attempt{s: asking, name: "a.example", hint: "hint"}
		f := a.fail(ca, tt.at, tt.err)
		if f.Error() != tt.want {
			t.Errorf("got  %s\nwant %s", f, tt.want)
		}
		if !errors.Is(f, tt.err) || firstStep(errors.Join(f)) != string(f.step) {
			t.Errorf("%v hides its reason", f)
		}
	}
	a := &attempt{s: asking, name: "*.a.example", kind: DNS01}
	if f := a.fail(ca, stepValidate, problem("unauthorized", "old")); !strings.Contains(f.text, "another TXT record than weir's at _acme-challenge.a.example") {
		t.Errorf("got %s", f)
	}
	if got := firstStep(&deferral{}); got != string(stepLedger) {
		t.Errorf("a deferral is at %q", got)
	}
}

func TestCAA(t *testing.T) {
	parse := func(lines ...string) (list []*dns.CAA) {
		for _, l := range lines {
			rr, err := dns.NewRR("a.example. CAA " + l)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, rr.(*dns.CAA))
		}
		return list
	}
	for _, tt := range []struct {
		records []string
		wild    bool
		want    bool
	}{
		{[]string{`0 issue "ca.example"`}, false, true},
		{[]string{`0 issue "CA.example; accounturi=x"`}, true, true},
		{[]string{`0 issue "other.example"`}, false, false},
		{[]string{`0 issue ";"`}, false, false},
		{[]string{`0 issue "other.example"`, `0 issue "ca.example"`}, false, true},
		{[]string{`0 iodef "mailto:x@y"`}, false, true},
		{[]string{`0 issue "ca.example"`, `0 issuewild ";"`}, true, false},
		{[]string{`0 issue "ca.example"`, `0 issuewild ";"`}, false, true},
		{[]string{`0 issue ";"`, `0 issuewild "ca.example"`}, true, true},
	} {
		if got := permits(parse(tt.records...), []string{"ca.example"}, tt.wild); got != tt.want {
			t.Errorf("%v, wildcard %v: %v", tt.records, tt.wild, got)
		}
	}
	if got := namedBy(parse(`0 issue ";"`)); got != "nobody" {
		t.Errorf("named %q", got)
	}
}

func TestBackoffGrowsAndEnds(t *testing.T) {
	m, _ := newQuiet(t, t.TempDir(), Config{})
	last := time.Duration(0)
	for failed := 1; failed < 100; failed++ {
		got := m.backoff(failed, nil)
		if got < DefaultRetry || got > maxRetry*6/5+1 || failed < 9 && got < last*3/2 {
			t.Errorf("after %d failures %v, before %v", failed, got, last)
		}
		last = got
	}
	leaf := newCA(t).leaf(t, nil, "a.example")
	leaf.Leaf.NotAfter = time.Now().Add(4 * time.Hour)
	if got := m.backoff(50, &bundle{pair: leaf}); got > 72*time.Minute+time.Second {
		t.Errorf("%v with four hours left", got)
	}
}

func TestRenewalTimes(t *testing.T) {
	day := 24 * time.Hour
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		life, asked, want time.Duration // asked by the CA, 0: not
	}{
		{90 * day, 0, 60 * day},
		{6 * day, 0, 3 * day},
		{90 * day, 10 * day, 10 * day},
		{90 * day, 70 * day, 70 * day},
		{90 * day, 89 * day, 72 * day},
		{time.Minute, 50 * time.Second, 30 * time.Second},
	} {
		leaf := newCA(t).leaf(t, nil, "a.example")
		leaf.Leaf.NotBefore, leaf.Leaf.NotAfter = from, from.Add(tt.life)
		b := &bundle{pair: leaf}
		if tt.asked > 0 {
			b.note.Renewal = &acme.RenewalInfo{SelectedTime: from.Add(tt.asked)}
		}
		if got := renewAt(b); !got.Equal(from.Add(tt.want)) {
			t.Errorf("%v, asked for %v: after %v, want %v", tt.life, tt.asked, got.Sub(from), tt.want)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	for want, c := range map[string]Config{
		"needs a dns block": {Challenge: DNS01},
		"no directory":      {CAs: []CA{{Directory: "http://ca.example/dir"}}},
		"e-mail":            {Email: "ops"},
		"resolver":          {Resolvers: []string{"192.0.2.1"}},
	} {
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	for c := Auto; c <= DNS01; c++ {
		if got, ok := ParseChallenge(c.String()); !ok || got != c {
			t.Errorf("%v is %v", c, got)
		}
	}
	if _, ok := ParseChallenge("http"); ok {
		t.Error("http is a challenge")
	}
	for _, n := range KnownCAs() {
		if ca, ok := KnownCA(n); !ok || ca.Check() != nil || ca.String() != n {
			t.Errorf("%s: %v, %v", n, ca, ca.Check())
		}
	}
}

func TestChallengesThatSuit(t *testing.T) {
	hook := Exec{Program: "true"}
	for what, tt := range map[string]struct {
		c    Config
		name string
		want string
	}{
		"auto":             {Config{}, "a.example", "[http-01 tls-alpn-01]"},
		"auto, dns":        {Config{DNS: hook}, "a.example", "[http-01 tls-alpn-01 dns-01]"},
		"wildcard":         {Config{DNS: hook}, "*.example", "[dns-01]"},
		"wildcard, http":   {Config{DNS: hook, Challenge: HTTP01}, "*.example", "[dns-01]"},
		"http":             {Config{DNS: hook, Challenge: HTTP01}, "a.example", "[http-01]"},
		"dns":              {Config{DNS: hook, Challenge: DNS01}, "a.example", "[dns-01]"},
		"no port 80":       {Config{NoHTTP: true}, "a.example", "[tls-alpn-01]"},
		"address":          {Config{DNS: hook}, "192.0.2.1", "[http-01]"},
		"nothing":          {Config{NoHTTP: true, NoTLS: true}, "a.example", ""},
		"wildcard, no dns": {Config{}, "*.example", ""},
		"address, no port": {Config{NoHTTP: true}, "192.0.2.1", ""},
	} {
		s, err := newSettings(t.TempDir(), tt.c, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.challenges(tt.name)
		if (err == nil) != (tt.want != "") || err == nil && fmt.Sprint(got) != tt.want {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
}

func TestConfigurationsAreToldApart(t *testing.T) {
	cloud := func(token string) Provider {
		p, err := NewCloudDNS("cloudflare", token, "")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	print := func(c Config) string {
		s, err := newSettings(t.TempDir(), c, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s.fingerprint()
	}
	ca := func(eab string) []CA { return []CA{{Directory: "https://ca.example/", EAB: &EAB{"id", eab}}} }
	seen := map[string]bool{}
	list := []Config{
		{},
		{Email: "a@b"},
		{Challenge: HTTP01},
		{DNS: cloud("x")},
		{DNS: cloud("y")},
		{DNS: RFC2136{Server: "a:53"}},
		{NoHTTP: true},
		{CAs: ca("x")},
		{CAs: ca("y")},
		{Resolvers: []string{"192.0.2.1:53"}},
	}
	for _, c := range list {
		if one, other := print(c), print(c); one != other {
			t.Errorf("%+v is not itself", c)
		}
		seen[print(c)] = true
	}
	if !(print(list[3]) == print(Config{DNS: cloud("x")})) || len(seen) != len(list) {
		t.Errorf("%d of %d configurations", len(seen), len(list))
	}
}
