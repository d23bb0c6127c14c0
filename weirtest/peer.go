package weirtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"weir/weirtest/dialect"
)

// patience is how long a script waits for what has to happen, unless it says otherwise.
const patience = 20 * time.Second

// A peer is one end of a connection to weir that the script holds in its hands. What it sends is written by a
// goroutine of its own, so that a script never blocks because nobody reads.
type peer struct {
	conn   net.Conn
	in     *bufio.Reader
	out    chan []byte // nil: shut the writing side
	ended  chan struct{}
	close  sync.Once
	first  string  // first line of the last head
	fields []field // of it, those not named yet
	all    []field
	after  []field // trailer fields
	asked  bool    // the last head was a request
	method string  // of the last request sent

	patience time.Duration
}

type field struct{ name, value string }

func newPeer(c net.Conn) *peer {
	p := &peer{conn: c, in: bufio.NewReaderSize(c, 64<<10), out: make(chan []byte, 4096), ended: make(chan struct{}), patience: patience}
	go p.write()
	return p
}

func (p *peer) write() {
	defer close(p.ended)
	for data := range p.out {
		if data == nil {
			closeWrite(p.conn)
			continue
		}
		if _, err := p.conn.Write(data); err != nil {
			for range p.out { // the script learns of it when it reads
			}
			return
		}
	}
}

func (p *peer) send(data []byte) {
	if p.method == "" || strings.Contains(string(data[:min(len(data), 200)]), " HTTP/1") {
		p.method, _, _ = strings.Cut(string(data[:min(len(data), 20)]), " ")
	}
	p.out <- data
}

// shut closes the connection once all has been written.
func (p *peer) shut() error {
	p.close.Do(func() { close(p.out) })
	p.conn.SetWriteDeadline(time.Now().Add(patience))
	<-p.ended
	return p.conn.Close()
}

// abort closes the connection at once with a reset.
func (p *peer) abort() error {
	err := abort(p.conn)
	p.close.Do(func() { close(p.out) })
	return err
}

func (p *peer) soon() { p.conn.SetReadDeadline(time.Now().Add(p.patience)) }

// readLine reads a line that must end in CRLF.
func (p *peer) readLine() (string, error) {
	line, err := p.in.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("after %s: %w", brief(line), late(err))
	}
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok {
		return "", fmt.Errorf("line %s ends in a bare LF", brief(line))
	}
	return text, nil
}

func late(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("nothing came in time")
	}
	return err
}

// readHead reads a head and keeps its fields.
func (p *peer) readHead() error {
	p.soon()
	var err error
	if p.first, err = p.readLine(); err != nil {
		return err
	}
	p.asked = !strings.HasPrefix(p.first, "HTTP/")
	p.after = nil
	p.all, err = p.readFields()
	p.fields = append([]field(nil), p.all...)
	return err
}

func (p *peer) readFields() ([]field, error) {
	var out []field
	for {
		line, err := p.readLine()
		if err != nil || line == "" {
			return out, err
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("not a field line: %s", brief(line))
		}
		out = append(out, field{name, strings.Trim(value, " \t")})
	}
}

// take finds a field of the last head that line describes and names it. An answer in HTTP/2 and 3 has none that concerns
// the connection; that none came is the client's own concern.
func (p *peer) take(line string) error {
	err := take(&p.fields, line)
	if _, ok := p.conn.(*dialect.Conn); ok && err != nil && connectionField.MatchString(line) {
		return nil
	}
	return err
}

var connectionField = regexp.MustCompile(`(?i)^(connection|keep-alive|upgrade):`)

// take finds a field that line describes among those not named yet and names it.
func take(fields *[]field, line string) error {
	name, value, _ := strings.Cut(line, ":")
	var seen []string
	for i, f := range *fields {
		if !strings.EqualFold(f.name, name) {
			continue
		}
		ok, err := matches(strings.TrimSpace(value), f.value)
		if err != nil {
			return err
		}
		if ok {
			*fields = append((*fields)[:i:i], (*fields)[i+1:]...)
			return nil
		}
		seen = append(seen, brief(f.value))
	}
	if seen == nil {
		return fmt.Errorf("no field %q among %s", name, list(*fields))
	}
	return fmt.Errorf("field %q is %s, want %q", name, strings.Join(seen, " and "), strings.TrimSpace(value))
}

func list(fields []field) string {
	var b strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&b, "\n\t\t%s: %s", f.name, f.value)
	}
	return b.String()
}

func (p *peer) get(name string) (string, bool) {
	for _, f := range p.all {
		if strings.EqualFold(f.name, name) {
			return f.value, true
		}
	}
	return "", false
}

// readBody reads the content that belongs to the last head (RFC 9112, section 6.3). The error is
// io.ErrUnexpectedEOF where it ends too early.
func (p *peer) readBody() ([]byte, error) {
	p.soon()
	if !p.asked && (p.method == "HEAD" || strings.Contains(p.first, " 204 ") || strings.Contains(p.first, " 304 ")) {
		return nil, nil
	}
	if coding, ok := p.get("Transfer-Encoding"); ok {
		if !strings.EqualFold(coding, "chunked") {
			return nil, fmt.Errorf("coding %q", coding)
		}
		return p.readChunks()
	}
	if length, ok := p.get("Content-Length"); ok {
		n, err := strconv.Atoi(length)
		if err != nil {
			return nil, fmt.Errorf("length %q", length)
		}
		return p.readN(n)
	}
	if p.asked {
		return nil, nil
	}
	data, err := io.ReadAll(p.in)
	return data, late(err)
}

func (p *peer) readN(n int) ([]byte, error) {
	data := make([]byte, n)
	got, err := io.ReadFull(p.in, data)
	if err == io.EOF && n > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return data[:got], fmt.Errorf("after %d of %d bytes: %w", got, n, late(err))
	}
	return data, nil
}

func (p *peer) readChunks() ([]byte, error) {
	var out []byte
	for {
		line, err := p.readLine()
		if err != nil {
			return out, early(err)
		}
		n, err := strconv.ParseUint(line, 16, 31)
		if err != nil {
			return out, fmt.Errorf("chunk size %s", brief(line))
		}
		if n == 0 {
			p.after, err = p.readFields()
			return out, early(err)
		}
		data, err := p.readN(int(n))
		out = append(out, data...)
		if err != nil {
			return out, err
		}
		if line, err = p.readLine(); err != nil || line != "" {
			return out, fmt.Errorf("chunk of %d bytes is followed by %s: %w", n, brief(line), early(err))
		}
	}
}

func early(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("%w", io.ErrUnexpectedEOF)
	}
	return err
}

// readEnd makes sure that nothing more comes. Where each exchange has a stream of its own, that is when the last one
// has ended: the connection may well stay.
func (p *peer) readEnd() error {
	p.soon()
	if d, ok := p.conn.(*dialect.Conn); ok {
		p.out <- nil
		d.Settle()
	}
	_, err := p.in.Peek(1)
	if err == nil {
		rest, _ := p.in.Peek(p.in.Buffered())
		return fmt.Errorf("more came: %s", brief(string(rest)))
	}
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return fmt.Errorf("still open: %w", late(err))
}

// canonical is how curl and Go print a field's name.
func canonical(name string) string { return textproto.CanonicalMIMEHeaderKey(name) }
