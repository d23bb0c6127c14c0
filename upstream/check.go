package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"

	"weir"
)

// maxCheckHead and maxCheckBody bound what is read of the answer to a check.
const (
	maxCheckHead = 16 << 10
	maxCheckBody = 64 << 10
)

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// ask makes one check of ep, on a connection of its own. The error is why the server is not well.
func (h *Health) ask(ctx context.Context, dial dialer, ep *weir.Endpoint) error {
	if h.Transport != nil {
		return h.late(ctx, h.call(ctx, ep))
	}
	network, address := "tcp", ep.Address
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	conn, err := dial(ctx, network, address)
	if err != nil {
		return h.late(ctx, err)
	}
	defer conn.Close()
	if h.TCP {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if h.TLS != nil {
		sealed := tls.Client(conn, h.TLS(ep))
		if err := sealed.HandshakeContext(ctx); err != nil {
			return h.late(ctx, fmt.Errorf("handshake: %w", err))
		}
		conn = sealed
	}
	if _, err := conn.Write(h.request(ep)); err != nil {
		return h.late(ctx, err)
	}
	return h.late(ctx, h.read(conn))
}

// late says it plainly where err comes of the time limit.
func (h *Health) late(ctx context.Context, err error) error {
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", h.Timeout)
	}
	return err
}

func (h *Health) request(ep *weir.Endpoint) []byte {
	out := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: weir-health\r\nConnection: close\r\n", h.Method, h.Path, h.host(ep))
	for _, f := range h.Header {
		out = fmt.Appendf(out, "%s: %s\r\n", f.Name, f.Value)
	}
	return append(out, "\r\n"...)
}

// host is what the server of a check is called.
func (h *Health) host(ep *weir.Endpoint) string {
	switch {
	case h.Host != "":
		return h.Host
	case strings.HasPrefix(ep.Name, "unix:"):
		return "localhost"
	}
	return ep.Name
}

// read reads the answer to a check and judges it.
func (h *Health) read(conn io.Reader) error {
	in := &io.LimitedReader{R: conn, N: maxCheckHead}
	br := bufio.NewReader(in)
	tr := textproto.NewReader(br)
	status, err := readStatus(tr)
	if err != nil {
		return err
	}
	if !h.expects(status) {
		return h.unexpected(status)
	}
	header, err := tr.ReadMIMEHeader()
	if err != nil {
		return fmt.Errorf("%s %s: the answer's head: %w", h.Method, h.Path, err)
	}
	if h.Match == "" {
		return nil
	}
	in.N = maxCheckBody
	var body []byte
	if h.Method != "HEAD" && status != 204 && status != 304 {
		body, err = readContent(br, header)
	}
	return h.search(body, err)
}

func (h *Health) unexpected(status int) error {
	return fmt.Errorf("%s %s: status %d, expected %s", h.Method, h.Path, status, rangesText(h.Expect))
}

// search looks for what must stand in the content, as far as it was read; err is why no more of it was.
func (h *Health) search(content []byte, err error) error {
	if strings.Contains(string(content), h.Match) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s %s: the answer's content: %w", h.Method, h.Path, err)
	}
	return fmt.Errorf("%s %s: the content does not hold %q", h.Method, h.Path, h.Match)
}

// readStatus reads a status line (RFC 9112, section 4); interim answers are skipped.
func readStatus(tr *textproto.Reader) (int, error) {
	for {
		line, err := tr.ReadLine()
		if err != nil {
			return 0, noEOF(err)
		}
		version, rest, _ := strings.Cut(line, " ")
		code, _, _ := strings.Cut(rest, " ")
		status, err := strconv.Atoi(code)
		if !strings.HasPrefix(version, "HTTP/1.") || err != nil || len(code) != 3 || status < 100 {
			return 0, fmt.Errorf("the answer is no HTTP/1: %.40q", line)
		}
		if status >= 200 {
			return status, nil
		}
		if _, err := tr.ReadMIMEHeader(); err != nil {
			return 0, noEOF(err)
		}
	}
}

func noEOF(err error) error {
	if err == io.EOF {
		return errors.New("the server closed the connection without an answer")
	}
	return err
}

// readContent returns the content of an answer, or as much as there is of it within the limit.
func readContent(br *bufio.Reader, header textproto.MIMEHeader) ([]byte, error) {
	if strings.EqualFold(header.Get("Transfer-Encoding"), "chunked") {
		return readChunks(br)
	}
	if n, err := strconv.Atoi(header.Get("Content-Length")); err == nil {
		return io.ReadAll(io.LimitReader(br, int64(min(max(n, 0), maxCheckBody))))
	}
	return io.ReadAll(br)
}

// readChunks reads a chunked content (RFC 9112, section 7.1).
func readChunks(br *bufio.Reader) (out []byte, err error) {
	for len(out) < maxCheckBody {
		line, err := br.ReadString('\n')
		if err != nil {
			return out, err
		}
		size, _, _ := strings.Cut(strings.TrimSpace(line), ";")
		n, err := strconv.ParseUint(size, 16, 31)
		if err != nil {
			return out, fmt.Errorf("chunk size %q is no number", size)
		}
		if n == 0 {
			return out, nil
		}
		chunk := make([]byte, min(n, maxCheckBody))
		got, err := io.ReadFull(br, chunk)
		out = append(out, chunk[:got]...)
		if err != nil {
			return out, err
		}
		if _, err := br.Discard(2); err != nil {
			return out, err
		}
	}
	return out, nil
}

func (h *Health) expects(status int) bool {
	for _, r := range h.Expect {
		if r.From <= status && status <= r.To {
			return true
		}
	}
	return false
}

func rangesText(list []StatusRange) string {
	var parts []string
	for _, r := range list {
		if r.From == r.To {
			parts = append(parts, strconv.Itoa(r.From))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", r.From, r.To))
		}
	}
	return strings.Join(parts, ", ")
}
