package config

import (
	"encoding/base64"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"weir/route"
)

// keyPair reads the files of a certificate; the zero value where none is named.
func (l *loader) keyPair(n *node) KeyPair {
	p := KeyPair{Pos: posOf(n.at("certificate"))}
	if !n.has("certificate") {
		if n.has("key") && !n.tried["certificate"] {
			l.report(n.at("key"), in(n, "key needs certificate"), "", "write certificate = \"...\" beside it")
		}
		return KeyPair{}
	}
	p.Certificate, _ = l.file(n, n.schema.attr("certificate"), get[string](n, "certificate"), n.at("certificate"))
	if p.Key = p.Certificate; n.has("key") {
		p.Key, _ = l.file(n, n.schema.attr("key"), get[string](n, "key"), n.at("key"))
	}
	return p
}

// clientTLS reads what is asked of clients.
func (l *loader) clientTLS(n *node) ClientTLS {
	c := ClientTLS{Minimum: get[string](n, "minimum"), Verify: get[string](n, "verify")}
	if n.has("client_ca") {
		c.CA, _ = l.file(n, n.schema.attr("client_ca"), get[string](n, "client_ca"), n.at("client_ca"))
		if c.Verify == "" {
			c.Verify = "require"
		}
	}
	return c
}

// protocols are those that a listener's connections can speak.
func (l *loader) protocols(n *node) []string {
	list := get[[]string](n, "protocols")
	if n.has("protocols") && len(list) == 0 {
		l.report(n.at("protocols"), in(n, "protocols: there is none"), "", `write protocols = ["h1"]`)
	}
	secure := n.child("tls") != nil
	for _, p := range list {
		switch {
		case p == "h2c" && secure:
			l.report(n.at("protocols"), in(n, `protocols: "h2c" is HTTP/2 without tls`), "", `did you mean "h2"?`)
		case p == "h2" && !secure:
			l.report(n.at("protocols"), in(n, `protocols: "h2" needs tls`), "", `write a tls block, or "h2c" for HTTP/2 without it`)
		case p == "h3" && !secure:
			l.report(n.at("protocols"), in(n, `protocols: "h3" needs tls`), "", "write a tls block")
		case p == "h3" && strings.HasPrefix(get[string](n, "address"), "unix:"):
			l.report(n.at("protocols"), in(n, `protocols: "h3" needs UDP, which a unix socket has not`), "", "")
		}
	}
	return list
}

// proxyProtocol is "" where it is off.
func (l *loader) proxyProtocol(n *node) string {
	mode := get[string](n, "proxy_protocol")
	if mode == "off" {
		return ""
	}
	if mode != "" && !l.root.tried["trusted_proxies"] && !strings.HasPrefix(get[string](n, "address"), "unix:") {
		l.report(n.at("proxy_protocol"), in(n, "proxy_protocol needs trusted_proxies"), "nobody is believed without it", `write trusted_proxies = ["10.0.0.0/8"] at the top of the file`)
	}
	return mode
}

func (l *loader) listenerTLS(n *node) *ListenerTLS {
	c := n.child("tls")
	if c == nil {
		return nil
	}
	out := &ListenerTLS{Pos: posOf(c.head), Default: l.keyPair(c), Clients: l.clientTLS(c)}
	if v := out.Clients.Verify; v != "" && v != "off" && !c.tried["client_ca"] {
		l.report(c.at("verify"), in(c, "verify: "+quote(v)+" needs client_ca"), "without an authority no certificate can be checked", "write client_ca = \"...\" beside it")
	}
	if e := c.child("ech"); e != nil {
		out.ECH = l.ech(e, out.Clients)
	}
	return out
}

func (l *loader) ech(n *node, c ClientTLS) *ECH {
	e := &ECH{Pos: posOf(n.head), PublicName: get[string](n, "public_name"), Keep: get[int](n, "keep")}
	if !n.has("public_name") {
		return e
	}
	switch err := route.CheckHost(e.PublicName); {
	case err != nil:
		l.report(n.at("public_name"), in(n, err.Error()), "", "")
	case strings.HasPrefix(e.PublicName, "*"), !strings.Contains(e.PublicName, "."), strings.ContainsAny(e.PublicName, "[]"), isIP(e.PublicName):
		l.report(n.at("public_name"), in(n, "public_name: "+quote(e.PublicName)+" is not a whole host name"), "clients ask for it in the open, and it needs a certificate", `write such as "cover.example.com"`)
	}
	return e
}

func isIP(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}

// onDemand reads for which names certificates are got when clients ask for them.
func (l *loader) onDemand(s *Site, n *node, from string) *OnDemand {
	o := &OnDemand{
		Pos: posOf(n.head), Ask: get[string](n, "ask"),
		PerMinute: get[int](n, "per_minute"), Names: get[int](n, "names"), Wait: get[time.Duration](n, "wait"),
	}
	for _, h := range get[[]host](n, "allow") {
		if o.Allow = append(o.Allow, h.name); h.name == "*" {
			l.report(h.at, in(n, `allow: "*" allows any name`), "names come from anybody who can connect, and would use up the authority's limits", `write such as "*.customers.example.com", or ask who knows: ask = "http://127.0.0.1:9000/is-customer"`)
		}
	}
	if u, err := url.Parse(o.Ask); n.has("ask") && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Fragment != "") {
		l.report(n.at("ask"), in(n, "ask: "+quote(o.Ask)+" is no URL with http or https"), "", `write such as "http://127.0.0.1:9000/is-customer"`)
	}
	if len(o.Allow) == 0 && !n.tried["ask"] && !n.broken {
		l.report(n.head, in(n, "there is no rule that says which names are allowed"), "names come from anybody who can connect: without a rule they would use up the authority's limits", `write allow = ["*.customers.example.com"] or ask = "http://127.0.0.1:9000/is-customer"`)
	}
	if from != "" && from != FromACME {
		l.report(n.head, in(n, "only public authorities give certificates on demand, and from is "+quote(from)), "", "leave out from, or on_demand")
	}
	if !slices.ContainsFunc(s.Hosts, func(h string) bool { return strings.HasPrefix(h, "*") }) {
		l.report(n.head, in(n, "no host of the site has a wildcard"), "certificates for whole names are got without being asked for", `write hosts = ["*"] or ["*.customers.example.com"], or leave on_demand out`)
	}
	return o
}

// siteTLS is nil where the site says nothing.
func (l *loader) siteTLS(n *node, s *Site) *SiteTLS {
	c := n.child("tls")
	if c == nil && !n.has("tls") {
		return nil
	}
	t := &SiteTLS{Pos: posOf(n.at("tls")), From: get[string](n, "tls")}
	if c != nil {
		l.siteTLSBlock(n, c, t)
		if o := c.child("on_demand"); o != nil {
			t.OnDemand = l.onDemand(s, o, t.From)
		}
	}
	return t
}

func (l *loader) siteTLSBlock(n, c *node, t *SiteTLS) {
	t.Pos, t.Pair, t.Clients = posOf(c.head), l.keyPair(c), l.clientTLS(c)
	t.NoRedirect = !get[bool](c, "redirect")
	if c.has("hsts") {
		age := get[time.Duration](c, "hsts")
		t.HSTS = &age
	}
	switch {
	case c.has("from"):
		if t.From = get[string](c, "from"); n.has("tls") {
			l.report(c.at("from"), in(c, "from: the attribute tls says it, too"), "", "write it in one place")
		}
	case c.tried["certificate"]:
		if t.From = FromFiles; n.has("tls") {
			l.report(n.at("tls"), in(n, "tls: the block tls names the files of a certificate"), "", "leave the attribute out")
		}
	}
	if t.From == FromNowhere && t.Clients.Asks() {
		l.report(c.head, in(c, "without encryption nobody can be asked for a certificate"), "clients show theirs when they agree on encryption", "leave client_ca and verify out, or from = "+quote(FromNowhere))
	}
	if (t.From == FromFiles) != c.tried["certificate"] {
		l.report(c.head, in(c, "from = "+quote(FromFiles)+" and certificate come together"), "", "")
	}
}

// protocol settles what is spoken with servers, and reports what does not go with it.
func (l *loader) protocol(n *node, u *Upstream) {
	u.Protocol = get[string](n, "protocol")
	at, secure := n.at("protocol"), n.child("tls") != nil
	switch {
	case u.Protocol == AutoProtocol && !secure:
		u.Protocol = H1 // there is nothing that a server could choose by
	case u.Protocol == H2 && !secure:
		l.report(at, in(n, `protocol: "h2" needs tls`), "", `write a tls block, or "h2c" for HTTP/2 without it`)
	case u.Protocol == H2C && secure:
		l.report(at, in(n, `protocol: "h2c" is HTTP/2 without tls`), "", `did you mean "h2"?`)
	case u.Protocol == H3 && !secure:
		l.report(at, in(n, `protocol: "h3" needs tls`), "", "write a tls block")
	case u.Protocol == FastCGIProtocol && secure:
		l.report(n.child("tls").head, in(n, "FastCGI is not encrypted"), "", "")
	}
	if h := n.child("health"); h != nil && !u.Health.TCP {
		l.checkable(h, u)
	}
	u.ProxyProtocol = map[string]int{"v1": 1, "v2": 2}[get[string](n, "proxy_protocol")]
	if u.ProxyProtocol > 0 && u.Protocol != H1 && u.Protocol != FastCGIProtocol {
		l.report(n.at("proxy_protocol"), in(n, "proxy_protocol: clients share the connections of "+quote(u.Protocol)), "it goes with h1 and fastcgi", "")
	}
	l.fastcgi(n, u)
}

// checkable reports checks that speak what the servers do not.
func (l *loader) checkable(h *node, u *Upstream) {
	switch {
	case u.Health.GRPC && u.Protocol != H2 && u.Protocol != H2C && u.Protocol != AutoProtocol:
		l.report(h.at("grpc"), in(h, "grpc: gRPC is HTTP/2, and the servers speak "+u.Protocol), "", `write protocol = "h2" or "h2c"`)
	case u.Health.GRPC:
	case u.Protocol == FastCGIProtocol:
		l.report(h.head, in(h, "checks speak HTTP/1.1, and the servers "+u.Protocol), "", "write tcp = true")
	}
}

func (l *loader) fastcgi(n *node, u *Upstream) {
	c := n.child("fastcgi")
	if u.Protocol != FastCGIProtocol {
		if c != nil {
			l.report(c.head, in(n, `a fastcgi block goes with protocol = "fastcgi"`), "", "")
		}
		return
	}
	c = n.section("fastcgi")
	u.FastCGI = &FastCGI{
		Root: get[string](c, "root"), Remote: get[bool](c, "remote"), Index: get[string](c, "index"), Split: get[string](c, "split"),
		Env: get[[]Field](c, "env"), Keepalive: get[int](c, "keepalive"),
	}
	if c.has("root") && !strings.HasPrefix(u.FastCGI.Root, "/") {
		l.report(c.at("root"), in(c, "root: "+quote(u.FastCGI.Root)+" is not a whole path"), "it is a path of the machine that the scripts are on", "")
	}
}

func (l *loader) upstreamTLS(n *node) *UpstreamTLS {
	c := n.child("tls")
	if c == nil {
		return nil
	}
	t := &UpstreamTLS{
		Pos: posOf(c.head), ServerName: get[string](c, "server_name"), Minimum: get[string](c, "minimum"),
		Pins: get[[]string](c, "pins"), Insecure: !get[bool](c, "verify"), Pair: l.keyPair(c),
	}
	if c.has("ca") {
		t.CA, _ = l.file(c, c.schema.attr("ca"), get[string](c, "ca"), c.at("ca"))
	}
	for _, pin := range t.Pins {
		sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(pin, "sha256/"))
		if err != nil || len(sum) != 32 || !strings.HasPrefix(pin, "sha256/") {
			l.report(c.at("pins"), in(c, "pins: "+quote(pin)+" is not the SHA-256 of a key"), "it is \"sha256/\" and 44 characters of base64", "")
		}
	}
	return t
}

func (l *loader) acme(n *node) broken {
	a := &ACME{
		Pos: posOf(n.head), Email: get[string](n, "email"), CAs: get[[]string](n, "ca"), Profile: get[string](n, "profile"),
		Challenge: get[string](n, "challenge"), Resolvers: get[[]string](n, "resolvers"), HTTPPort: get[int](n, "http_port"),
	}
	if n.has("ca_roots") {
		a.Roots, _ = l.file(n, n.schema.attr("ca_roots"), get[string](n, "ca_roots"), n.at("ca_roots"))
	}
	if c := n.child("eab"); c != nil {
		a.EABID, a.EABKey = get[string](c, "id"), get[string](c, "key")
	}
	if c := n.child("dns"); c != nil {
		a.DNS = l.acmeDNS(c)
	}
	l.config.ACME = a
	return func(Broken) { l.config.ACME, l.config.BrokenACME = nil, true }
}

// dnsKinds are the ways to set records.
func dnsKinds() []string {
	return []string{"rfc2136", "acme-dns", "exec", "cloudflare", "desec", "digitalocean", "gandi", "hetzner", "powerdns"}
}

// dnsAttrs are those of a way to set records, the first of them required; nil: there is no such way.
func dnsAttrs(kind string) []string {
	switch kind {
	case "rfc2136":
		return []string{"server", "zone", "key_name", "key", "algorithm"}
	case "acme-dns":
		return []string{"server", "username", "password", "subdomain"}
	case "exec":
		return []string{"program", "args"}
	}
	if slices.Contains(dnsKinds(), kind) {
		return []string{"token", "server"}
	}
	return nil
}

func (l *loader) acmeDNS(c *node) *ACMEDNS {
	allowed, kinds := dnsAttrs(c.label), dnsKinds()
	if allowed == nil {
		l.report(c.head, in(c, quote(c.label)+" is no way to set records that weir knows"), "allowed: "+strings.Join(kinds, ", "), didYouMean(c.label, kinds))
		return nil
	}
	for _, a := range c.schema.attrs {
		if c.has(a.name) && a.name != "name" && !slices.Contains(allowed, a.name) {
			l.report(c.at(a.name), in(c, a.name+" is not for "+quote(c.label)), "allowed: "+strings.Join(allowed, ", ")+", name", "")
		}
	}
	if !c.tried[allowed[0]] {
		l.report(c.head, in(c, allowed[0]+" is missing"), plain(c.schema.attr(allowed[0]).doc), "")
	}
	return &ACMEDNS{
		Pos: posOf(c.head), Kind: c.label, Server: get[string](c, "server"), Zone: get[string](c, "zone"),
		KeyName: get[string](c, "key_name"), Key: get[string](c, "key"), Algorithm: get[string](c, "algorithm"),
		Username: get[string](c, "username"), Password: get[string](c, "password"), Token: get[string](c, "token"), Subdomain: get[string](c, "subdomain"),
		Program: get[string](c, "program"), Args: get[[]string](c, "args"), Name: get[string](c, "name"),
	}
}
