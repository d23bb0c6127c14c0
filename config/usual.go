package config

import "slices"

// usualName stands for a file in what is said of the usual listeners.
const usualName = "(the usual listeners)"

// usualListeners are those of a configuration that has none.
const usualListeners = `listener "http" { address = ":80" }
listener "https" {
  address = ":443"
  tls {}
}
`

// usual gives a configuration that has sites and no listener the usual ones. Where there are other files, or one that
// cannot be read, a listener may have got lost with them, and its absence is an error.
func (l *loader) usual() {
	has := func(name string) bool {
		return slices.ContainsFunc(l.tops, func(it item) bool { return it.name == name })
	}
	if l.partial || has("include") || has("listener") || !has("site") {
		return
	}
	l.sources[usualName] = []byte(usualListeners)
	items, _ := l.parts(usualName, l.sources[usualName])
	l.tops = append(l.tops, items...)
}

// Usual reports whether the configuration does not write the listener.
func (l *Listener) Usual() bool { return l.Pos.File == usualName }
