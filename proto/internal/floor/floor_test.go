package floor

import (
	"testing"
	"time"

	"weir/internal/clock"
	"weir/internal/poll"
)

func TestFloor(t *testing.T) {
	var f Floor
	f.Begin(100)
	first := f.Deadline()
	if left := time.Duration(first - clock.Now()); left > Window || left < Window-time.Minute || f.Rate() != 100 {
		t.Fatalf("%v are left at %d", left, f.Rate())
	}
	f.Progress(999)
	if f.Deadline() != first {
		t.Error("a new window has begun too early")
	}
	f.Pause(int64(time.Hour))
	if f.Deadline() != first+int64(time.Hour) {
		t.Error("a pause counts")
	}
	f.Progress(1)
	if d := f.Deadline(); d < first || d >= first+int64(time.Hour) {
		t.Errorf("the second window ends %v after the first", time.Duration(d-first))
	}
	second := f.Deadline()
	if f.Progress(999); f.Deadline() != second {
		t.Error("bytes count twice")
	}
}

// Who sends has to be patient for a lump, and for a window.
func TestSending(t *testing.T) {
	for rate, want := range map[int64]poll.Pace{
		1:       {Window: 65536 * time.Second, Bytes: 65536},
		1 << 10: {Window: 64 * time.Second, Bytes: 64 << 10},
		1 << 20: {Window: Window, Bytes: 10 << 20},
	} {
		if got := Sending(rate); got != want {
			t.Errorf("%d: %+v, want %+v", rate, got, want)
		}
	}
}

// Without a rate any byte will do.
func TestNoRate(t *testing.T) {
	var f Floor
	f.Begin(0)
	f.Pause(-int64(time.Hour))
	late := f.Deadline()
	if f.Progress(1); f.Deadline() <= late {
		t.Error("a byte has not begun another window")
	}
}
