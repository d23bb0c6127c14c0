package observe

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"weir"
)

// A line appends the line for x to dst, with its end.
type line func(dst []byte, x *weir.Exchange) []byte

// newLine returns the line of a format as LogConfig names it.
func newLine(format string, s *stamps) (line, error) {
	switch format {
	case "", "json":
		return s.json, nil
	case "combined":
		return s.combined, nil
	case "common":
		return s.common, nil
	}
	t, err := weir.ParseTemplate(format)
	if err != nil {
		return nil, fmt.Errorf("format %q: %w", format, err)
	}
	controls := strings.ContainsFunc(t.Text(), func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
	return func(dst []byte, x *weir.Exchange) []byte {
		from := len(dst)
		dst = t.AppendWith(dst, x, fitValue)
		if controls { // an exchange is one line, whatever the format says
			dst = tameControls(dst, from)
		}
		return append(dst, '\n')
	}, nil
}

// json appends x as one JSON object. doc/access-log.md lists the fields.
func (s *stamps) json(dst []byte, x *weir.Exchange) []byte {
	q := &x.Request
	t := s.at(x.Timing.Start)
	dst = append(dst, `{"time":"`...)
	dst = append(dst, t.json...)
	dst = append(dst, '.')
	dst = appendDigits(dst, (x.Timing.Start-t.from)/1000, 6)
	dst = append(dst, `Z"`...)
	dst = appendMember(dst, `,"client":"`, x.ClientIP)
	dst = appendMember(dst, `,"method":"`, q.Method)
	dst = appendMember(dst, `,"scheme":"`, q.Scheme)
	dst = appendMember(dst, `,"host":"`, q.Authority)
	dst = appendMember(dst, `,"path":"`, sentPath(q))
	dst = appendMember(dst, `,"query":"`, q.Query)
	dst = appendMember(dst, `,"protocol":"`, q.Protocol)
	dst = append(dst, `,"status":`...)
	dst = strconv.AppendInt(dst, int64(x.Response.Status), 10)
	dst = append(dst, `,"outcome":"`...)
	dst = append(dst, Outcome(x)...)
	dst = append(dst, '"')
	dst = appendMember(dst, `,"grpc_status":"`, x.CallStatus)
	dst = append(dst, `,"bytes_in":`...)
	dst = strconv.AppendInt(dst, x.BytesIn, 10)
	dst = append(dst, `,"bytes_out":`...)
	dst = strconv.AppendInt(dst, x.BytesOut, 10)
	dst = append(dst, `,"duration":`...)
	dst = appendSeconds(dst, x.Timing.End-x.Timing.Start)
	dst = appendWay(dst, x)
	dst = appendMember(dst, `,"id":"`, x.ID)
	dst = appendMember(dst, `,"agent":"`, q.Header.Known(weir.FieldUserAgent))
	dst = appendMember(dst, `,"referer":"`, q.Header.Known(weir.FieldReferer))
	dst = appendMember(dst, `,"note":"`, x.Note)
	if x.Fault != nil {
		dst = appendMember(dst, `,"error":"`, x.Fault.Error())
	}
	return append(dst, "}\n"...)
}

// appendWay appends where x was led.
func appendWay(dst []byte, x *weir.Exchange) []byte {
	if r := x.Route; r != nil {
		dst = appendMember(dst, `,"site":"`, r.Site)
		dst = appendMember(dst, `,"route":"`, r.Name)
	}
	if e := x.Endpoint; e != nil {
		dst = appendMember(dst, `,"upstream":"`, e.Upstream)
		dst = appendMember(dst, `,"server":"`, e.Name)
	} else if x.Route != nil {
		dst = appendMember(dst, `,"upstream":"`, x.Route.Upstream)
	}
	if x.Attempts > 0 {
		dst = append(dst, `,"attempts":`...)
		dst = strconv.AppendInt(dst, int64(x.Attempts), 10)
	}
	if n := firstByte(x); n > 0 {
		dst = append(dst, `,"first_byte":`...)
		dst = appendSeconds(dst, n)
	}
	return dst
}

// appendMember appends key and the quoted value; nothing where the value is empty.
func appendMember(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	return append(appendJSON(append(dst, key...), value), '"')
}

// combined appends x in the combined format of httpd and nginx.
func (s *stamps) combined(dst []byte, x *weir.Exchange) []byte {
	dst = s.clf(dst, x)
	dst = append(dst, ` "`...)
	dst = appendQuoted(dst, x.Request.Header.Known(weir.FieldReferer))
	dst = append(dst, `" "`...)
	dst = appendQuoted(dst, x.Request.Header.Known(weir.FieldUserAgent))
	return append(dst, "\"\n"...)
}

// common appends x in the common log format of CERN and NCSA.
func (s *stamps) common(dst []byte, x *weir.Exchange) []byte {
	return append(s.clf(dst, x), '\n')
}

func (s *stamps) clf(dst []byte, x *weir.Exchange) []byte {
	q := &x.Request
	dst = appendBare(dst, x.ClientIP)
	dst = append(dst, " - - ["...)
	dst = append(dst, s.at(x.Timing.Start).clf...)
	dst = append(dst, `] "`...)
	dst = appendQuoted(dst, q.Method)
	dst = append(dst, ' ')
	dst = appendQuoted(dst, sentPath(q))
	if q.HasQuery() {
		dst = append(dst, '?')
		dst = appendQuoted(dst, q.Query)
	}
	dst = append(dst, ' ')
	dst = appendQuoted(dst, q.Protocol)
	dst = append(dst, `" `...)
	dst = strconv.AppendInt(dst, int64(x.Response.Status), 10)
	dst = append(dst, ' ')
	return strconv.AppendInt(dst, x.BytesOut, 10)
}

// sentPath is the path as the client sent it: what it was made to on the way is the route's business.
func sentPath(q *weir.Request) string {
	if q.RawPath != "" {
		return q.RawPath
	}
	return q.Path
}

// firstByte is how long the server that answered took to its first byte, in nanoseconds; 0: none did.
func firstByte(x *weir.Exchange) int64 {
	if x.Timing.Sent == 0 || x.Timing.FirstByte < x.Timing.Sent {
		return 0
	}
	return x.Timing.FirstByte - x.Timing.Sent
}

// appendSeconds appends nanoseconds as seconds with six decimals.
func appendSeconds(dst []byte, ns int64) []byte {
	ns = max(ns, 0)
	dst = strconv.AppendInt(dst, ns/int64(time.Second), 10)
	dst = append(dst, '.')
	return appendDigits(dst, ns%int64(time.Second)/1000, 6)
}

// appendDigits appends n with leading zeros.
func appendDigits(dst []byte, n int64, width int) []byte {
	dst = append(dst, "000000000"[:width]...)
	for i := len(dst) - 1; n > 0; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}
