package assemble

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"weir"
	"weir/config"
	"weir/upstream"
)

// An Explanation is what would become of a request, and why: found out by the engine's own router, chain and
// balancers, without sending anything.
type Explanation struct {
	Request  string   `json:"request"` // "GET http://shop.example.com/a"
	Protocol string   `json:"protocol"`
	Client   string   `json:"client"`
	Listener string   `json:"listener"`
	Why      string   `json:"listener_why,omitempty"` // it was chosen although the URL's port leads to none
	Host     string   `json:"host"`                   // as the router compares it
	Path     string   `json:"path"`                   // in normal form
	Site     string   `json:"site,omitempty"`
	SiteWhy  string   `json:"site_why"`
	Broken   []string `json:"broken,omitempty"`  // why the site is not served as it is written
	Perhaps  []string `json:"perhaps,omitempty"` // where it might have gone if that could be read
	Route    string   `json:"route,omitempty"`
	Params   []string `json:"params,omitempty"` // "id=7"

	Routes    []RouteVerdict         `json:"routes"`          // all of the site's, in order of precedence
	Steps     []string               `json:"steps,omitempty"` // the chain, outermost first
	Upstreams []upstream.Explanation `json:"upstreams,omitempty"`
	Sent      *Sent                  `json:"sent,omitempty"`   // nil: weir answers itself
	Answer    *Answer                `json:"answer,omitempty"` // nil: the server's
	Note      string                 `json:"note,omitempty"`
}

// A RouteVerdict is what became of one route.
type RouteVerdict struct {
	Label  string `json:"label"`
	At     string `json:"at,omitempty"` // "weir.hcl:12"
	Won    bool   `json:"won"`
	Reason string `json:"reason"`
}

// Sent is the request as a server would see it.
type Sent struct {
	Method string   `json:"method"`
	Target string   `json:"target"` // path and query
	Host   string   `json:"host"`
	Header []string `json:"header"` // "Name: value"
}

// An Answer is what weir itself answers.
type Answer struct {
	Status  int      `json:"status"` // 0: none, the connection or the stream ends
	Header  []string `json:"header,omitempty"`
	Cause   string   `json:"cause,omitempty"` // where it is a failure
	Meaning string   `json:"meaning,omitempty"`
	Remedy  string   `json:"remedy,omitempty"`
}

func (g *generation) explain(e *Engine, q Request) (*Explanation, error) {
	u, err := splitURL(q.URL)
	if err != nil {
		return nil, err
	}
	l, why, err := g.choose(q.Listener, u)
	if err != nil {
		return nil, err
	}
	q.Listener, q.Version = l.Name, cmp.Or(q.Version, version(l, u))
	if protocolOf[q.Version] == "" {
		return nil, fmt.Errorf("%q is no version of HTTP: there are 1.0, 1.1, 2 and 3", q.Version)
	}
	if q.Version == "3" && u.scheme == "http" {
		return nil, errors.New("HTTP/3 is always encrypted: write https://")
	}
	x, err := g.exchange(q)
	if x == nil {
		return nil, err
	}
	out := &Explanation{
		Request:  x.Request.Method + " " + x.Request.Scheme + "://" + x.Request.Authority + x.Request.Target(),
		Protocol: versionName(q.Version), Client: x.ClientIP, Listener: l.Name, Why: why,
	}
	if x.Request.Path == "*" {
		out.Request = x.Request.Method + " * of " + x.Request.Scheme + "://" + x.Request.Authority
	}
	if out.Answer, out.Note = meet(l, &q, u); out.Answer == nil {
		err = g.explainRequest(e, x, err, g.seals(l, u), out)
	} else {
		err = nil
	}
	if u.fragment != "" {
		out.also("a client keeps what stands behind # to itself")
	}
	return out, err
}

// explainRequest tells what becomes of a request that is read; refusal is why it is not understood. sealed: there is a
// certificate for whom it is for.
func (g *generation) explainRequest(e *Engine, x *weir.Exchange, refusal error, sealed bool, out *Explanation) error {
	if refusal != nil && sealed {
		x.Fail(refusal)
		out.Answer, out.Note = answer(x), "refused before any route is looked for: "+refusal.Error()
		var reset *resetError
		if errors.As(refusal, &reset) {
			out.Answer.Status, out.Answer.Header = 0, nil
			out.also("the stream is reset, and the log has status 400")
		}
		return nil
	}
	found := g.router.Explain(x)
	out.Host, out.Path, out.Site, out.SiteWhy, out.Note = found.Host, found.Path, found.Site, found.SiteWhy, found.Note
	g.tellBroken(out)
	if !sealed {
		out.Answer = &Answer{}
		out.Note = "there is no certificate for that name: the handshake is refused (unrecognized_name), and no request is read"
		return nil
	}
	for _, v := range found.Verdicts {
		out.Routes = append(out.Routes, RouteVerdict{Label: v.Label, At: place(v.Pos), Won: v.Won, Reason: v.Reason})
	}
	if found.Route == nil {
		if found.Fault != nil {
			x.Fail(found.Fault)
		}
		out.Answer = answer(x)
		return nil
	}
	out.Route, out.Steps = found.Route.Name, g.stepsOf(found.Route)
	for _, p := range found.Params {
		out.Params = append(out.Params, p.Name+"="+p.Value)
	}
	return g.explainChain(e, x, found.Route, found.Params, out)
}

// also adds to the note.
func (e *Explanation) also(text string) {
	if e.Note != "" {
		text = e.Note + "; " + text
	}
	e.Note = text
}

// explainChain tells what the chain of the route does.
func (g *generation) explainChain(e *Engine, x *weir.Exchange, r *weir.Route, params []weir.Param, out *Explanation) error {
	x.Route = r
	x.Params = append(x.Params[:0], params...)
	rc := g.routeConfig(r)
	if rc == nil {
		if err := r.Handler.ServeExchange(x); err != nil {
			x.Fail(err)
		}
		out.Answer = answer(x)
		return nil
	}
	run, err := g.try(e, x, rc)
	if err != nil {
		return err
	}
	if run.sent == nil {
		out.Answer = answer(x)
		return nil
	}
	q := &run.sent.Request
	out.Sent = &Sent{Method: q.Method, Target: q.Target(), Host: q.Authority, Header: lines(&q.Header)}
	for _, name := range leads(rc) {
		if p := g.pools[name]; p != nil {
			out.Upstreams = append(out.Upstreams, p.Explain(run.sent))
		}
	}
	return nil
}

// leads returns the upstreams that a route may ask.
func leads(r *config.Route) []string {
	if r.Split == nil {
		return []string{r.Proxy}
	}
	var names []string
	for _, to := range r.Split.To {
		names = append(names, to.Upstream)
	}
	return names
}

func place(pos fmt.Stringer) string {
	if pos == nil {
		return ""
	}
	return pos.String()
}

func lines(h *weir.Header) []string {
	out := []string{}
	for _, f := range h.Fields() {
		out = append(out, f.Name+": "+discreet(f.Name, f.Value))
	}
	return out
}

// secretNames are parts of the names of fields whose values are not shown: explanations are read by more people than
// configurations are.
var secretNames = []string{"authorization", "cookie", "secret", "token", "password", "passwd", "api-key", "apikey", "credential", "private"}

func discreet(name, value string) string {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	for _, s := range secretNames {
		if strings.Contains(name, s) {
			return "***"
		}
	}
	return value
}

func answer(x *weir.Exchange) *Answer {
	a := &Answer{Status: x.Response.Status, Header: lines(&x.Response.Header)}
	if f := x.Fault; f != nil {
		a.Cause, a.Meaning, a.Remedy = f.Cause.String(), f.Cause.Meaning(), f.Cause.Remedy()
	}
	x.Response.Discard()
	return a
}

// Write writes the explanation for people.
func (e *Explanation) Write(w io.Writer, color bool) error {
	p := &printer{w: w, color: color}
	by := ""
	if e.Protocol != "HTTP/1.1" {
		by = " by " + e.Protocol
	}
	p.line("request", e.Request+" from "+e.Client+by)
	why := ""
	if e.Why != "" {
		why = "  " + p.faint("("+e.Why+")")
	}
	p.line("listener", e.Listener+why)
	if e.SiteWhy != "" {
		p.line("site", strings.TrimSpace(e.Site+"  "+p.faint("("+e.SiteWhy+")")))
	}
	p.each("broken", e.Broken)
	p.each("perhaps", e.Perhaps)
	for _, r := range e.Routes {
		mark, label := "  ", r.Label
		if r.Won {
			mark, label = "> ", p.bold(r.Label)
		}
		p.line("route", mark+label+"  "+p.faint(strings.TrimSpace(r.Reason+"  "+r.At)))
	}
	p.optional("params", strings.Join(e.Params, ", "))
	p.optional("chain", strings.Join(e.Steps, " > "))
	if s := e.Sent; s != nil {
		p.line("sends", s.Method+" "+s.Target+" to host "+s.Host)
		for _, h := range s.Header {
			p.line("", "  "+h)
		}
	}
	for _, u := range e.Upstreams {
		p.upstream(u)
	}
	if a := e.Answer; a != nil {
		p.line("answers", a.status())
		for _, h := range a.Header {
			p.line("", "  "+h)
		}
		p.optional("cause", a.Cause)
		p.optional("meaning", a.Meaning)
		p.optional("remedy", a.Remedy)
	}
	p.optional("note", e.Note)
	return p.err
}

func (a *Answer) status() string {
	if a.Status == 0 {
		return "nothing"
	}
	return strconv.Itoa(a.Status)
}

// A printer writes lines with a label and keeps the first error.
type printer struct {
	w     io.Writer
	color bool
	last  string
	err   error
}

func (p *printer) line(label, text string) {
	if label == p.last {
		label = ""
	} else if label != "" {
		p.last = label
	}
	if _, err := fmt.Fprintf(p.w, "%-9s %s\n", label, text); err != nil && p.err == nil {
		p.err = err
	}
}

func (p *printer) optional(label, text string) {
	if text != "" {
		p.line(label, text)
	}
}

func (p *printer) each(label string, texts []string) {
	for _, text := range texts {
		p.line(label, text)
	}
}

func (p *printer) upstream(u upstream.Explanation) {
	text := u.Upstream + ", " + u.Balance
	if u.Key != "" {
		text += " by " + u.Key
	}
	p.line("upstream", text)
	for i, s := range u.Servers {
		label := "  " + s.Name
		if i == 0 && s.Asked {
			label = "> " + p.bold(s.Name)
		}
		if s.Address != s.Name {
			label += " at " + s.Address
		}
		if s.Speaks != "" {
			label += " by " + s.Speaks
		}
		p.line("", label+"  "+p.faint(s.Reason))
	}
}

func (p *printer) bold(s string) string  { return p.paint("1", s) }
func (p *printer) faint(s string) string { return p.paint("2", s) }

func (p *printer) paint(code, s string) string {
	if !p.color || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}
