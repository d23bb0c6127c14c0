package floor

import (
	"testing"
	"time"

	"weir/internal/clock"
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
