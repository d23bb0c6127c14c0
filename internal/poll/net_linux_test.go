package poll

import "testing"

// Two listening sockets with many connections are both emptied in few turns.
func TestAcceptsGrow(t *testing.T) {
	p := &poller{}
	for turn, want := range []int{1, 2, 4, 8, 16, 32, 64, 64} {
		p.turns++
		for range 2 {
			if p.expect(); p.accepts != want {
				t.Fatalf("turn %d takes %d, want %d", turn, p.accepts, want)
			}
		}
	}
	p.turns += 2
	if p.expect(); p.accepts != 1 {
		t.Fatalf("after a pause %d are taken", p.accepts)
	}
}
