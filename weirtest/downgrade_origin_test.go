package weirtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A witness is an origin of HTTP/1.1 that holds each connection against the one reading of RFC 9112: request after request,
// nothing before, between or behind them. It answers each with its target.
type witness struct {
	l   net.Listener
	all sync.WaitGroup

	mu    sync.Mutex // protects what follows
	conns map[net.Conn]bool
	seen  map[string][]string // requests by what their field X-Attack says: the head as it came, an empty line, the content
	cut   map[string]int      // ... those that ended in the middle of their content
	dirt  []string            // what is no request, or could be read as another one
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &witness{l: l, conns: map[net.Conn]bool{}, seen: map[string][]string{}, cut: map[string]int{}}
	o.all.Go(o.accept)
	t.Cleanup(o.close)
	return o
}

func (o *witness) address() string { return o.l.Addr().String() }

func (o *witness) accept() {
	for {
		c, err := o.l.Accept()
		if err != nil {
			return
		}
		o.note(func() { o.conns[c] = true })
		o.all.Go(func() {
			defer c.Close()
			for in := bufio.NewReader(c); o.exchange(c, in); {
			}
		})
	}
}

func (o *witness) close() {
	o.l.Close()
	o.note(func() {
		for c := range o.conns {
			c.Close()
		}
	})
	o.all.Wait()
}

func (o *witness) note(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

// exchange reads a request and answers it; false: the connection is over.
func (o *witness) exchange(c net.Conn, in *bufio.Reader) bool {
	head, err := readUntilEmptyLine(in)
	if err != nil && head == "" {
		return false
	}
	if err == nil {
		err = judgeHead(head)
	}
	if err != nil {
		o.note(func() { o.dirt = append(o.dirt, fmt.Sprintf("%v: %q", err, head)) })
		return false
	}
	target, by := strings.Fields(head)[1], attackOf(head)
	if strings.HasPrefix(target, "/early") { // answered before the content has come
		if !answerWith(c, target) {
			return false
		}
	}
	body, err := readContent(head, in)
	if err != nil {
		o.note(func() { o.cut[by]++ })
		return false
	}
	o.note(func() { o.seen[by] = append(o.seen[by], head+"\r\n"+body) })
	return strings.HasPrefix(target, "/early") || answerWith(c, target)
}

// attackOf returns what the field X-Attack says.
func attackOf(head string) string {
	_, rest, _ := strings.Cut(strings.ToLower(head), "\r\nx-attack: ")
	by, _, _ := strings.Cut(rest, "\r\n")
	return by
}

func answerWith(c net.Conn, target string) bool {
	status := "200 OK"
	if strings.HasPrefix(target, "/426") {
		status = "426 Upgrade Required"
	}
	_, err := fmt.Fprintf(c, "HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s", status, len(target), target)
	return err == nil
}

// readUntilEmptyLine reads a head, without the empty line that ends it.
func readUntilEmptyLine(in *bufio.Reader) (string, error) {
	var head strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return head.String() + line, err
		}
		if line == "\r\n" {
			return head.String(), nil
		}
		head.WriteString(line)
		if head.Len() > 1<<20 {
			return head.String(), errors.New("a head without an end")
		}
	}
}

var (
	cleanRequest = regexp.MustCompile(`^[!#$%&'*+.^_|~0-9A-Za-z` + "`" + `-]+ (/[^\s\\#\x00-\x20\x7f]*|\*) HTTP/1\.1$`)
	cleanField   = regexp.MustCompile(`^([!#$%&'*+.^_|~0-9A-Za-z` + "`" + `-]+): ?([^\x00-\x08\x0a-\x1f\x7f]*)$`)
)

// judgeHead finds what another reader could take for something else than weir did.
func judgeHead(head string) error {
	lines := strings.Split(strings.TrimSuffix(head, "\r\n"), "\r\n")
	if strings.Contains(lines[0], "smuggled") || !cleanRequest.MatchString(lines[0]) {
		return errors.New("no request line that was asked for")
	}
	count := map[string]int{}
	for _, line := range lines[1:] {
		m := cleanField.FindStringSubmatch(line)
		if m == nil {
			return fmt.Errorf("no clean field: %q", line)
		}
		name := strings.ReplaceAll(strings.ToLower(m[1]), "_", "-")
		count[name]++
		switch {
		case name == "evil":
			return errors.New("a field that was made of a value")
		case name == "transfer-encoding" && m[2] != "chunked", name == "connection" && m[2] != "Upgrade" && m[2] != "TE",
			name == "upgrade" && m[2] != "websocket", name == "te" && m[2] != "trailers":
			return fmt.Errorf("a field of the connection that is not weir's: %q", line)
		case name == "keep-alive", name == "proxy-connection", name == "http2-settings":
			return fmt.Errorf("a field of the connection: %q", line)
		}
	}
	if count["host"] != 1 || count["content-length"]+count["transfer-encoding"] > 1 || count["cookie"] > 1 {
		return fmt.Errorf("fields that may come once: %v", count)
	}
	return nil
}

// readContent reads what follows a head that has been judged.
func readContent(head string, in *bufio.Reader) (string, error) {
	length, chunked := 0, false
	for line := range strings.SplitSeq(strings.ToLower(head), "\r\n") {
		if v, ok := strings.CutPrefix(line, "content-length: "); ok {
			n, err := strconv.ParseUint(v, 10, 31)
			if err != nil || strconv.Itoa(int(n)) != v {
				return "", fmt.Errorf("length %q", v)
			}
			length = int(n)
		}
		chunked = chunked || line == "transfer-encoding: chunked"
	}
	if !chunked {
		content := make([]byte, length)
		_, err := io.ReadFull(in, content)
		return string(content), err
	}
	p := &peer{in: in, first: "x"}
	content, err := p.readChunks()
	var trailer strings.Builder
	for _, f := range p.after {
		fmt.Fprintf(&trailer, "\r\n%s: %s", f.name, f.value)
	}
	return string(content) + trailer.String(), err
}
