package tell

import (
	"errors"
	"io"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"weir"
)

// A script is a body that says its pieces, each after a pause, and then ends.
type script struct {
	weir.Body
	pause  time.Duration
	pieces []string
	err    error // in place of io.EOF
	late   bool  // the end comes by itself, after the last piece
}

func (s *script) Read(p []byte) (n int, err error) {
	time.Sleep(s.pause)
	if len(s.pieces) > 0 {
		n = copy(p, s.pieces[0])
		s.pieces = s.pieces[1:]
	}
	if len(s.pieces) > 0 || n > 0 && s.late {
		return n, nil
	}
	if s.err != nil {
		return n, s.err
	}
	return n, io.EOF
}

// A whole is a body that writes itself.
type whole struct{ weir.Body }

func (whole) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write([]byte("all"))
	return int64(n), err
}

// A ledger notes what it is told. err is what its Flush returns.
type ledger struct {
	said []string
	err  error
}

func (l *ledger) Write(p []byte) (int, error) {
	l.said = append(l.said, "write "+string(p))
	return len(p), nil
}

func (l *ledger) WriteLast(p []byte) error {
	l.said = append(l.said, "last "+string(p))
	return nil
}

func (l *ledger) Flush() error {
	l.said = append(l.said, "flush")
	return l.err
}

func TestCopy(t *testing.T) {
	broken := errors.New("broken")
	const soon, late = HeadWait / 2, HeadWait * 2
	for _, c := range []struct {
		name  string
		body  weir.Body
		flush error
		said  []string
		err   error
	}{
		{"at once", &script{pause: soon, pieces: []string{"a", "b"}}, nil, []string{"write a", "last b"}, nil},
		{"end by itself", &script{pause: soon, pieces: []string{"a"}, late: true}, nil, []string{"write a"}, nil},
		{"nothing", &script{}, nil, nil, nil},
		{"slow, but only the head is flushed", &script{pause: late, pieces: []string{"a", "b"}}, nil, []string{"flush", "write a", "last b"}, nil},
		{"slow, and nobody there", &script{pause: late, pieces: []string{"a"}}, broken, []string{"flush"}, broken},
		{"breaks", &script{pieces: []string{"a"}, late: true, err: broken}, nil, []string{"write a"}, broken},
		{"writes itself", whole{}, nil, []string{"write all"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &ledger{err: c.flush}
				if err := Copy(l, c.body); err != c.err {
					t.Errorf("error %v, want %v", err, c.err)
				}
				if !reflect.DeepEqual(l.said, c.said) {
					t.Errorf("said %q, want %q", l.said, c.said)
				}
			})
		})
	}
}

func TestTimeoutsHaveDefaults(t *testing.T) {
	want := Timeouts{Header: 10 * time.Second, Idle: 3 * time.Minute, BodyFloor: 1024, Tunnel: time.Hour}
	if got := (Timeouts{}).OrDefaults(); got != want {
		t.Errorf("defaults are %+v, want %+v", got, want)
	}
	own := Timeouts{Header: 1, Idle: 2, BodyFloor: 3, Tunnel: 4}
	if got := own.OrDefaults(); got != own {
		t.Errorf("%+v became %+v", own, got)
	}
}
