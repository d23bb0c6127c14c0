package h3

import (
	"testing"
)

func TestPriority(t *testing.T) {
	for field, want := range map[string]struct {
		urgency         int8
		incremental, ok bool
	}{
		"":                  {3, false, false},
		"u=0":               {0, false, true},
		"u=7, i":            {7, true, true},
		"i":                 {3, true, true},
		"i=?1;a=b ,\tu=2":   {2, true, true},
		"u=1,i=?0":          {1, false, true},
		"u=8":               {3, false, false},
		"u=-1, u=a, u, u=,": {3, false, false},
		"x, u=5":            {5, false, true},
	} {
		if u, i, ok := priority(field); u != want.urgency || i != want.incremental || ok != want.ok {
			t.Errorf("%q: %d, %v, %v", field, u, i, ok)
		}
	}
}

// Answers of every urgency come whole.
func TestPriorities(t *testing.T) {
	w := serve(t, ServerConfig{Handler: echo})
	r := w.greeted()
	big := content(100 << 10)
	slow := r.open(cat(request("POST", "priority", "u=7"), data(big)))
	slow.Close()
	fast := r.open(cat(request("POST", "priority", "u=0"), data("x")))
	fast.Close()
	if _, _, body := r.answers(fast); body != "POST / x" {
		t.Error(len(body))
	}
	if _, _, body := r.answers(slow); body != "POST / "+big {
		t.Error(len(body))
	}
	w.ended(200, 0)
	w.ended(200, 0)
}
