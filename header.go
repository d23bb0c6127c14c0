package weir

// A Field is one header field line. Name is as it was sent (a protocol may write it in another
// case); Value has no white space at its ends.
type Field struct {
	Name, Value string
	ID          FieldID // of Name, 0 where the name is not a known one
	Wire        bool    // a codec has found Name and Value fit to stand in a head; a change of either clears it
	Line        bool    // and they are pieces of one string in which "Name: Value" is followed by CR LF
}

// A Header is a list of fields in the order they were sent. Names are compared without regard to
// case. The zero Header is empty and ready to use. It is not safe for concurrent use.
type Header struct{ fields []Field }

// Reset removes all fields and keeps the memory.
func (h *Header) Reset() {
	fields := h.fields
	for i := range fields {
		f := &fields[i]
		f.Name, f.Value = "", "" // the strings may be large
	}
	h.fields = h.fields[:0]
}

// Len returns the number of field lines.
func (h *Header) Len() int { return len(h.fields) }

// At returns the i-th field line, for reading. It must not be kept across a change of h.
func (h *Header) At(i int) *Field { return &h.fields[i] }

// Fields returns the field lines for reading; the slice is h's own.
func (h *Header) Fields() []Field { return h.fields }

// Clone returns a copy that shares no memory with h but the (immutable) strings.
func (h *Header) Clone() Header {
	return Header{fields: append([]Field(nil), h.fields...)}
}

// Add appends a field line.
func (h *Header) Add(name, value string) { h.fill(name, value, Identify(name), false) }

// AddKnown appends a field line with a known name.
func (h *Header) AddKnown(id FieldID, value string) { h.fill(id.String(), value, id, false) }

// AddWire is AddKnown with a value that is known to be fit for a head (see [Field].Wire).
func (h *Header) AddWire(id FieldID, value string) { h.fill(id.String(), value, id, true) }

// AddField appends f, whose ID, Wire and Line must be right: it is for a protocol that has found them already.
func (h *Header) AddField(f Field) { h.fill(f.Name, f.Value, f.ID, f.Wire).Line = f.Line }

// fill appends a field. It is filled in place, member by member: copying a field that has just been put together in
// wider pieces than it was stored in makes the processor wait.
func (h *Header) fill(name, value string, id FieldID, wire bool) *Field {
	f := &h.Room()[0]
	f.Name, f.Value, f.ID, f.Wire, f.Line = name, value, id, wire, false
	h.Keep(1)
	return f
}

// Room returns places for further fields, one at least, in which a protocol puts them together, every member of each. They
// are no fields of h before [Header.Keep].
func (h *Header) Room() []Field {
	n := len(h.fields)
	if n == cap(h.fields) {
		h.fields = append(h.fields, Field{})[:n]
	}
	return h.fields[n:cap(h.fields)]
}

// Keep makes the first n places of h's room its last fields.
func (h *Header) Keep(n int) { h.fields = h.fields[:len(h.fields)+n] }

// Get returns the value of the first field with that name, or "".
func (h *Header) Get(name string) string {
	v, _ := h.Lookup(name)
	return v
}

// Lookup returns the value of the first field with that name, and whether there is one.
func (h *Header) Lookup(name string) (string, bool) {
	if id := Identify(name); id != 0 {
		return h.LookupKnown(id)
	}
	for i := range h.fields {
		if f := &h.fields[i]; f.ID == 0 && EqualFold(f.Name, name) {
			return f.Value, true
		}
	}
	return "", false
}

// LookupKnown is Lookup by a known name.
func (h *Header) LookupKnown(id FieldID) (string, bool) {
	for i := range h.fields {
		if h.fields[i].ID == id {
			return h.fields[i].Value, true
		}
	}
	return "", false
}

// HasKnown reports whether there is a field with a known name.
func (h *Header) HasKnown(id FieldID) bool {
	for i := range h.fields {
		if h.fields[i].ID == id {
			return true
		}
	}
	return false
}

// Known returns the value of the first field with a known name, or "".
func (h *Header) Known(id FieldID) string {
	v, _ := h.LookupKnown(id)
	return v
}

// Values appends the values of all fields with that name to dst.
func (h *Header) Values(dst []string, name string) []string {
	id := Identify(name)
	for i := range h.fields {
		if h.fields[i].is(id, name) {
			dst = append(dst, h.fields[i].Value)
		}
	}
	return dst
}

// Set leaves exactly one field with that name, in the place of the first one.
func (h *Header) Set(name, value string) { h.set(Identify(name), name, value) }

// SetKnown is Set by a known name.
func (h *Header) SetKnown(id FieldID, value string) { h.set(id, id.String(), value) }

func (h *Header) set(id FieldID, name, value string) {
	found := false
	kept := h.fields[:0]
	for _, f := range h.fields {
		if f.is(id, name) {
			if found {
				continue
			}
			found = true
			f.Value, f.Wire, f.Line = value, false, false
		}
		kept = append(kept, f)
	}
	h.truncate(kept)
	if !found {
		h.fields = append(h.fields, Field{Name: name, Value: value, ID: id})
	}
}

// Del removes all fields with that name.
func (h *Header) Del(name string) {
	id := Identify(name)
	h.DelFunc(func(f *Field) bool { return f.is(id, name) })
}

// DelKnown removes all fields with a known name.
func (h *Header) DelKnown(id FieldID) {
	for i := range h.fields {
		if h.fields[i].ID == id {
			h.DelFunc(func(f *Field) bool { return f.ID == id })
			return
		}
	}
}

// DelFunc removes the fields for which drop is true.
func (h *Header) DelFunc(drop func(*Field) bool) {
	kept := h.fields[:0]
	for i := range h.fields {
		if !drop(&h.fields[i]) {
			kept = append(kept, h.fields[i])
		}
	}
	h.truncate(kept)
}

func (h *Header) truncate(kept []Field) {
	clear(h.fields[len(kept):])
	h.fields = kept
}

func (f *Field) is(id FieldID, name string) bool {
	if id != 0 || f.ID != 0 {
		return f.ID == id
	}
	return EqualFold(f.Name, name)
}

// EqualFold reports whether a and b are equal but for the case of ASCII letters.
func EqualFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if a[i] != b[i] && lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
