package weir

import (
	"reflect"
	"strings"
	"testing"
)

func headerOf(lines ...string) *Header {
	h := &Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

func linesOf(h *Header) []string {
	lines := []string{}
	for _, f := range h.Fields() {
		lines = append(lines, f.Name+": "+f.Value)
	}
	return lines
}

func expect(t *testing.T, what string, h *Header, want ...string) {
	t.Helper()
	if got := linesOf(h); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
	for i := range h.Len() {
		if f := h.At(i); f.ID != Identify(f.Name) {
			t.Errorf("%s: %s has the number %d", what, f.Name, f.ID)
		}
	}
}

func TestHeaderReads(t *testing.T) {
	h := headerOf("host: a", "X-One: 1", "COOKIE: b", "x-one: 2", "X-Empty: ")
	for _, c := range []struct {
		name, want string
		ok         bool
	}{
		{"Host", "a", true},
		{"cookie", "b", true},
		{"x-ONE", "1", true},
		{"X-Empty", "", true},
		{"X-None", "", false},
		{"Accept", "", false},
	} {
		if got, ok := h.Lookup(c.name); got != c.want || ok != c.ok || h.Get(c.name) != c.want {
			t.Errorf("Lookup(%q) = %q, %v", c.name, got, ok)
		}
	}
	if h.Known(FieldCookie) != "b" || h.Known(FieldAge) != "" || !h.HasKnown(FieldHost) || h.HasKnown(FieldAge) {
		t.Error("known names are not found, or found where there are none")
	}
	if got := h.Values([]string{"0"}, "X-One"); !reflect.DeepEqual(got, []string{"0", "1", "2"}) {
		t.Errorf("Values: %q", got)
	}
	if got := h.Values(nil, "host"); !reflect.DeepEqual(got, []string{"a"}) {
		t.Errorf("Values of a known name: %q", got)
	}
}

func TestHeaderSet(t *testing.T) {
	h := headerOf("A: 1", "X-B: 2", "a: 3", "x-b: 4")
	h.Set("x-b", "5")
	expect(t, "the first one keeps its place and spelling, the others go", h, "A: 1", "X-B: 5", "a: 3")
	h.Set("New", "6")
	expect(t, "a new one comes last", h, "A: 1", "X-B: 5", "a: 3", "New: 6")
	h.SetKnown(FieldETag, "7")
	h.SetKnown(FieldETag, "8")
	expect(t, "a known one", h, "A: 1", "X-B: 5", "a: 3", "New: 6", "ETag: 8")
}

// A value that a codec has not seen must be looked at again before it is written.
func TestHeaderSetClearsWire(t *testing.T) {
	h := &Header{}
	h.AddField(Field{Name: "Via", Value: "a", ID: FieldVia, Wire: true})
	h.AddField(Field{Name: "X-A", Value: "a", Wire: true})
	h.Set("via", "b")
	if h.At(0).Wire || !h.At(1).Wire {
		t.Errorf("Wire of the changed field is %v, of the other %v", h.At(0).Wire, h.At(1).Wire)
	}
}

func TestHeaderDeletes(t *testing.T) {
	h := headerOf("Cookie: 1", "X-B: 2", "X-C: 3", "cookie: 4", "x-b: 5")
	h.Del("x-B")
	expect(t, "Del", h, "Cookie: 1", "X-C: 3", "cookie: 4")
	h.DelKnown(FieldAge)
	expect(t, "DelKnown of what is not there", h, "Cookie: 1", "X-C: 3", "cookie: 4")
	h.DelKnown(FieldCookie)
	expect(t, "DelKnown", h, "X-C: 3")
	h.AddKnown(FieldVia, "x")
	h.DelFunc(func(f *Field) bool { return f.ID == FieldOther })
	expect(t, "DelFunc", h, "Via: x")
	h.Del("Via")
	expect(t, "Del of the last", h)
}

// What was deleted must not be kept alive, nor come back.
func TestHeaderForgets(t *testing.T) {
	h := headerOf("A: 1", "B: 2", "C: 3")
	h.Del("B")
	if tail := h.fields[:3][2]; tail != (Field{}) {
		t.Errorf("behind the end there is %v", tail)
	}
	h.Reset()
	if h.Len() != 0 || cap(h.fields) == 0 || h.fields[:2][0] != (Field{}) {
		t.Error("Reset keeps fields, or gives up the memory")
	}
}

func TestHeaderClone(t *testing.T) {
	h := headerOf("A: 1", "B: 2")
	c := h.Clone()
	h.Set("A", "x")
	h.Del("B")
	expect(t, "the clone", &c, "A: 1", "B: 2")
	c.Set("B", "y")
	expect(t, "what was cloned", h, "A: x")
}

func TestHeaderDoesNotAllocate(t *testing.T) {
	h := headerOf("Accept: a", "Cookie: b", "X-Own: c")
	n := testing.AllocsPerRun(100, func() {
		h.Reset()
		h.Add("X-Own", "1")
		h.AddKnown(FieldCookie, "2")
		h.Set("x-own", h.Get("cookie"))
		h.SetKnown(FieldAccept, "3")
		h.Del("COOKIE")
	})
	if n != 0 {
		t.Errorf("work on a header that has memory allocates %v times", n)
	}
}

func TestEqualFold(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"", "", true},
		{"x-Request-ID", "X-REQUEST-id", true},
		{"a", "ab", false},
		{"[", "{", false},
		{"@", "`", false},
		{"k", "\u212a", false}, // the Kelvin sign, which Unicode folds to k
	} {
		if got := EqualFold(c.a, c.b); got != c.want {
			t.Errorf("EqualFold(%q, %q) = %v", c.a, c.b, got)
		}
	}
}
