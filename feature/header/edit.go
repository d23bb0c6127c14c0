package header

import (
	"fmt"
	"strings"

	"weir"
	"weir/internal/syntax"
)

// edits are Fields, made ready.
type edits struct {
	remove             names
	set, add, defaults []setting
	request            bool
	twins              twins // of a request: what goes with what is removed and set
}

// A setting is one name and its value.
type setting struct {
	id    weir.FieldID
	name  string
	value *weir.Template
}

// newEdits returns nil where there is nothing to do.
func newEdits(f Fields, params []string, others map[weir.FieldID]string) (*edits, error) {
	var e edits
	var err error
	if e.remove, err = newNames(f.Remove, others); err != nil {
		return nil, err
	}
	for _, part := range []struct {
		to   *[]setting
		from []Pair
	}{{&e.set, f.Set}, {&e.add, f.Add}, {&e.defaults, f.Default}} {
		for _, p := range part.from {
			s, err := newSetting(p, params, others)
			if err != nil {
				return nil, err
			}
			*part.to = append(*part.to, s)
		}
	}
	if e.remove.empty() && len(e.set)+len(e.add)+len(e.defaults) == 0 {
		return nil, nil
	}
	return &e, nil
}

// newRequestEdits returns edits that look at the twins of names as well.
func newRequestEdits(f Fields, params []string) (*edits, error) {
	e, err := newEdits(f, params, requestFields)
	if e != nil {
		e.request, e.twins = true, newTwins(f)
	}
	return e, err
}

func newSetting(p Pair, params []string, others map[weir.FieldID]string) (setting, error) {
	if err := checkName(p.Name, others); err != nil {
		return setting{}, err
	}
	t, err := weir.ParseTemplate(p.Value, params...)
	if err != nil {
		return setting{}, fmt.Errorf("field %q: %w", p.Name, err)
	}
	if !syntax.IsValue(p.Value) {
		return setting{}, fmt.Errorf("field %q: the value %q holds a control character", p.Name, p.Value)
	}
	return setting{weir.Identify(p.Name), p.Name, t}, nil
}

// noteValue is for the log, where a value is not sent because it would break out of its line.
const noteValue = "a header value with a control character was not sent"

// text is the value for x; "" where nothing is to be sent.
func (s *setting) text(x *weir.Exchange) string {
	v := strings.Trim(s.value.String(x), " \t")
	if !syntax.IsValue(v) {
		x.Note = noteValue
		return ""
	}
	return v
}

// apply does to h, a header of x, what was asked for.
func (e *edits) apply(h *weir.Header, x *weir.Exchange) {
	if !e.remove.empty() {
		h.DelFunc(e.remove.match)
	}
	if len(e.twins.names)+len(e.twins.prefixes) > 0 {
		e.twins.removeFrom(h)
	}
	for i := range e.set {
		if s := &e.set[i]; s.id != weir.FieldOther {
			setKnown(h, s.id, s.text(x))
		} else {
			setOther(h, s.name, s.text(x))
		}
	}
	for i := range e.add {
		e.add[i].addTo(h, x)
	}
	for i := range e.defaults {
		if s := &e.defaults[i]; !s.in(h) && !(e.request && hasTwin(h, s.name)) {
			s.addTo(h, x)
		}
	}
}

// hides reports whether f, of a trailer, is one that is removed from the header or set there.
func (e *edits) hides(f *weir.Field) bool {
	if e.remove.match(f) || e.twins.match(f) {
		return true
	}
	for i := range e.set {
		if s := &e.set[i]; s.id == f.ID && (s.id != weir.FieldOther || weir.EqualFold(s.name, f.Name)) {
			return true
		}
	}
	return false
}

func setKnown(h *weir.Header, id weir.FieldID, value string) {
	if value == "" {
		h.DelKnown(id)
	} else {
		h.SetKnown(id, value)
	}
}

func setOther(h *weir.Header, name, value string) {
	if value == "" {
		h.Del(name)
	} else {
		h.Set(name, value)
	}
}

func (s *setting) addTo(h *weir.Header, x *weir.Exchange) {
	if v := s.text(x); v != "" {
		h.AddField(weir.Field{Name: s.name, Value: v, ID: s.id})
	}
}

func (s *setting) in(h *weir.Header) bool {
	if s.id != weir.FieldOther {
		return h.HasKnown(s.id)
	}
	_, ok := h.Lookup(s.name)
	return ok
}
