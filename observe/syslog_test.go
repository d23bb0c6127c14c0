package observe

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var rfc5424 = regexp.MustCompile(`^<134>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d) \S+ weir \d+ access - (.*)$`)

// syslogTo writes two lines to a log there and closes it.
func syslogTo(t *testing.T, to string) {
	t.Helper()
	l, err := NewAccessLog(LogConfig{Name: "access", To: to, Format: "{status} {outcome}"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Observe(exchange())
	l.Observe(failed())
	l.Close()
	if s := l.Status(); s.Written != 2 || s.Dropped != 0 {
		t.Errorf("status is %+v", s)
	}
}

func wantMessages(t *testing.T, got []string) {
	t.Helper()
	want := []string{"200 ok", "502 upstream.connect_refused"}
	if len(got) != len(want) {
		t.Fatalf("%d messages", len(got))
	}
	for i, text := range want {
		if m := rfc5424.FindStringSubmatch(got[i]); m == nil || m[2] != text {
			t.Errorf("message %q is not %q in RFC 5424", got[i], text)
		}
	}
}

func datagrams(t *testing.T, conn net.PacketConn) []string {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	var got []string
	for range 2 {
		b := make([]byte, 1<<16)
		n, _, err := conn.ReadFrom(b)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(b[:n]))
	}
	return got
}

func TestSyslogByUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	conn, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	syslogTo(t, "syslog://"+path)
	wantMessages(t, datagrams(t, conn))
}

func TestSyslogByUDP(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	syslogTo(t, "syslog://"+conn.LocalAddr().String())
	wantMessages(t, datagrams(t, conn))
}

func TestSyslogByTCP(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	syslogTo(t, "syslog+tcp://"+ln.Addr().String())
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	wantMessages(t, counted(t, bufio.NewReader(conn)))
}

// counted reads messages framed as RFC 6587, section 3.4.1 says.
func counted(t *testing.T, r *bufio.Reader) (got []string) {
	t.Helper()
	for {
		length, err := r.ReadString(' ')
		if err == io.EOF {
			return got
		}
		n, err := strconv.Atoi(strings.TrimSpace(length))
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil {
			t.Fatal(err)
		}
		got = append(got, string(b))
	}
}

// TestSyslogAway: a log starts without syslog, loses lines while it is away, and finds it when it is there.
func TestSyslogAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	s, err := newSyslog(LogConfig{Name: "access", To: "syslog://" + path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	now := time.Now()
	s.now = func() time.Time { return now }
	if lost, err := s.write([]byte("a\nb\n")); lost != 2 || err == nil {
		t.Errorf("%d lost, %v", lost, err)
	}
	conn, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if lost, err := s.write([]byte("c\n")); lost != 1 || !errors.Is(err, errSyslogAway) {
		t.Errorf("asked again at once: %d lost, %v", lost, err)
	}
	now = now.Add(2 * syslogPatience)
	if lost, err := s.write([]byte("d\ne\n")); lost != 0 || err != nil {
		t.Errorf("back again: %d lost, %v", lost, err)
	}
	for i, m := range datagrams(t, conn) {
		if want := []string{"d", "e"}[i]; !strings.HasSuffix(m, " access - "+want) {
			t.Errorf("message %q, want %q", m, want)
		}
	}
}

// TestSyslogTooLong: a line beyond what a datagram takes is lost alone.
func TestSyslogTooLong(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s, err := newSyslog(LogConfig{Name: "access", To: "syslog://" + conn.LocalAddr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	lost, err := s.write(fmt.Appendf(nil, "a\n%s\nb\n", strings.Repeat("x", 1<<16)))
	if lost != 1 || err == nil {
		t.Errorf("%d lost, %v", lost, err)
	}
	if got := datagrams(t, conn); !strings.HasSuffix(got[0], " a") || !strings.HasSuffix(got[1], " b") {
		t.Errorf("messages are %q", got)
	}
}

func TestSyslogAddress(t *testing.T) {
	for to, want := range map[string]string{
		"syslog":                      "unixgram /dev/log",
		"syslog:///run/log":           "unixgram /run/log",
		"syslog://loghost":            "udp loghost:514",
		"syslog://[2001:db8::1]:1514": "udp [2001:db8::1]:1514",
		"syslog+tcp://loghost":        "tcp loghost:601",
		"syslog+tcp://192.0.2.1:1":    "tcp 192.0.2.1:1",
		"syslog:relative":             "",
		"syslog+tls://loghost":        "",
		"syslog://":                   "",
		"syslog+tcp:///path":          "",
	} {
		network, address, err := syslogAddress(to)
		if got := strings.TrimSpace(network + " " + address); got != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v; want %q", to, got, err, want)
		}
	}
}
