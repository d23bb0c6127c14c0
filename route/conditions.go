package route

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/gaissmai/bart"

	"weir"
)

// conditions are what a route asks for beside its path. All must hold.
type conditions struct {
	methods  []string // as written; empty: any
	accepted []string // methods, and HEAD where GET is one of them
	header   []matcher
	query    []matcher
	cookie   []matcher
	clients  *bart.Lite // nil: any
	networks []netip.Prefix
	when     *when // nil: none
}

// A failure is the first condition that did not hold; the zero failure means that all held. It is told
// apart from its text so that finding it costs nothing.
type failure struct {
	what    condition
	index   uint8
	finding finding
}

type condition uint8

const (
	condNone condition = iota
	condMethod
	condHeader
	condQuery
	condCookie
	condClient
	condWhen
)

// maxMatchers is how many matchers of one kind a route may have; a failure counts them in a byte.
const maxMatchers = 200

// newConditions returns nil, nil where s has no conditions.
func newConditions(s *Spec, e *expressions) (*conditions, error) {
	c := &conditions{}
	err := errors.Join(
		inPart("method", c.setMethods(s.Methods)),
		inPart("header", setMatchers(&c.header, "header", s.Header)),
		inPart("query", setMatchers(&c.query, "query", s.Query)),
		inPart("cookie", setMatchers(&c.cookie, "cookie", s.Cookie)),
		inPart("clients", c.setClients(s.Clients)),
		inPart("when", c.setWhen(s.When, e)),
	)
	if err != nil {
		return nil, err
	}
	if c.empty() {
		return nil, nil
	}
	return c, nil
}

func (c *conditions) empty() bool {
	return len(c.methods)+len(c.header)+len(c.query)+len(c.cookie) == 0 && c.clients == nil && c.when == nil
}

func (c *conditions) setMethods(methods []string) error {
	var wrong []error
	for _, m := range methods {
		switch {
		case m == "" || strings.ContainsAny(m, " \t,;:\"/()<>@[]{}?=\\"):
			wrong = append(wrong, fmt.Errorf("method %q is not a method", m))
		case m != strings.ToUpper(m) && knownMethod(strings.ToUpper(m)):
			wrong = append(wrong, fmt.Errorf("method %q: methods are compared with regard to case, write %q", m, strings.ToUpper(m)))
		}
		if !slices.Contains(c.methods, m) {
			c.methods = append(c.methods, m)
		}
	}
	c.accepted = c.methods
	if slices.Contains(c.methods, "GET") && !slices.Contains(c.methods, "HEAD") {
		c.accepted = append(slices.Clone(c.methods), "HEAD")
	}
	return errors.Join(wrong...)
}

func knownMethod(m string) bool {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT":
		return true
	}
	return false
}

func setMatchers(dst *[]matcher, what string, list []Match) error {
	if len(list) > maxMatchers {
		return fmt.Errorf("%d %s conditions, at most %d are possible", len(list), what, maxMatchers)
	}
	var wrong []error
	for _, m := range list {
		made, err := newMatcher(what, m)
		wrong = append(wrong, err)
		*dst = append(*dst, made)
	}
	return errors.Join(wrong...)
}

func (c *conditions) setClients(networks []netip.Prefix) error {
	if len(networks) == 0 {
		return nil
	}
	c.clients = &bart.Lite{}
	for _, n := range networks {
		if !n.IsValid() {
			return errors.New("client network is not valid")
		}
		n = unmapPrefix(n)
		c.networks = append(c.networks, n)
		c.clients.Insert(n)
	}
	slices.SortFunc(c.networks, netip.Prefix.Compare)
	c.networks = slices.Compact(c.networks)
	return nil
}

// unmapPrefix returns an IPv4 network that is written as an IPv6 one as what it is.
func unmapPrefix(n netip.Prefix) netip.Prefix {
	if n.Addr().Is4In6() && n.Bits() >= 96 {
		n = netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-96)
	}
	return n.Masked()
}

func (c *conditions) setWhen(text string, e *expressions) (err error) {
	if strings.TrimSpace(text) != "" {
		c.when, err = e.compile(strings.TrimSpace(text))
	}
	return err
}

// check returns the first condition that does not hold for x. Cheap ones come first.
func (c *conditions) check(x *weir.Exchange) failure {
	if len(c.accepted) > 0 && !slices.Contains(c.accepted, x.Request.Method) {
		return failure{what: condMethod}
	}
	for i := range c.header {
		if f := c.header[i].header(&x.Request.Header); f != fits {
			return failure{condHeader, uint8(i), f}
		}
	}
	for i := range c.query {
		if f := c.query[i].query(x.Request.Query); f != fits {
			return failure{condQuery, uint8(i), f}
		}
	}
	for i := range c.cookie {
		if f := c.cookie[i].cookie(&x.Request.Header); f != fits {
			return failure{condCookie, uint8(i), f}
		}
	}
	if c.clients != nil && !(x.Client.IsValid() && c.clients.Contains(x.Client.Unmap())) {
		return failure{what: condClient}
	}
	if c.when != nil {
		if f := c.when.find(x); f != fits {
			return failure{what: condWhen, finding: f}
		}
	}
	return failure{}
}

// reason puts a failure into words: "method PUT is not GET or POST".
func (c *conditions) reason(f failure, x *weir.Exchange) string {
	switch f.what {
	case condMethod:
		return fmt.Sprintf("method %s is not %s", clip(x.Request.Method), orList(c.methods))
	case condHeader:
		return c.header[f.index].lost("header", f.finding)
	case condQuery:
		return c.query[f.index].lost("query", f.finding)
	case condCookie:
		return c.cookie[f.index].lost("cookie", f.finding)
	case condClient:
		return "client " + clientText(x) + " is not in " + orList(c.networkTexts())
	case condWhen:
		return c.when.reason(x)
	}
	return ""
}

// networkTexts returns the networks, or the first few where there are many.
func (c *conditions) networkTexts() []string {
	const few = 4
	var texts []string
	for i, n := range c.networks {
		if i == few && len(c.networks) > few+1 {
			return append(texts, fmt.Sprintf("%d more networks", len(c.networks)-few))
		}
		texts = append(texts, n.String())
	}
	return texts
}

func clientText(x *weir.Exchange) string {
	if !x.Client.IsValid() {
		return "without address"
	}
	return x.Client.Unmap().String()
}

func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// compare orders conditions, the ones to ask first before the others: the Gateway API's order (a method,
// more header fields, more query parameters), then more cookies, a client, an expression. Where all that
// is level, the narrower: fewer methods, more values spelt out, smaller networks.
func (c *conditions) compare(d *conditions) int {
	if c == nil {
		c = &conditions{}
	}
	if d == nil {
		d = &conditions{}
	}
	return cmp.Or(
		first(len(c.methods) > 0, len(d.methods) > 0),
		cmp.Compare(len(d.header), len(c.header)),
		cmp.Compare(len(d.query), len(c.query)),
		cmp.Compare(len(d.cookie), len(c.cookie)),
		first(c.clients != nil, d.clients != nil),
		first(c.when != nil, d.when != nil),
		cmp.Compare(len(c.accepted), len(d.accepted)),
		cmp.Compare(d.spelt(), c.spelt()),
		cmp.Compare(d.narrowest(), c.narrowest()),
	)
}

// first orders true before false.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// spelt weighs how much of the values the matchers say.
func (c *conditions) spelt() (n int) {
	for _, list := range [][]matcher{c.header, c.query, c.cookie} {
		for i := range list {
			switch list[i].Kind {
			case Exact:
				n += 1000
			case Regexp:
				n++
			}
		}
	}
	return n
}

// narrowest is the length of the shortest prefix among the networks, on IPv6's scale.
func (c *conditions) narrowest() int {
	shortest := 128
	for _, n := range c.networks {
		bits := n.Bits()
		if n.Addr().Is4() {
			bits += 96
		}
		shortest = min(shortest, bits)
	}
	return shortest
}

// key is equal for two conditions that are alike.
func (c *conditions) key() string {
	if c == nil {
		return ""
	}
	parts := []string{sortedJoin(c.accepted)}
	for _, list := range [][]matcher{c.header, c.query, c.cookie} {
		var keys []string
		for i := range list {
			keys = append(keys, list[i].key())
		}
		parts = append(parts, sortedJoin(keys))
	}
	var networks []string
	for _, n := range c.networks {
		networks = append(networks, n.String())
	}
	parts = append(parts, sortedJoin(networks))
	if c.when != nil {
		parts = append(parts, c.when.text)
	}
	return strings.Join(parts, "\n")
}

func sortedJoin(words []string) string {
	words = slices.Clone(words)
	slices.Sort(words)
	return strings.Join(slices.Compact(words), "\t")
}

// implies reports whether d holds wherever c does. It may say false where that is so, never true where it
// is not.
func (c *conditions) implies(d *conditions) bool {
	if d == nil {
		return true
	}
	if c == nil {
		c = &conditions{}
	}
	return (len(d.accepted) == 0 || len(c.accepted) > 0 && subset(c.accepted, d.accepted)) && c.impliesRest(d)
}

// impliesRest is implies for all but the methods.
func (c *conditions) impliesRest(d *conditions) bool {
	return impliesAll(c.header, d.header) && impliesAll(c.query, d.query) && impliesAll(c.cookie, d.cookie) &&
		(d.clients == nil || c.clients != nil && within(c.networks, d.networks)) &&
		(d.when == nil || d.when.fixed == always || c.when != nil && c.when.text == d.when.text)
}

func subset(words, all []string) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(all, w) })
}

func impliesAll(have, want []matcher) bool {
	return !slices.ContainsFunc(want, func(n matcher) bool {
		return !slices.ContainsFunc(have, func(m matcher) bool { return m.implies(&n) })
	})
}

// within reports whether each of the networks lies in one of the outer ones.
func within(networks, outer []netip.Prefix) bool {
	return !slices.ContainsFunc(networks, func(n netip.Prefix) bool {
		return !slices.ContainsFunc(outer, func(o netip.Prefix) bool {
			return o.Bits() <= n.Bits() && o.Contains(n.Addr())
		})
	})
}
