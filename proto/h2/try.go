package h2

import (
	"weir"
	"weir/proto/internal/section"
)

// ParseFields reads a request's fields, those that begin with a colon first, into q as a server does: for tools that try a
// request without a connection. HTTP/3 has the same rules. reset: there is no answer, as the fields break the protocol's
// own rules, and the stream ends.
func ParseFields(list []weir.Field, l Limits, q *weir.Request) (f *weir.Fault, reset bool) {
	lim := l.orDefaults()
	r := &fieldReader{lim: &lim, h: &q.Header}
	r.Begin(section.Request)
	if err := r.all(list, q); err != nil {
		return requestFault(err)
	}
	return nil, false
}

func (r *fieldReader) all(list []weir.Field, q *weir.Request) error {
	for _, f := range list {
		if err := r.note(f.Name, f.Value); err != nil {
			return err
		}
	}
	if err := r.Settle(r.h); err != nil {
		return err
	}
	q.Method = section.Method(r.Method)
	if err := r.fill(q, r.lim.Line); err != nil {
		return err
	}
	return r.expects()
}
