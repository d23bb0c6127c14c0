package section

import (
	"testing"

	"weir"
)

func TestSendable(t *testing.T) {
	for _, c := range []struct {
		f     weir.Field
		value string
		ok    bool
	}{
		{weir.Field{Name: "X-A", Value: "b"}, "b", true},
		{weir.Field{Name: "X-A", Value: " \tb "}, "b", true},
		{weir.Field{Name: "X-A", Value: ""}, "", true},
		{weir.Field{Name: "X-A", Value: "b\r\nX-B: c"}, "", false},
		{weir.Field{Name: "X A", Value: "b"}, "", false},
		{weir.Field{Name: "", Value: "b"}, "", false},
		{weir.Field{Name: "Host", ID: weir.FieldHost, Value: "b"}, "", false},
		{weir.Field{Name: "Keep-Alive", ID: weir.FieldKeepAlive, Value: "b", Wire: true}, "", false},
		{weir.Field{Name: "Date", ID: weir.FieldDate, Value: "b", Wire: true}, "b", true},
	} {
		if value, ok := Sendable(&c.f); ok != c.ok || ok && value != c.value {
			t.Errorf("%+v: %q, %v", c.f, value, ok)
		}
	}
}

// The examples of RFC 7541, section C.1, and the limits between lengths.
func TestAppendInt(t *testing.T) {
	for _, c := range []struct {
		first byte
		bits  uint
		n     int
		want  string
	}{
		{0, 5, 10, "\x0a"},
		{0, 5, 1337, "\x1f\x9a\x0a"},
		{0, 8, 42, "\x2a"},
		{0xe0, 5, 30, "\xfe"},
		{0xe0, 5, 31, "\xff\x00"},
		{0x80, 7, 126, "\xfe"},
		{0x80, 7, 127 + 128, "\xff\x80\x01"},
	} {
		if got := string(AppendInt(nil, c.first, c.bits, c.n)); got != c.want {
			t.Errorf("%d in %d bits: %x, want %x", c.n, c.bits, got, c.want)
		}
	}
	if got := string(AppendString(AppendLower(nil, "X-Ab["), "Cd")); got != "x-ab[\x02Cd" {
		t.Errorf("%q", got)
	}
}
