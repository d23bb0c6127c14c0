package forward

import (
	"fmt"
	"strings"

	"weir"
	"weir/internal/syntax"
)

// A naming writes Via and recognises itself in it.
type naming struct {
	name  string // "": neither
	loops int
	lines [4]string // the field's value by the protocol that a request came in
}

func newNaming(pseudonym string, loops int) (naming, error) {
	if pseudonym == "" {
		return naming{}, nil
	}
	if len(pseudonym) < 8 || !syntax.IsToken(pseudonym) {
		return naming{}, fmt.Errorf("pseudonym %q is too short or no token: at least 8 letters and digits are needed to recognise it", pseudonym)
	}
	if loops < 0 {
		return naming{}, fmt.Errorf("loops %d is negative", loops)
	}
	if loops == 0 {
		loops = 3
	}
	n := naming{name: pseudonym, loops: loops}
	for i, version := range [...]string{"1.0", "1.1", "2.0", "3.0"} {
		n.lines[i] = version + " " + pseudonym
	}
	return n, nil
}

// line is what is written for a request that came in that protocol.
func (n *naming) line(protocol string) string {
	switch protocol {
	case "HTTP/1.0":
		return n.lines[0]
	case "HTTP/2":
		return n.lines[2]
	case "HTTP/3":
		return n.lines[3]
	}
	return n.lines[1]
}

// sign adds weir to the request's Via, as a line of its own, which says the same as a longer one (RFC 9110,
// section 5.3). It refuses a request that has been here too often; there says whether it has a Via at all.
func (n *naming) sign(x *weir.Exchange, there bool) error {
	h := &x.Request.Header
	if there {
		if met := n.met(h); met > n.loops {
			return weir.Refuse(weir.CauseLoop, fmt.Sprintf("forward: the request has been here %d times before", met))
		}
	}
	add(h, weir.FieldVia, n.line(x.Request.Protocol))
	return nil
}

// met counts how often the name stands in h. It is too odd to stand there by chance.
func (n *naming) met(h *weir.Header) (times int) {
	fields := h.Fields()
	for i := range fields {
		if fields[i].ID == weir.FieldVia {
			times += strings.Count(fields[i].Value, n.name)
		}
	}
	return times
}
