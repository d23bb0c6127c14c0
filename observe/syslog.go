package observe

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	syslogPriority = 16*8 + 6 // local0, informational (RFC 5424, section 6.2.1)
	syslogTime     = "2006-01-02T15:04:05.000000Z07:00"
	syslogPatience = time.Second // for a connection, and for a batch of lines
)

// A syslog is a sink of RFC 5424 messages: a datagram each over a unix socket or UDP (RFC 5426), or
// counted over TCP (RFC 6587, section 3.4.1). It connects when there is something to say, and after a
// failure not before syslogPatience is over: what comes in between is lost.
type syslog struct {
	network, address string
	tail             string // of the head, behind the time: HOSTNAME APP-NAME PROCID MSGID SD
	now              func() time.Time
	out              []byte

	mu    sync.Mutex // protects conn's being replaced against close
	conn  net.Conn
	retry time.Time
}

var errSyslogAway = errors.New("syslog is away")

func newSyslog(cfg LogConfig) (*syslog, error) {
	network, address, err := syslogAddress(cfg.To)
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname()
	tail := fmt.Sprintf(" %s weir %d %s - ", syslogName(host, 255), os.Getpid(), syslogName(cfg.Name, 32))
	return &syslog{network: network, address: address, tail: tail, now: time.Now}, nil
}

// syslogAddress reads "syslog", "syslog:///path", "syslog://host[:514]" and "syslog+tcp://host[:601]".
func syslogAddress(to string) (network, address string, err error) {
	if to == "syslog" {
		return "unixgram", "/dev/log", nil
	}
	u, err := url.Parse(to)
	switch {
	case err != nil:
		return "", "", fmt.Errorf("log to %q: %w", to, err)
	case u.Scheme == "syslog" && u.Host == "" && strings.HasPrefix(u.Path, "/"):
		return "unixgram", u.Path, nil
	case u.Scheme == "syslog" && u.Hostname() != "":
		return "udp", withPort(u, "514"), nil
	case u.Scheme == "syslog+tcp" && u.Hostname() != "":
		return "tcp", withPort(u, "601"), nil
	}
	return "", "", fmt.Errorf("log to %q: write syslog, syslog://host:514, syslog+tcp://host:601 or syslog:///path", to)
}

func withPort(u *url.URL, port string) string {
	if u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// syslogName makes s fit for a head: printable ASCII without spaces, "-" for nothing.
func syslogName(s string, limit int) string {
	b := []byte(s)
	for i, c := range b {
		if c <= ' ' || c >= 0x7f {
			b[i] = '_'
		}
	}
	if len(b) == 0 {
		return "-"
	}
	return string(b[:min(len(b), limit)])
}

func (s *syslog) write(lines []byte) (lost int, err error) {
	if err := s.connect(); err != nil {
		return lostLines(lines, err), err
	}
	s.conn.SetWriteDeadline(s.now().Add(syslogPatience))
	stamp := s.now().Format(syslogTime)
	for len(lines) > 0 {
		line, rest, _ := bytes.Cut(lines, []byte{'\n'})
		n, e := s.send(stamp, line)
		lost += n
		if e != nil {
			err = e
		}
		if e != nil && !s.perLine(e) {
			s.drop()
			return lost + lostLines(rest, e), e
		}
		lines = rest
	}
	return lost, err
}

// send sends one message.
func (s *syslog) send(stamp string, line []byte) (lost int, err error) {
	b := append(s.out[:0], '<')
	b = strconv.AppendInt(b, syslogPriority, 10)
	b = append(b, ">1 "...)
	b = append(b, stamp...)
	b = append(b, s.tail...)
	b = append(b, line...)
	s.out = b
	if s.network == "tcp" {
		count := strconv.AppendInt(nil, int64(len(b)), 10)
		b = append(append(count, ' '), b...)
	}
	if _, err := s.conn.Write(b); err != nil {
		return 1, err
	}
	return 0, nil
}

// perLine reports whether an error concerns one datagram only: it was too long, or the answer to an
// earlier one is that nobody listens.
func (s *syslog) perLine(err error) bool {
	return errors.Is(err, syscall.EMSGSIZE) || s.network == "udp" && errors.Is(err, syscall.ECONNREFUSED)
}

func (s *syslog) connect() error {
	if s.conn != nil {
		return nil
	}
	if s.now().Before(s.retry) {
		return errSyslogAway
	}
	conn, err := net.DialTimeout(s.network, s.address, syslogPatience)
	if err != nil {
		s.retry = s.now().Add(syslogPatience)
		return err
	}
	s.mu.Lock()
	s.conn = conn
	s.mu.Unlock()
	return nil
}

func (s *syslog) drop() {
	s.close()
	s.mu.Lock()
	s.conn = nil
	s.mu.Unlock()
	s.retry = s.now().Add(syslogPatience)
}

func (s *syslog) reopen() error { return nil }

func (s *syslog) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return nil
	}
	return s.conn.Close()
}
