package maxbody

import (
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"weir"
)

// A body of known or unknown length.
type body struct {
	io.Reader
	n      int64
	closed bool
}

func (b *body) Close() error          { b.closed = true; return nil }
func (b *body) Len() int64            { return b.n }
func (b *body) Trailer() *weir.Header { return nil }

func TestLimit(t *testing.T) {
	for _, tt := range []struct {
		name    string
		limit   int64
		text    string
		unknown bool
		asked   bool // the server was asked
		got     string
		cause   weir.Cause
	}{
		{"fits", 4, "1234", false, true, "1234", 0},
		{"announces too much", 4, "12345", false, false, "", weir.CauseRequestBodyTooLarge},
		{"nothing allowed", 0, "1", false, false, "", weir.CauseRequestBodyTooLarge},
		{"unknown length fits", 4, "1234", true, true, "1234", 0},
		{"unknown length, empty", 0, "", true, true, "", 0},
		{"unknown length, too much", 4, "12345", true, true, "1234", weir.CauseRequestBodyTooLarge},
		{"unknown length, far too much", 4, strings.Repeat("x", 5000), true, true, "xxxx", weir.CauseRequestBodyTooLarge},
		{"unknown length, no limit to speak of", math.MaxInt64, "12345", true, true, "12345", 0},
		{"unknown length, nothing allowed", 0, "1", true, true, "", weir.CauseRequestBodyTooLarge},
	} {
		for name, slow := range map[string]func(io.Reader) io.Reader{"at once": func(r io.Reader) io.Reader { return r }, "by bytes": iotest.OneByteReader, "with its end": iotest.DataErrReader} {
			t.Run(tt.name+" "+name, func(t *testing.T) {
				mw, err := New(Config{Limit: tt.limit})
				if err != nil {
					t.Fatal(err)
				}
				b := &body{Reader: slow(strings.NewReader(tt.text)), n: int64(len(tt.text))}
				if tt.unknown {
					b.n = -1
				}
				x := new(weir.Exchange)
				x.Request.Body = b
				asked, got := false, []byte(nil)
				err = mw(weir.HandlerFunc(func(x *weir.Exchange) (err error) {
					asked = true
					got, err = io.ReadAll(x.Request.Body)
					return err
				})).ServeExchange(x)
				cause := weir.CauseNone
				if err != nil {
					cause = weir.AsFault(err).Cause
				}
				if asked != tt.asked || string(got) != tt.got || cause != tt.cause {
					t.Errorf("asked %v, got %q, error %v", asked, got, err)
				}
				if tt.unknown && b.closed != (cause != weir.CauseNone) {
					t.Errorf("closed %v", b.closed)
				}
				if err != nil {
					if _, again := x.Request.Body.Read(make([]byte, 1)); tt.unknown && again == nil {
						t.Error("reading goes on after the limit")
					}
				}
			})
		}
	}
}

func TestWithoutBody(t *testing.T) {
	mw, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	asked := false
	if err := mw(weir.HandlerFunc(func(*weir.Exchange) error { asked = true; return nil })).ServeExchange(new(weir.Exchange)); err != nil || !asked {
		t.Errorf("asked %v, error %v", asked, err)
	}
	if _, err := New(Config{Limit: -1}); err == nil || !strings.Contains(err.Error(), "limit -1 of request bodies is negative") {
		t.Errorf("error %v", err)
	}
}
