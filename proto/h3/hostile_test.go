package h3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"weir"
	"weir/proto/internal/section"
)

// A raw is a client that speaks QUIC and makes its HTTP/3 up as it goes.
type raw struct {
	t *testing.T
	*quic.Conn
}

func (w *world) raw() *raw {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	c := clientTLS()
	c.NextProtos = []string{Protocol}
	q, err := w.dialQUIC(ctx, c, &quic.Config{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { q.CloseWithError(0, "") })
	return &raw{w.t, q}
}

// greeted is a raw that has sent its settings as it should.
func (w *world) greeted() *raw {
	r := w.raw()
	r.uni(appendSettings([]byte{streamControl}, 1<<16, false))
	return r
}

// uni opens a unidirectional stream and sends p on it.
func (r *raw) uni(p []byte) *quic.SendStream {
	r.t.Helper()
	str, err := r.OpenUniStream()
	if err != nil {
		r.t.Fatal(err)
	}
	str.Write(p)
	return str
}

// open opens a request's stream and sends p on it.
func (r *raw) open(p []byte) *quic.Stream {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	str, err := r.OpenStreamSync(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	str.SetReadDeadline(time.Now().Add(patience))
	str.Write(p)
	return str
}

// ends makes sure that the server ends the connection with a code.
func (r *raw) ends(want code) {
	r.t.Helper()
	select {
	case <-r.Context().Done():
	case <-time.After(patience):
		r.t.Fatalf("the connection has not ended; want %v", want)
	}
	var e *quic.ApplicationError
	if err := context.Cause(r.Context()); !errors.As(err, &e) || !e.Remote || code(e.ErrorCode) != want {
		r.t.Fatalf("the connection ended with %v; want %v", err, want)
	}
}

// resets makes sure that the server resets the stream with a code.
func (r *raw) resets(str *quic.Stream, want code) {
	r.t.Helper()
	var e *quic.StreamError
	if got, err := io.ReadAll(str); !errors.As(err, &e) || !e.Remote || code(e.ErrorCode) != want {
		r.t.Fatalf("the stream ended with %q, %v; want %v", got, err, want)
	}
}

// answers reads the answer on a stream.
func (r *raw) answers(str *quic.Stream) (status int, h weir.Header, body string) {
	r.t.Helper()
	in := &input{}
	in.reset(str)
	for {
		status, h = r.head(in)
		if status >= 200 {
			break
		}
	}
	in.phase = phaseContent
	var b strings.Builder
	for {
		p, err := in.content(inputSize)
		b.Write(p)
		if err == io.EOF {
			return status, h, b.String()
		}
		if err == errTrailer {
			var trailer weir.Header
			lim := Limits{}.orDefaults()
			err = in.readTrailer(&lim, &trailer)
			for _, f := range trailer.Fields() {
				h.AddField(f)
			}
			if err == nil {
				return status, h, b.String()
			}
		}
		if err != nil {
			r.t.Fatalf("read the answer: %q, %v", b.String(), err)
		}
	}
}

func (r *raw) head(in *input) (int, weir.Header) {
	r.t.Helper()
	typ, length, err := in.next()
	if err != nil || typ != frameHeaders {
		r.t.Fatalf("read the answer's head: frame %d, %v", typ, err)
	}
	p, err := in.payload(int(length))
	if err != nil {
		r.t.Fatal(err)
	}
	var d sectionDecoder
	var s section.Section
	var h weir.Header
	if err := d.decode(p, 1<<16, 100); err != nil {
		r.t.Fatal(err)
	}
	if err := readSection(&s, section.Response, &d, string(d.text), &h); err != nil {
		r.t.Fatal(err)
	}
	return s.Status, h
}

// fields makes a HEADERS frame of names and values.
func fields(pairs ...string) []byte {
	out := appendPrefix(openHeaders(nil))
	for i := 0; i < len(pairs); i += 2 {
		out = section.AppendInt(out, qpackLiteral, 3, len(pairs[i]))
		out = append(out, pairs[i]...)
		out = section.AppendString(out, pairs[i+1])
	}
	return closeHeaders(out, 0)
}

// request makes a HEADERS frame of a proper request with more fields.
func request(method string, more ...string) []byte {
	return fields(append([]string{":method", method, ":scheme", "https", ":authority", "a.test", ":path", "/"}, more...)...)
}

func data(s string) []byte { return append(appendFrame(nil, frameData, uint64(len(s))), s...) }

func frame(typ uint64, payload ...byte) []byte {
	return append(appendFrame(nil, typ, uint64(len(payload))), payload...)
}

func cat(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// section makes a HEADERS frame of an encoded section.
func encoded(p ...byte) []byte { return frame(frameHeaders, p...) }

// What breaks a rule of frames on a request's stream ends the connection.
func TestRequestStreamRules(t *testing.T) {
	w := serve(t, ServerConfig{Handler: echo})
	get, post := request("GET"), request("POST")
	for name, tt := range map[string]struct {
		sent []byte
		want code
	}{
		"content first":           {data("x"), codeFrameUnexpected},
		"SETTINGS":                {frame(frameSettings), codeFrameUnexpected},
		"GOAWAY":                  {frame(frameGoAway, 0), codeFrameUnexpected},
		"MAX_PUSH_ID":             {frame(frameMaxPush, 0), codeFrameUnexpected},
		"CANCEL_PUSH":             {frame(frameCancelPush, 0), codeFrameUnexpected},
		"PUSH_PROMISE":            {frame(framePushPromise, 0), codeFrameUnexpected},
		"SETTINGS in the content": {cat(post, data("x"), frame(frameSettings)), codeFrameUnexpected},
		"HTTP/2's PRIORITY":       {frame(0x2), codeFrameUnexpected},
		"HTTP/2's PING":           {frame(0x6), codeFrameUnexpected},
		"HTTP/2's WINDOW_UPDATE":  {frame(0x8), codeFrameUnexpected},
		"HTTP/2's CONTINUATION":   {cat(get, frame(0x9)), codeFrameUnexpected},
		"content after a trailer": {cat(post, data("x"), fields("a", "b"), data("y")), codeFrameUnexpected},
		"two trailers":            {cat(post, data("x"), fields("a", "b"), fields("a", "b")), codeFrameUnexpected},
		"a cut head":              {get[:len(get)-1], codeFrame},
		"a cut frame header":      {cat(post, []byte{0x40}), codeFrame},
		"cut content":             {cat(post, data("xyz")[:4]), codeFrame},
		"a cut unknown frame":     {frame(0x21, 1, 2, 3)[:3], codeFrame},
		"no section":              {encoded(), codeDecompression},
		"half a prefix":           {encoded(0), codeDecompression},
		"a dynamic entry":         {encoded(0, 0, 0x80), codeDecompression},
		"a dynamic name":          {encoded(0, 0, 0x40, 0), codeDecompression},
		"an entry past the base":  {encoded(0, 0, 0x10), codeDecompression},
		"a name past the base":    {encoded(0, 0, 0x00, 0), codeDecompression},
		"inserts wanted":          {encoded(1, 0, 0xd1), codeDecompression},
		"a negative base":         {encoded(0, 0x80, 0xd1), codeDecompression},
		"an entry too high":       {encoded(0, 0, 0xff, 36), codeDecompression},
		"a name too high":         {encoded(0, 0, 0x5f, 84, 0), codeDecompression},
		"a string cut":            {encoded(0, 0, 0x51, 5, 'x'), codeDecompression},
		"bad Huffman":             {encoded(0, 0, 0x51, 0x84, 0xff, 0xff, 0xff, 0xff), codeDecompression},
		"an endless number":       {encoded(0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), codeDecompression},
		"unknown frames":          {cat(get, frame(0x21, make([]byte, mostOverhead)...)), codeExcessiveLoad},
		"many unknown frames":     {append(get, strings.Repeat(string(frame(0x21)), mostOverhead/4+1)...), codeExcessiveLoad},
		"content in nothing":      {append(post, strings.Repeat(string(frame(frameData)), mostOverhead/16+1)...), codeExcessiveLoad},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.greeted()
			r.t = t
			str := r.open(tt.sent)
			str.Close()
			r.ends(tt.want)
		})
	}
}

// What breaks a rule of the streams that carry no request ends the connection.
func TestControlStreamRules(t *testing.T) {
	w := serve(t, ServerConfig{Handler: echo})
	hello := appendSettings([]byte{streamControl}, 1<<16, false)
	after := func(p []byte) []byte { return cat(hello, p) }
	for name, tt := range map[string]struct {
		streams [][]byte
		close   bool
		want    code
	}{
		"no settings":                 {[][]byte{cat([]byte{streamControl}, frame(frameGoAway, 0))}, false, codeMissingSettings},
		"an unknown frame first":      {[][]byte{cat([]byte{streamControl}, frame(0x21))}, false, codeMissingSettings},
		"settings again":              {[][]byte{after(frame(frameSettings))}, false, codeFrameUnexpected},
		"content":                     {[][]byte{after(data("x"))}, false, codeFrameUnexpected},
		"fields":                      {[][]byte{after(request("GET"))}, false, codeFrameUnexpected},
		"a promise":                   {[][]byte{after(frame(framePushPromise, 0))}, false, codeFrameUnexpected},
		"a frame of HTTP/2":           {[][]byte{after(frame(0x6))}, false, codeFrameUnexpected},
		"the end":                     {[][]byte{hello}, true, codeClosedCritical},
		"the end in a frame":          {[][]byte{after([]byte{frameGoAway})}, true, codeClosedCritical},
		"two control streams":         {[][]byte{hello, {streamControl}}, false, codeStreamCreation},
		"a push":                      {[][]byte{hello, {streamPush, 0}}, false, codeStreamCreation},
		"two encoders":                {[][]byte{hello, {streamEncoder}, {streamEncoder}}, false, codeStreamCreation},
		"two decoders":                {[][]byte{hello, {streamDecoder}, {streamDecoder}}, false, codeStreamCreation},
		"a setting twice":             {[][]byte{cat([]byte{streamControl}, frame(frameSettings, 6, 1, 6, 1))}, false, codeSettings},
		"an unknown setting twice":    {[][]byte{cat([]byte{streamControl}, frame(frameSettings, 0x21, 1, 0x21, 1))}, false, codeSettings},
		"a setting of HTTP/2":         {[][]byte{cat([]byte{streamControl}, frame(frameSettings, 4, 1))}, false, codeSettings},
		"extended CONNECT, perhaps":   {[][]byte{cat([]byte{streamControl}, frame(frameSettings, 8, 2))}, false, codeSettings},
		"datagrams, perhaps":          {[][]byte{cat([]byte{streamControl}, frame(frameSettings, 0x33, 2))}, false, codeSettings},
		"half a setting":              {[][]byte{cat([]byte{streamControl}, frame(frameSettings, 6))}, false, codeFrame},
		"settings without end":        {[][]byte{cat([]byte{streamControl}, appendFrame(nil, frameSettings, 1<<40))}, false, codeExcessiveLoad},
		"many settings":               {[][]byte{cat([]byte{streamControl}, manySettings(mostSettings+1))}, false, codeExcessiveLoad},
		"GOAWAY that grows":           {[][]byte{after(cat(frame(frameGoAway, 4), frame(frameGoAway, 5)))}, false, codeID},
		"GOAWAY of nothing":           {[][]byte{after(frame(frameGoAway))}, false, codeFrame},
		"GOAWAY of more than that":    {[][]byte{after(frame(frameGoAway, 4, 4))}, false, codeFrame},
		"MAX_PUSH_ID that shrinks":    {[][]byte{after(cat(frame(frameMaxPush, 5), frame(frameMaxPush, 4)))}, false, codeID},
		"CANCEL_PUSH":                 {[][]byte{after(frame(frameCancelPush, 0))}, false, codeID},
		"an insert":                   {[][]byte{hello, {streamEncoder, 0xc0, 0}}, false, codeEncoderStream},
		"room for a table":            {[][]byte{hello, {streamEncoder, 0x21}}, false, codeEncoderStream},
		"the encoder's end":           {[][]byte{hello, {streamEncoder}}, true, codeClosedCritical},
		"an acknowledged section":     {[][]byte{hello, {streamDecoder, 0x80}}, false, codeDecoderStream},
		"an acknowledged insert":      {[][]byte{hello, {streamDecoder, 0x01}}, false, codeDecoderStream},
		"the decoder's end":           {[][]byte{hello, {streamDecoder}}, true, codeClosedCritical},
		"frames without a use":        {[][]byte{after([]byte(strings.Repeat(string(frame(0x21)), spendAtOnce/spendForFrame+1)))}, false, codeExcessiveLoad},
		"a frame without end":         {[][]byte{after(appendFrame(nil, 0x21, 1<<40))}, false, codeExcessiveLoad},
		"cancellations without a use": {[][]byte{hello, append([]byte{streamDecoder}, strings.Repeat("\x40", spendAtOnce+1)...)}, false, codeExcessiveLoad},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.raw()
			r.t = t
			for i, p := range tt.streams {
				str := r.uni(p)
				if tt.close && i == len(tt.streams)-1 {
					str.Close()
				}
			}
			r.ends(tt.want)
		})
	}
}

func manySettings(n int) []byte {
	var p []byte
	for i := range n {
		p = append(p, 0x40|byte((i+64)>>8), byte(i+64), 0)
	}
	return frame(frameSettings, p...)
}

// Streams of unknown kinds are closed, and there may not be any number of them.
func TestUnknownStreams(t *testing.T) {
	w := serve(t, ServerConfig{Handler: echo})
	r := w.greeted()
	for range spendAtOnce/spendForStream + 1 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		str, err := r.OpenUniStreamSync(ctx)
		cancel()
		if err != nil {
			break
		}
		str.Write([]byte{0x21})
	}
	r.ends(codeExcessiveLoad)
}

// What weir does not know does no harm.
func TestUnknownIsPassedOver(t *testing.T) {
	w := serve(t, ServerConfig{Handler: echo})
	r := w.raw()
	r.uni(cat([]byte{streamControl}, frame(frameSettings, 0x21, 7, 6, 5, 1, 0, 7, 0, 0x33, 1), frame(0x21, 1, 2),
		frame(frameMaxPush, 5), append([]byte{0x80, 0x0f, 0x07, 0x00, 6, 0}, "u=3,i"...), frame(frameGoAway, 7), frame(frameGoAway, 7)))
	r.uni([]byte{streamEncoder, 0x20})
	r.uni([]byte{streamDecoder, 0x44, 0x7f, 0x80, 0x01})
	r.uni([]byte{0x21, 1, 2, 3})
	str := r.open(cat(frame(0x21, 1), request("POST"), frame(0x40), data("a"), frame(0x21, 9, 9), data("b"), frame(0x21), fields("x", "y"), frame(0x21, 5)))
	str.Close()
	if status, _, body := r.answers(str); status != 200 || body != "POST / ab" {
		t.Fatalf("%d %q", status, body)
	}
	w.ended(200, 0)
}

// A malformed request resets its stream, and the log has its cause; the connection goes on.
func TestMalformed(t *testing.T) {
	w := serve(t, ServerConfig{Handler: echo})
	r := w.greeted()
	base := []string{":method", "GET", ":scheme", "https", ":authority", "a.test", ":path", "/"}
	with := func(more ...string) []byte { return request("GET", more...) }
	for name, tt := range map[string]struct {
		sent  []byte
		cause weir.Cause
	}{
		"upper case":              {with("X-A", "b"), weir.CauseRequestHeader},
		"an empty name":           {with("", "b"), weir.CauseRequestHeader},
		"a colon in a name":       {with("a:b", "c"), weir.CauseRequestHeader},
		"a space in a name":       {with("a b", "c"), weir.CauseRequestHeader},
		"CR in a name":            {with("a\r", "c"), weir.CauseRequestHeader},
		"LF in a name":            {with("a\nb", "c"), weir.CauseRequestHeader},
		"NUL in a name":           {with("a\x00b", "c"), weir.CauseRequestHeader},
		"CR in a value":           {with("a", "b\rc"), weir.CauseRequestHeader},
		"LF in a value":           {with("a", "b\nx: y"), weir.CauseRequestHeader},
		"CRLF in a known value":   {with("user-agent", "b\r\nx: y"), weir.CauseRequestHeader},
		"NUL in a value":          {with("a", "b\x00"), weir.CauseRequestHeader},
		"DEL in a value":          {with("a", "\x7f"), weir.CauseRequestHeader},
		"space before a value":    {with("a", " b"), weir.CauseRequestHeader},
		"tab behind a value":      {with("a", "b\t"), weir.CauseRequestHeader},
		"connection":              {with("connection", "close"), weir.CauseRequestHeader},
		"keep-alive":              {with("keep-alive", "1"), weir.CauseRequestHeader},
		"proxy-connection":        {with("proxy-connection", "x"), weir.CauseRequestHeader},
		"transfer-encoding":       {with("transfer-encoding", "chunked"), weir.CauseRequestHeader},
		"upgrade":                 {with("upgrade", "websocket"), weir.CauseRequestHeader},
		"te":                      {with("te", "gzip"), weir.CauseRequestHeader},
		"an unknown pseudo field": {fields(append([]string{":foo", "x"}, base...)...), weir.CauseRequestHeader},
		"an answer's":             {fields(append([]string{":status", "200"}, base...)...), weir.CauseRequestHeader},
		"a late pseudo field":     {fields(append([]string{"a", "b"}, base...)...), weir.CauseRequestHeader},
		"two paths":               {fields(append([]string{":path", "/a"}, base...)...), weir.CauseRequestHeader},
		"two methods":             {fields(append([]string{":method", "GET"}, base...)...), weir.CauseRequestHeader},
		"no method":               {fields(base[2:]...), weir.CauseRequestHeader},
		"no scheme":               {fields(append(base[:2:2], base[4:]...)...), weir.CauseRequestHeader},
		"no path":                 {fields(base[:6]...), weir.CauseRequestHeader},
		"an empty path":           {fields(append(base[:6:6], ":path", "")...), weir.CauseRequestHeader},
		"a path without slash":    {fields(append(base[:6:6], ":path", "a")...), weir.CauseRequestHeader},
		"an absolute path":        {fields(append(base[:6:6], ":path", "http://b/")...), weir.CauseRequestHeader},
		"a star for GET":          {fields(append(base[:6:6], ":path", "*")...), weir.CauseRequestHeader},
		"a space in a path":       {fields(append(base[:6:6], ":path", "/ HTTP/1.1")...), weir.CauseRequestHeader},
		"CRLF in a path":          {fields(append(base[:6:6], ":path", "/\r\nx: y")...), weir.CauseRequestHeader},
		"a fragment":              {fields(append(base[:6:6], ":path", "/#a")...), weir.CauseRequestHeader},
		"a backslash":             {fields(append(base[:6:6], ":path", `/\a`)...), weir.CauseRequestHeader},
		"a space in a method":     {request("GET /"), weir.CauseRequestHeader},
		"CRLF in a method":        {request("GET\r\n"), weir.CauseRequestHeader},
		"an empty method":         {request(""), weir.CauseRequestHeader},
		"another scheme":          {fields(":method", "GET", ":scheme", "ftp", ":authority", "a.test", ":path", "/"), weir.CauseRequestHeader},
		"CONNECT with a path":     {request("CONNECT"), weir.CauseRequestHeader},
		"a protocol without it":   {fields(append([]string{":protocol", "websocket"}, base...)...), weir.CauseRequestHeader},
		"an empty protocol":       {fields(":method", "CONNECT", ":protocol", "", ":scheme", "https", ":authority", "a.test", ":path", "/"), weir.CauseRequestHeader},
		"two lengths":             {with("content-length", "0", "content-length", "0"), weir.CauseRequestFraming},
		"a signed length":         {with("content-length", "+1"), weir.CauseRequestFraming},
		"an octal length":         {with("content-length", "01"), weir.CauseRequestFraming},
		"a list of lengths":       {with("content-length", "1, 1"), weir.CauseRequestFraming},
		"a huge length":           {with("content-length", "9999999999999999999"), weir.CauseRequestFraming},
		"no length":               {with("content-length", ""), weir.CauseRequestFraming},
		"content too much":        {cat(with("content-length", "0"), data("x")), weir.CauseRequestFraming},
		"two hosts":               {with("host", "a.test", "host", "a.test"), weir.CauseRequestHost},
		"content too short":       {cat(request("POST", "content-length", "3"), data("xy")), weir.CauseRequestBody},
		"content too long":        {cat(request("POST", "content-length", "3"), data("wxyz")), weir.CauseRequestBody},
		"content too long later":  {cat(request("POST", "content-length", "3"), data("wx"), data("yz")), weir.CauseRequestBody},
		"a malformed trailer":     {cat(request("POST"), data("x"), fields("A", "b")), weir.CauseRequestBody},
		"CRLF in a trailer":       {cat(request("POST"), data("x"), fields("a", "b\r\nc: d")), weir.CauseRequestBody},
		"a pseudo trailer":        {cat(request("POST"), data("x"), fields(":path", "/")), weir.CauseRequestBody},
		"a huge trailer":          {cat(request("POST"), data("x"), fields("a", strings.Repeat("b", 9<<10))), weir.CauseRequestBody},
	} {
		t.Run(name, func(t *testing.T) {
			r.t, w.t = t, t
			str := r.open(tt.sent)
			str.Close()
			r.resets(str, codeMessage)
			if o := w.ended(400, tt.cause); strings.Contains(o.method+o.path, "\r") {
				t.Errorf("%+v", o)
			}
		})
	}
	r.t, w.t = t, t
	named := r.open(with("A", "b"))
	named.Close()
	r.resets(named, codeMessage)
	if o := w.ended(400, weir.CauseRequestHeader); o.method != "GET" || o.path != "/" {
		t.Errorf("%+v", o)
	}
	missing := r.open(with("content-length", "1"))
	missing.Close()
	r.resets(missing, codeMessage)
	if o := <-w.seen; o.status != 400 || o.cause != weir.CauseRequestFraming && o.cause != weir.CauseRequestBody { // as it comes
		t.Errorf("%+v", o)
	}
	str := r.open(with())
	str.Close()
	if status, _, body := r.answers(str); status != 200 || body != "GET / " {
		t.Fatalf("%d %q", status, body)
	}
}

// What is well formed and not served is answered.
func TestRefused(t *testing.T) {
	w := serve(t, ServerConfig{Handler: echo})
	r := w.greeted()
	at := func(authority string, more ...string) []byte {
		return fields(append([]string{":method", "GET", ":scheme", "https", ":authority", authority, ":path", "/"}, more...)...)
	}
	for name, tt := range map[string]struct {
		sent   []byte
		status int
		cause  weir.Cause
	}{
		"another host":      {at("a.test", "host", "b.test"), 400, weir.CauseRequestHost},
		"no host":           {fields(":method", "GET", ":scheme", "https", ":path", "/"), 400, weir.CauseRequestHost},
		"an empty host":     {at(""), 400, weir.CauseRequestHost},
		"a user":            {at("u@a.test"), 400, weir.CauseRequestHost},
		"a bad port":        {at("a.test:x"), 400, weir.CauseRequestHost},
		"CRLF in authority": {at("a.test\r\nx: y"), 400, weir.CauseRequestHost},
		"a space":           {at("a.test b"), 400, weir.CauseRequestHost},
		"a path":            {at("a.test/b"), 400, weir.CauseRequestHost},
		"TRACE":             {request("TRACE"), 405, weir.CauseMethodRefused},
		"CONNECT":           {fields(":method", "CONNECT", ":authority", "a.test:443"), 405, weir.CauseMethodRefused},
		"another protocol":  {fields(":method", "CONNECT", ":protocol", "connect-udp", ":scheme", "https", ":authority", "a.test", ":path", "/"), 501, weir.CauseMethodRefused},
		"an expectation":    {request("GET", "expect", "the worst"), 417, weir.CauseExpectation},
		"a long target":     {fields(":method", "GET", ":scheme", "https", ":authority", "a.test", ":path", "/"+strings.Repeat("a", 8<<10)), 414, weir.CauseRequestTooLong},
		"a large head":      {request("GET", "a", strings.Repeat("b", 64<<10)), 431, weir.CauseRequestHeaderTooLarge},
		"many small fields": {request("GET", many(101)...), 431, weir.CauseRequestHeaderTooLarge},
		"a head announced":  {appendFrame(nil, frameHeaders, 1<<40), 431, weir.CauseRequestHeaderTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			r.t, w.t = t, t
			str := r.open(tt.sent)
			if status, _, body := r.answers(str); status != tt.status || body != tt.cause.Public() {
				t.Fatalf("%d %q", status, body)
			}
			w.ended(tt.status, tt.cause)
		})
	}
}

func many(n int) (pairs []string) {
	for i := range n {
		pairs = append(pairs, fmt.Sprintf("a%d", i), "b")
	}
	return pairs
}

// What a client may say in more ways than one.
func TestAccepted(t *testing.T) {
	w := serve(t, ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
		q := &x.Request
		q.Header.Set("x-seen", fmt.Sprintf("%s %s %s?%s %d", q.Authority, q.Path, q.RawPath, q.Query, q.Header.Len()))
		x.Response.Status = 200
		for _, f := range q.Header.Fields() {
			x.Response.Header.Add(f.Name, f.Value)
		}
		return nil
	})})
	r := w.greeted()
	for name, tt := range map[string]struct {
		sent []byte
		want map[string]string
	}{
		"host alone":     {fields(":method", "GET", ":scheme", "https", ":path", "/a?b?c", "host", "b.test:44"), map[string]string{"x-seen": "b.test:44 /a /a?b?c 0"}},
		"host again":     {request("GET", "host", "A.test"), map[string]string{"x-seen": "a.test / /? 0"}},
		"an IPv6 host":   {fields(":method", "GET", ":scheme", "http", ":authority", "[::1]:4", ":path", "/"), map[string]string{"x-seen": "[::1]:4 / /? 0"}},
		"cookies":        {request("GET", "cookie", "a=1", "x", "y", "cookie", "b=2"), map[string]string{"cookie": "a=1; b=2", "x": "y"}},
		"te":             {request("GET", "te", "trailers"), map[string]string{"te": ""}},
		"proxy secrets":  {request("GET", "proxy-authorization", "x"), map[string]string{"proxy-authorization": ""}},
		"an empty value": {request("GET", "a", "", "b", "c"), map[string]string{"a": "", "b": "c"}},
		"bytes":          {request("GET", "a", "\xe4\tb"), map[string]string{"a": "\xe4\tb"}},
		"the whole star": {fields(":method", "OPTIONS", ":scheme", "https", ":authority", "a.test", ":path", "*"), map[string]string{"x-seen": "a.test * *? 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			r.t, w.t = t, t
			str := r.open(tt.sent)
			str.Close()
			status, h, _ := r.answers(str)
			for n, v := range tt.want {
				if h.Get(n) != v || status != 200 {
					t.Errorf("%d, %q: %q, want %q", status, n, h.Get(n), v)
				}
			}
			w.ended(200, 0)
		})
	}
}
