package assemble

import (
	"reflect"
	"strings"

	"weir"
	"weir/config"
)

// shared is what routes of one generation have in common.
type shared struct {
	features []feature
	links    map[linkKey]*link
	lists    map[string][]string // of features' names
	logged   map[logsKey]weir.Observer
}

func newShared() shared {
	return shared{features(), map[linkKey]*link{}, map[string][]string{}, map[logsKey]weir.Observer{}}
}

// A link is a feature with some settings. Routes of one generation that have the same settings have the same link,
// and if what follows is the same, too, the same handler: many routes then have few handlers, which stay in the caches.
type link struct {
	name  string
	phase weir.Phase
	wrap  weir.Middleware
	made  map[weir.Handler]weir.Handler // by what follows; nil: the link is one route's own
}

// A linkKey tells links apart: by the feature's name and its settings.
type linkKey struct {
	name     string
	settings any
}

// link makes what a feature is for a route; nil: the route does not ask for it.
func (b *builder) link(f *feature, r *config.Route) (*link, error) {
	key := linkKey{f.name, f.key(r)}
	if key.settings == nil {
		return nil, nil
	}
	if l := b.links[key]; l != nil {
		return l, nil
	}
	wrap, err := f.make(b, r)
	if err != nil || wrap == nil {
		return nil, err
	}
	l := newLink(f.name, f.phase, wrap)
	b.links[key] = l
	return l, nil
}

func newLink(name string, phase weir.Phase, wrap weir.Middleware) *link {
	return &link{name: name, phase: phase, wrap: wrap, made: map[weir.Handler]weir.Handler{}}
}

// before puts the link before next, for this route alone or for all that have both.
func (l *link) before(next weir.Handler, alone bool) weir.Handler {
	if alone {
		return l.wrap(next)
	}
	h := l.made[next]
	if h == nil {
		h = l.wrap(next)
		l.made[next] = h
	}
	return h
}

// chain puts the features that the route asks for before end.
func (b *builder) chain(v *siteVersion, r *config.Route, end weir.Handler) (weir.Handler, []string, error) {
	var steps []weir.Step
	var names []string
	_, many := end.(*pool) // all others are a route's own
	add := func(l *link) {
		names = append(names, l.name)
		steps = append(steps, weir.Step{Phase: l.phase, Name: l.name, Wrap: func(next weir.Handler) weir.Handler {
			many = many && reflect.TypeOf(next).Comparable()
			return l.before(next, !many)
		}})
	}
	if v.https != nil {
		add(v.https)
	}
	for i := range b.features {
		l, err := b.link(&b.features[i], r)
		if err != nil {
			return nil, nil, err
		}
		if l != nil {
			add(l)
		}
	}
	return weir.Chain(steps, end), b.names(names), nil
}

// names returns a list like that one, the same for all routes that have it.
func (b *builder) names(list []string) []string {
	key := strings.Join(list, "\n")
	if _, known := b.lists[key]; !known {
		b.lists[key] = list
	}
	return b.lists[key]
}
