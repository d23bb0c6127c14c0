package h3

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/qpack"

	"weir"
	"weir/internal/syntax"
	"weir/proto/internal/section"
)

// theirs encodes a section as quic-go does.
func theirs(t testing.TB, pairs ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	e := qpack.NewEncoder(&b)
	for i := 0; i < len(pairs); i += 2 {
		if err := e.WriteField(qpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// The static table is the one that others have, entry by entry.
func TestStaticTable(t *testing.T) {
	for i, e := range staticTable {
		section := appendIndexed(appendPrefix(nil), i)
		f, err := qpack.NewDecoder().Decode(section)()
		if err != nil || f.Name != e.name || f.Value != e.value {
			t.Errorf("%d: %q %q, they have %q %q, %v", i, e.name, e.value, f.Name, f.Value, err)
		}
	}
	if _, err := qpack.NewDecoder().Decode(appendIndexed(appendPrefix(nil), len(staticTable)))(); err == nil {
		t.Error("the table goes on")
	}
}

// What the encoder writes others read, and so do we.
func TestEncode(t *testing.T) {
	var h weir.Header
	want := []string{}
	add := func(name, value string) {
		h.Add(name, value)
		want = append(want, strings.ToLower(name), value)
	}
	for i := range staticTable {
		if e := &staticTable[i]; e.name[0] != ':' && !section.Own(weir.Identify(e.name)) {
			add(e.name, e.value)
			add(strings.ToUpper(e.name), e.value+"x")
		}
	}
	add("X-Long-"+strings.Repeat("n", 300), strings.Repeat("v", 5000))
	add("A", "")
	got := appendFields(appendPrefix(nil), &h)
	next := qpack.NewDecoder().Decode(got)
	for i := 0; ; i += 2 {
		f, err := next()
		if err == io.EOF && i == len(want) {
			break
		}
		if err != nil || f.Name != want[i] || f.Value != want[i+1] {
			t.Fatalf("%q %q, %v; want %q %q", f.Name, f.Value, err, want[i], want[i+1])
		}
	}
	var d sectionDecoder
	if err := d.decode(got, 1<<20, 1000); err != nil || len(d.lines) != len(want)/2 {
		t.Fatalf("%d lines, %v", len(d.lines), err)
	}
}

// What is decoded stands in the text as in an HTTP/1 head.
func TestDecodedText(t *testing.T) {
	var d sectionDecoder
	if err := d.decode(theirs(t, ":path", "/x", "accept", "*/*", "a-name", "a value", "b", ""), 1000, 10); err != nil {
		t.Fatal(err)
	}
	const want = ":path: /x\r\naccept: */*\r\na-name: a value\r\nb: \r\n"
	if string(d.text) != want || d.size != len(":path/xaccept*/*a-namea valueb")+4*32 {
		t.Errorf("%q, %d", d.text, d.size)
	}
	var s section.Section
	var h weir.Header
	if err := readSection(&s, section.Request, &d, string(d.text), &h); err != section.ErrMissing || h.Len() != 3 {
		t.Fatal(err, h.Len())
	}
	for i, line := range []bool{true, true, false} {
		if f := h.At(i); f.Line != line || !f.Wire {
			t.Errorf("%+v", f)
		}
	}
}

func TestDecodeLimits(t *testing.T) {
	block := theirs(t, "a", "b", "c", "d")
	var d sectionDecoder
	if err := d.decode(block, 68, 2); err != nil {
		t.Error(err)
	}
	if err := d.decode(block, 67, 2); err != error(errTooLarge) {
		t.Error(err)
	}
	if err := d.decode(block, 68, 1); err != error(errTooMany) {
		t.Error(err)
	}
}

// FuzzSection holds the decoder against quic-go's, and what becomes of a section against the rules.
func FuzzSection(f *testing.F) {
	f.Add(theirs(f, ":method", "GET", ":scheme", "https", ":authority", "a.test", ":path", "/a?b", "accept", "*/*", "cookie", "a=b", "cookie", "c"))
	f.Add(appendFields(appendStatus(appendPrefix(nil), 404), header("content-type", "text/plain", "x", "y")))
	f.Add([]byte{0, 0, 0xd1, 0x27, 0, 'a', 1, 'b'})
	f.Add([]byte{0, 0x10, 0xff, 0x24, 0x50, 0x81, 0x1f})
	f.Add([]byte{1, 0x80})
	f.Fuzz(func(t *testing.T, block []byte) {
		var d sectionDecoder
		err := d.decode(block, 1<<16, 100)
		next := qpack.NewDecoder().Decode(block)
		for i := 0; err == nil; i++ {
			f, theirErr := next()
			if theirErr == io.EOF && i == len(d.lines) {
				break
			}
			if theirErr != nil && len(block) > 1 && block[1]&0x7f != 0 {
				break // they want a base of zero, which need not be where there are no inserts
			}
			if i == len(d.lines) || theirErr != nil {
				t.Fatalf("%d of %d lines, theirs: %v", i, len(d.lines), theirErr)
			}
			l := d.lines[i]
			if name, value := string(d.text[l.name:l.sep]), string(d.text[l.sep+2:l.end]); name != f.Name || value != f.Value {
				t.Fatalf("%q %q, theirs: %q %q", name, value, f.Name, f.Value)
			}
		}
		if err == nil {
			holds(t, &d)
		}
	})
}

func header(pairs ...string) *weir.Header {
	var h weir.Header
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return &h
}

// holds makes sure that nothing of a section that is let through can break out of a line.
func holds(t *testing.T, d *sectionDecoder) {
	lim := Limits{}.orDefaults()
	for _, k := range []section.Kind{section.Request, section.Response, section.Trailer} {
		var s section.Section
		var r weir.Request
		if readSection(&s, k, d, string(d.text), &r.Header) != nil {
			continue
		}
		for _, f := range r.Header.Fields() {
			if f.Name == "" || strings.ToLower(f.Name) != f.Name || strings.ContainsAny(f.Name, ": \r\n\x00") || strings.ContainsAny(f.Value, "\r\n\x00") ||
				strings.TrimSpace(f.Value) != f.Value && strings.Trim(f.Value, " \t") != f.Value || f.ID != weir.Identify(f.Name) {
				t.Fatalf("%+v", f)
			}
		}
		if k != section.Request {
			continue
		}
		if bad := parseRequest(&s, &lim, &r); bad == nil {
			if !sendable(&r) || r.Method == "" || strings.ContainsAny(r.Method+r.Path+r.Query+r.Authority, " \r\n\x00") || !syntax.IsAuthority(r.Authority) {
				t.Fatalf("%+v", r)
			}
		}
	}
}

// pieces is a stream that comes in pieces of some sizes.
type pieces struct {
	rest []byte
	size int
}

func (p *pieces) SetReadDeadline(time.Time) error { return nil }

func (p *pieces) Peek(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	return copy(b, p.rest), nil
}

func (p *pieces) Read(b []byte) (int, error) {
	n := copy(b, p.rest[:min(len(p.rest), p.size)])
	if p.rest = p.rest[n:]; len(p.rest) == 0 {
		return n, io.EOF
	}
	return n, nil
}

// A reading is what comes of a message.
type reading struct {
	head, body string
	trailer    int
	err        string
}

func readMessage(p []byte, size int) (r reading) {
	in := &input{}
	in.reset(&pieces{p, size})
	defer in.release()
	_, n, err := in.next()
	if err == nil && n > 1<<16 {
		err = errTooLarge
	}
	if err == nil {
		var head []byte
		head, err = in.payload(int(n))
		r.head = string(head)
	}
	in.phase = phaseContent
	for err == nil {
		var p []byte
		p, err = in.content(1000)
		r.body += string(p)
	}
	if err == errTrailer {
		var h weir.Header
		lim := Limits{}.orDefaults()
		err = in.readTrailer(&lim, &h)
		r.trailer = h.Len()
	}
	if err != nil {
		r.err = err.Error()
	}
	return r
}

// FuzzMessage reads a message in one piece and in many: the outcome must be the same, and there is no more of it than
// there was.
func FuzzMessage(f *testing.F) {
	f.Add(cat(request("POST"), data("abc"), frame(0x21, 1), data("d"), fields("a", "b")), 1)
	f.Add(cat(frame(0x21, 1, 2), reply("200"), data(strings.Repeat("x", 3000))), 7)
	f.Add(cat(request("GET"), data("")), 3)
	f.Add([]byte{0x21}, 1)
	f.Add(appendFrame(nil, frameHeaders, 1<<40), 2)
	f.Fuzz(func(t *testing.T, p []byte, size int) {
		size = 1 + size&0xff
		whole, parts := readMessage(p, 1<<20), readMessage(p, size)
		if whole != parts {
			t.Fatalf("in one piece %+v, in pieces of %d %+v", whole, size, parts)
		}
		if len(whole.head)+len(whole.body) > len(p) {
			t.Fatalf("%+v of %d bytes", whole, len(p))
		}
	})
}

// FuzzSettings reads the payload of SETTINGS.
func FuzzSettings(f *testing.F) {
	f.Add([]byte{6, 0x44, 0, 8, 1, 0x33, 0})
	f.Add(appendSettings(nil, 1000, true)[2:])
	f.Add([]byte{0x40})
	f.Fuzz(func(t *testing.T, p []byte) {
		if s, err := parseSettings(p); err == nil && s.connect && bytes.IndexByte(p, 1) < 0 {
			t.Fatalf("%+v of %x", s, p)
		}
	})
}
