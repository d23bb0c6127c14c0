package h1

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"weir"
)

// mapOf returns the map of a whole head, as it is drawn of what was read, or nil.
func mapOf(head string) *headMap {
	m := new(headMap)
	buf := make([]byte, len(head)+64)
	copy(buf, head)
	for i := len(head); i < len(buf); i++ {
		buf[i] = "\n\r\n:"[i%4]
	}
	if m.draw(buf, len(head)) != len(head) {
		return nil
	}
	return m
}

// A map says the same as looking at each byte, whatever the input is and wherever it ends.
func TestHeadMap(t *testing.T) {
	if !canMap {
		t.Skip("this processor draws none")
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		buf := make([]byte, 1+rnd.IntN(400))
		for i := range buf {
			buf[i] = "\r\n:\t a\x00\x1f\x7f\x80\xffzzzzzzzzzzzzzzzzzzzz"[rnd.IntN(31)]
		}
		if rnd.IntN(2) == 0 {
			copy(buf[rnd.IntN(len(buf)):], "\r\n\r\n")
		}
		whole := append(buf[:len(buf):len(buf)], "\n\r\n\r\n\n\n:::::"+strings.Repeat("\n", 64)...)
		var m headMap
		end := m.draw(whole, len(buf))
		if want := max(headEnd(buf, 0), 0); end != want {
			t.Fatalf("the head of %q ends at %d, not at %d", buf, end, want)
		}
		checkMap(t, &m, string(buf[:end]))
	}
}

func checkMap(t *testing.T, m *headMap, head string) {
	t.Helper()
	for i := range len(head) {
		name := next(&m.special, i)
		value := next(&m.control, name)
		if want := i + strings.IndexFunc(head[i:], isSpecial); name != want {
			t.Fatalf("%q: the name at %d ends at %d, not at %d", head, i, name, want)
		}
		if want := name + 1 + valueLen(head[name+1:]); head[name] == ':' && value != want {
			t.Fatalf("%q: the value at %d ends at %d, not at %d", head, name+1, value, want)
		}
	}
}

func isSpecial(c rune) bool { return c == ':' || c < ' ' && c != '\t' || c == 0x7f }

func TestHeadMapHasLimits(t *testing.T) {
	buf := make([]byte, 8192)
	copy(buf[mapBlocks*64-2:], "\r\n\r\n")
	var m headMap
	if n := m.draw(buf, len(buf)); n != 0 {
		t.Errorf("the map of a head that is too long is %d long", n)
	}
	short := []byte("GET / HTTP/1.1\r\n\r\n")
	if n := m.draw(short, len(short)); n != 0 {
		t.Errorf("what stands behind the buffer was looked at: %d", n)
	}
	if n := m.draw(nil, 0); n != 0 {
		t.Errorf("nothing has a map: %d", n)
	}
}

// sameByMap has the head parsed with its map, too: nothing may come out differently.
func sameByMap(t *testing.T, head string, lim *Limits, want *weir.Request, framed *framing, fault *weir.Fault) {
	t.Helper()
	m := mapOf(head)
	if m == nil {
		return
	}
	var r weir.Request
	var f framing
	got := parseRequest(head, m, lim, &r, &f)
	if !reflect.DeepEqual(got, fault) {
		t.Fatalf("%q: by its map %v, without %v", head, got, fault)
	}
	if fault == nil && (!reflect.DeepEqual(&r, want) || !reflect.DeepEqual(&f, framed)) {
		t.Fatalf("%q: by its map\n%+v %+v, without\n%+v %+v", head, r, f, *want, *framed)
	}
}

// sameAnswerByMap is the same for answers.
func sameAnswerByMap(t *testing.T, head string, lim *Limits, method string, want *weir.Response, framed *framing, fault *weir.Fault) {
	t.Helper()
	m := mapOf(head)
	if m == nil {
		return
	}
	var r weir.Response
	var f framing
	got := parseResponse(head, m, lim, method, &r, &f)
	if !reflect.DeepEqual(got, fault) {
		t.Fatalf("%q: by its map %v, without %v", head, got, fault)
	}
	if fault == nil && (!reflect.DeepEqual(&r, want) || !reflect.DeepEqual(&f, framed)) {
		t.Fatalf("%q: by its map\n%+v %+v, without\n%+v %+v", head, r, f, *want, *framed)
	}
}
