package config

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/internal/spell"
)

// build makes the configuration of what stands at the top of all files.
func (l *loader) build(name string) {
	l.collect()
	for _, it := range l.tops {
		if c := l.schema.block(it.name); it.expr != nil || c == nil || c.later {
			l.top(it)
		}
	}
	l.flush()
	l.each("policy", l.policy)
	l.circles()
	l.each("log", l.log)
	l.each("listener", l.listener)
	l.each("upstream", l.upstream)
	l.each("admin", l.admin)
	l.each("acme", l.acme)
	l.each("site", l.site)
	l.globals()
	l.nobody(name)
	l.flush()
}

// top reads what is no block of a known kind.
func (l *loader) top(it item) {
	if it.name == "include" && it.expr != nil {
		return
	}
	if first, ok := l.root.attrs[it.name]; ok && it.expr != nil {
		l.report(it.at, "second "+it.name, "the first one is at "+posOf(first.at).String(), "")
		return
	}
	before := len(l.list)
	l.readItem(l.root, it)
	l.fatal = l.fatal || l.isVital(it.name) && l.list[before:].HasErrors()
}

// isVital reports whether nothing may be served without what a name says: who trusts whom, who sees what,
// and with which rights.
func (l *loader) isVital(name string) bool {
	a, c := l.schema.attr(name), l.schema.block(name)
	return a != nil && a.vital || c != nil && c.vital
}

// collect finds everything that may be referred to.
func (l *loader) collect() {
	for _, it := range l.tops {
		if len(it.labels) == 1 && slices.Contains(l.symbols.kinds(), it.name) {
			l.symbols.add(&symbol{kind: it.name, name: it.labels[0], at: it.places[0]})
		}
	}
	l.context = l.newContext()
}

// each reads all blocks of one kind, one by one: what is wrong with one stays with it.
func (l *loader) each(kind string, make func(n *node) broken) {
	for _, it := range l.tops {
		if it.name != kind || it.expr != nil {
			continue
		}
		if it.broken != nil {
			l.unreadable(it)
			continue
		}
		if it.body == nil {
			if it, l.odd = l.parseSite(it); l.odd {
				return
			}
		}
		before := len(l.root.blocks)
		l.readBlock(l.root, l.schema.block(kind), it)
		if len(l.root.blocks) > before {
			n := l.root.blocks[before]
			l.finish(n, make)
			if kind != "policy" { // of which others ask again
				n.forget()
			}
			continue
		}
		l.flush()
	}
}

// A broken is what is done where a block has errors.
type broken func(b Broken)

// finish builds what a node says, and has it left out if there is an error.
func (l *loader) finish(n *node, make func(n *node) broken) {
	leave := make(n)
	errs := l.flush().errors()
	if len(errs) == 0 {
		return
	}
	if sym := l.symbols.find(n.schema.name, n.label); sym != nil {
		sym.broken, sym.wrong = true, errs[0].Pos
	}
	leave(Broken{Name: n.label, Pos: posOf(n.head), Why: errs})
}

func (l *loader) globals() {
	c, n := l.config, l.root
	c.StateDir = get[string](n, "state_dir")
	if n.has("state_dir") {
		c.StateDir = l.absolute(c.StateDir, n.at("state_dir"))
	}
	c.User = get[string](n, "user")
	c.Grace = get[time.Duration](n, "grace")
	c.Watch = get[bool](n, "watch")
	c.Pseudonym = get[string](n, "pseudonym")
	c.TrustedProxies = get[[]netip.Prefix](n, "trusted_proxies")
	c.TrustedFields = get[string](n, "trusted_fields")
	c.TrustedHost = get[bool](n, "trusted_host")
	if c.Pseudonym != "" && len(c.Pseudonym) < 8 {
		l.report(n.at("pseudonym"), "pseudonym: "+quote(c.Pseudonym)+" is too short", "at least 8 characters, so that no other proxy has the same", "")
		c.Pseudonym = ""
	}
}

func (l *loader) listener(n *node) broken {
	timeouts, limits := n.section("timeouts"), n.section("limits")
	out := &Listener{
		Name: n.label, Pos: posOf(n.head),
		Address:        get[string](n, "address"),
		Mode:           get[os.FileMode](n, "mode"),
		MaxConnections: get[int](n, "max_connections"),
		Timeouts: ListenerTimeouts{
			Header:    get[time.Duration](timeouts, "header"),
			Idle:      get[time.Duration](timeouts, "idle"),
			BodyFloor: get[int64](timeouts, "body_floor"),
			Tunnel:    get[time.Duration](timeouts, "tunnel"),
		},
		Limits: ListenerLimits{
			Line:    int(get[int64](limits, "line")),
			Head:    int(get[int64](limits, "head")),
			Fields:  get[int](limits, "fields"),
			Trailer: int(get[int64](limits, "trailer")),
			Streams: get[int](limits, "streams"),
		},
	}
	out.TLS = l.listenerTLS(n)
	out.Protocols = l.protocols(n)
	out.ProxyProtocol = l.proxyProtocol(n)
	l.listenAddress(n, "address", out.Address)
	if n.has("mode") && !strings.HasPrefix(out.Address, "unix:") {
		l.report(n.at("mode"), in(n, "mode is for unix sockets alone"), "", "")
	}
	l.sameAddress(n, out)
	if strings.HasSuffix(out.Address, ":443") && n.child("tls") == nil && !n.broken {
		l.add(Warning, n.at("address"), in(n, "port 443 without tls: browsers speak https there"), "", "write tls {}")
	}
	l.config.Listeners = append(l.config.Listeners, out)
	return func(b Broken) {
		l.config.Listeners = l.config.Listeners[:len(l.config.Listeners)-1]
		l.config.BrokenListeners = append(l.config.BrokenListeners, b)
	}
}

// listenAddress reports an address that nobody can listen on.
func (l *loader) listenAddress(n *node, name, s string) {
	if s == "" && !n.has(name) {
		return
	}
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if !filepath.IsAbs(path) {
			l.report(n.at(name), in(n, name+": "+quote(s)+" does not name a socket by its whole path"), "", "")
		}
		return
	}
	detail := `write ":80", "127.0.0.1:8080", "[::1]:80" or "unix:/run/weir.sock"`
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		hint := ""
		if _, err := strconv.ParseUint(s, 10, 16); err == nil {
			hint = "did you mean " + quote(":"+s) + "?"
		}
		l.report(n.at(name), in(n, name+": "+quote(s)+" is not an address to listen on"), detail, hint)
		return
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		l.report(n.at(name), in(n, name+": "+quote(s)+" has no valid port"), detail, "")
		return
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && host != "localhost" {
		l.report(n.at(name), in(n, name+": "+quote(s)+" names no address of this machine"), detail, "")
	}
}

// sameAddress reports a second listener on one address.
func (l *loader) sameAddress(n *node, out *Listener) {
	if out.Address == "" || strings.HasSuffix(out.Address, ":0") {
		return
	}
	for _, o := range l.config.Listeners {
		if o.Address == out.Address {
			l.report(n.at("address"), in(n, "address: "+quote(out.Address)+" is taken by listener "+quote(o.Name)), "it is at "+o.Pos.String(), "")
		}
	}
}

func (l *loader) admin(n *node) broken {
	out := &Admin{
		Pos:    posOf(n.head),
		Listen: get[string](n, "listen"),
		Users:  get[string](n, "users"),
		Socket: get[string](n, "socket"),
	}
	if n.has("users") {
		out.Users, _ = l.file(n, n.schema.attr("users"), out.Users, n.at("users"))
	}
	if n.has("socket") {
		out.Socket = l.absolute(out.Socket, n.at("socket"))
	}
	l.listenAddress(n, "listen", out.Listen)
	if host, _, err := net.SplitHostPort(out.Listen); err == nil && !n.tried["users"] && !isLoopback(host) {
		l.report(n.at("listen"), in(n, "listen: "+quote(out.Listen)+" is not loopback, and users is missing"), "whoever reaches this address can steer weir", `write users = "admin.htpasswd", or listen on 127.0.0.1`)
	}
	l.config.Admin = out
	return func(Broken) { l.config.Admin = nil }
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func (l *loader) log(n *node) broken {
	rotate := n.section("rotate")
	out := &Log{
		Name: n.label, Pos: posOf(n.head),
		At:     posOf(n.at("to")),
		To:     get[string](n, "to"),
		Format: get[string](n, "format"),
		Level:  get[string](n, "level"),
		Sample: float64(get[int](n, "sample")) / 100,
		Status: statusList(get[[]StatusRange](n, "status")),
		Buffer: int(get[int64](n, "buffer")),
		Rotate: Rotate{
			Size: get[int64](rotate, "size"),
			Age:  get[time.Duration](rotate, "age"),
			Keep: get[int](rotate, "keep"),
		},
	}
	events := n.label == EventLog
	if events && !n.has("to") {
		out.To = "stderr"
	}
	if events && !n.has("format") {
		out.Format = "text"
	}
	l.logFormat(n, out, events)
	l.logTo(n, out)
	l.config.Logs = append(l.config.Logs, out)
	return func(Broken) { l.config.Logs = l.config.Logs[:len(l.config.Logs)-1] }
}

func (l *loader) logFormat(n *node, out *Log, events bool) {
	formats := []string{"json", "combined", "common"}
	if events {
		formats = []string{"text", "json"}
	}
	if !slices.Contains(formats, out.Format) && (events || !strings.Contains(out.Format, "{")) {
		detail := "allowed: " + strings.Join(formats, ", ")
		if !events {
			detail += `, or a template such as "{client.ip} {status}"`
		}
		l.report(n.at("format"), in(n, "unknown format "+quote(out.Format)), detail, didYouMean(out.Format, formats))
	}
	for _, name := range []string{"sample", "status", "buffer"} {
		if events && n.has(name) {
			l.report(n.at(name), in(n, name+" is for access logs alone"), "", "")
		}
	}
	if !events && n.has("level") {
		l.report(n.at("level"), in(n, "level is for the log "+quote(EventLog)+" alone"), "", "")
	}
}

func (l *loader) logTo(n *node, out *Log) {
	isURL := strings.Contains(out.To, "://") || strings.HasPrefix(out.To, "syslog:")
	if isURL && !isSyslog(out.To) {
		l.report(n.at("to"), in(n, "to: "+quote(out.To)+" is no place for a log"), "allowed: stdout, stderr, syslog, syslog://host:514, syslog+tcp://host:601, syslog:///run/its.sock, or the path of a file", "")
	}
	if slices.Contains(logWords(), out.To) || isURL {
		if r := n.child("rotate"); r != nil {
			l.report(r.head, in(r, "only files are put aside"), "", "")
		}
		return
	}
	if word := nearLogWord(out.To); word != "" {
		l.add(Warning, n.at("to"), in(n, "to: "+quote(out.To)+" is taken for the name of a file"), "",
			"did you mean "+quote(word)+"? For a file of that name write "+quote("./"+out.To))
	}
	out.To = l.absolute(out.To, n.at("to"))
}

// logWords are the places of a log that are no files and no URLs.
func logWords() []string { return []string{"stdout", "stderr", "syslog"} }

// nearLogWord returns which of the words was probably meant by what looks like no file, or "".
func nearLogWord(to string) string {
	best, least := "", 3
	if strings.ContainsAny(to, "/.") {
		return ""
	}
	for _, word := range logWords() {
		if d := spell.Distance(to, word, least); d < least {
			best, least = word, d
		}
	}
	return best
}

// isSyslog reports whether to is the URL of a syslog daemon: UDP or TCP to a host, or a unix socket.
func isSyslog(to string) bool {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "syslog" && u.Scheme != "syslog+tcp" {
		return false
	}
	if u.Host == "" {
		return u.Scheme == "syslog" && len(u.Path) > 1
	}
	port, err := strconv.ParseUint(cmp.Or(u.Port(), "514"), 10, 16)
	return err == nil && port > 0 && u.Hostname() != ""
}

// statusList is "404,500-599".
func statusList(ranges []StatusRange) string {
	var out []string
	for _, s := range ranges {
		text := strconv.Itoa(s.Low)
		if s.High != s.Low {
			text += "-" + strconv.Itoa(s.High)
		}
		out = append(out, text)
	}
	return strings.Join(out, ",")
}
