package assemble

import (
	"slices"
	"strconv"
	"strings"

	"weir"
	"weir/config"
	"weir/observe"
)

// A walk follows redirects as a client does that keeps no cookies.
type walk struct {
	g      *generation
	e      *Engine
	owners map[*weir.Route]owner
	hosts  map[string]bool // that sites name
	known  map[hop]step    // what was found out, by hops of which nothing is known but the request
}

// A step is what becomes of a hop.
type step struct {
	by *config.Route
	to hop
	ok bool // there is one
}

// An owner is what the configuration says of a route.
type owner struct {
	site  *siteVersion
	vague bool // the site has routes that could not be read
	*config.Route
}

// A hop is a request on the way, and what sends it on.
type hop struct {
	url      url
	listener string
	by       *config.Route // nil: it is sent to https
}

// from is the URL without what it has in common with the first.
func (h *hop) from(first *hop) string {
	if h.url.scheme == first.url.scheme && h.url.authority == first.url.authority {
		return h.url.target
	}
	return h.url.String()
}

func newWalk(g *generation, e *Engine) *walk {
	w := &walk{g: g, e: e, owners: map[*weir.Route]owner{}, hosts: map[string]bool{}, known: map[hop]step{}}
	for _, v := range g.sites {
		if v.state != observe.SiteOK {
			continue
		}
		for _, h := range v.Hosts {
			w.hosts[strings.ToLower(h)] = true
		}
		vague := slices.ContainsFunc(v.Routes, v.isVague)
		for i, r := range v.routes {
			w.owners[r] = owner{v, vague, v.Routes[i]}
			w.hosts[strings.ToLower(v.Routes[i].Host)] = true // "" is no host of a URL
		}
	}
	return w
}

// start is a request for a route. There is none where the site is on no listener as its certificates want it.
func (w *walk) start(v *siteVersion, r *config.Route) (hop, bool) {
	u := url{scheme: "http", authority: firstHost(v.Hosts), target: samplePath(r.Pattern)}
	if r.Host != "" {
		u.authority = firstHost([]string{r.Host})
	}
	if v.sealing != nil {
		u.scheme = "https"
	}
	for i := range w.g.snapshot.Listeners {
		l := &w.g.snapshot.Listeners[i]
		if !isOn(v.On, l.Name) || (l.TLS != nil) != (v.sealing != nil) {
			continue
		}
		if _, usual := u.split(); portIn(l.Address) != 0 && strconv.Itoa(portIn(l.Address)) != usual {
			u.authority += ":" + strconv.Itoa(portIn(l.Address))
		}
		return hop{url: u, listener: l.Name}, true
	}
	return hop{}, false
}

// maxHops is how many redirects browsers follow.
const maxHops = 20

// follow returns the requests that come of one, and from which of them on they go round for ever: none where that is the
// length of the way. Of a way without an end that never comes to the same request twice that is the second half.
func (w *walk) follow(h hop) (way []hop, from int) {
	for len(way) < maxHops {
		next, ok := w.known[h]
		if !ok {
			next = w.next(h)
			w.known[h] = next
		}
		if !next.ok {
			return way, len(way)
		}
		h.by = next.by
		same := slices.Index(way, h)
		way = append(way, h)
		if same >= 0 {
			return way, same
		}
		h = next.to
	}
	return way, maxHops / 2
}

// next finds out what sends a request on, and where to. It is not known where something could not be read.
func (w *walk) next(h hop) (s step) {
	x, err := w.g.exchange(Request{URL: h.url.String(), Listener: h.listener})
	if err != nil {
		return step{}
	}
	found, err := w.g.router.Lookup(x)
	o, ok := w.owners[found]
	if err != nil || !ok || o.site.isVague(o.Route) || o.vague && o.site.isDoubtful(x.Request.Path) {
		return step{}
	}
	if h.url.scheme == "https" || o.site.sealing == nil || tlsOf(o.site.Site).NoRedirect {
		if s.by = o.Route; s.by.Redirect == nil {
			return step{}
		}
	}
	if _, err := w.g.tryOf(w.e, x, o.site, o.Route); err != nil {
		return step{}
	}
	s.to, s.ok = w.led(&h, &x.Response)
	return s
}

// led returns where a response leads. One that sets a cookie may lead elsewhere the next time.
func (w *walk) led(h *hop, r *weir.Response) (hop, bool) {
	place := r.Header.Known(weir.FieldLocation)
	if place == "" || r.Header.Known(weir.FieldSetCookie) != "" {
		return hop{}, false
	}
	if strings.HasPrefix(place, "/") {
		u, err := splitURL(h.url.scheme + "://" + h.url.authority + place)
		u.fragment = ""
		return hop{url: u, listener: h.listener}, err == nil
	}
	u, err := splitURL(place)
	if err != nil {
		return hop{}, false
	}
	u.fragment = ""
	listener, ok := w.reached(h, u)
	return hop{url: u, listener: listener}, ok
}

// reached returns the listener that surely is at a URL: one with its port, for a host that leads here.
func (w *walk) reached(h *hop, u url) (listener string, sure bool) {
	host, port := u.split()
	here, _ := h.url.split()
	if !strings.EqualFold(host, here) && !w.hosts[strings.ToLower(host)] {
		return "", false
	}
	var all []string
	for i := range w.g.snapshot.Listeners {
		if l := &w.g.snapshot.Listeners[i]; strconv.Itoa(portIn(l.Address)) == port && (l.TLS != nil) == (u.scheme == "https") {
			all = append(all, l.Name)
		}
	}
	switch {
	case slices.Contains(all, h.listener):
		return h.listener, true
	case len(all) == 1:
		return all[0], true
	}
	return "", false
}
