package proxyproto

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

var (
	ap  = netip.MustParseAddrPort
	sig = "0d0a0d0a000d0a515549540a"
)

// inet is a header that says that.
func inet(version int, source, destination string) Header {
	return Header{Version: version, Family: Inet, Source: ap(source), Destination: ap(destination)}
}

func TestParseLine(t *testing.T) {
	for _, tt := range []struct {
		line string
		want Header
	}{
		{"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", inet(1, "192.168.0.1:56324", "192.168.0.11:443")},
		{"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", inet(1, "255.255.255.255:65535", "255.255.255.255:65535")},
		{"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", inet(1, "0.0.0.0:0", "0.0.0.0:0")},
		{"PROXY TCP6 2001:db8::1 2001:DB8::2 1 2\r\n", inet(1, "[2001:db8::1]:1", "[2001:db8::2]:2")},
		{"PROXY TCP6 :: ::1 9 8\r\n", inet(1, "[::]:9", "[::1]:8")},
		{
			"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
			inet(1, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
		},
		{"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c000:202 1 2\r\n", inet(1, "192.0.2.1:1", "192.0.2.2:2")},
		{"PROXY UNKNOWN\r\n", Header{Version: 1}},
		{"PROXY UNKNOWN ffff::1 whatever \x01 it says\r\n", Header{Version: 1}},
		{"PROXY UNKNOWN " + strings.Repeat("x", 107-16) + "\r\n", Header{Version: 1}},
	} {
		parses(t, []byte(tt.line), tt.want)
	}
}

// parses makes sure that a header is read so, whatever follows it, that every beginning of it wants more, and that
// Missing never asks for a byte behind it.
func parses(t *testing.T, header []byte, want Header) {
	t.Helper()
	for _, more := range []string{"", "G", "GET / HTTP/1.1\r\n\r\n", "PROXY UNKNOWN\r\n"} {
		h, n, err := Parse(append(bytes.Clone(header), more...))
		if err != nil || n != len(header) || !reflect.DeepEqual(h, want) {
			t.Errorf("%q: %+v, %d, %v; want %+v", header, h, n, err, want)
		}
	}
	for i := range header {
		if h, n, err := Parse(header[:i]); err != ErrMore || n != 0 || !reflect.DeepEqual(h, Header{}) {
			t.Errorf("the beginning %q: %+v, %d, %v; want ErrMore", header[:i], h, n, err)
		}
		if m := Missing(header[:i]); m < 1 || i+m > len(header) {
			t.Errorf("the beginning %q misses %d at least, want 1 to %d", header[:i], m, len(header)-i)
		}
	}
}

func TestParseBadLines(t *testing.T) {
	for line, want := range map[string]error{
		"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\n":        errLine,
		"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\r\n":    errLine,
		"PROXY TCP4 192.168.0.1\r 192.168.0.11 56324 443\r\n":    errLine,
		"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\rGET / H": errLine,
		"PROXY TCP4 192.168.0.1 192.168.0.11 56324\r\n":          errLine,
		"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443 \r\n":     errLine,
		"PROXY TCP4  192.168.0.1 192.168.0.11 56324 443\r\n":     errLine,
		"PROXY  TCP4 192.168.0.1 192.168.0.11 56324 443\r\n":     errLine,
		"PROXY TCP5 192.168.0.1 192.168.0.11 56324 443\r\n":      errLine,
		"PROXY tcp4 192.168.0.1 192.168.0.11 56324 443\r\n":      errLine,
		"PROXY UNKNOWNS\r\n": errLine,
		"PROXY \r\n":         errLine,
		"PROXY TCP4 192.168.0.1\t192.168.0.11 56324 443 \r\n":       errAddress,
		"PROXY TCP4 192.168.0.01 192.168.0.11 56324 443\r\n":        errAddress,
		"PROXY TCP4 192.168.0 192.168.0.11 56324 443\r\n":           errAddress,
		"PROXY TCP4 192.168.0.256 192.168.0.11 56324 443\r\n":       errAddress,
		"PROXY TCP4 ::1 ::1 56324 443\r\n":                          errAddress,
		"PROXY TCP6 192.168.0.1 192.168.0.11 56324 443\r\n":         errAddress,
		"PROXY TCP6 fe80::1%eth0 fe80::2 56324 443\r\n":             errAddress,
		"PROXY TCP6 1:2:3:4:5:6:7 ::1 56324 443\r\n":                errAddress,
		"PROXY TCP4 192.168.0.1 192.168.0.11 056324 443\r\n":        errPort,
		"PROXY TCP4 192.168.0.1 192.168.0.11 56324 +443\r\n":        errPort,
		"PROXY TCP4 192.168.0.1 192.168.0.11 65536 443\r\n":         errPort,
		"PROXY TCP4 192.168.0.1 192.168.0.11 56324 \r\n":            errPort,
		"PROXY UNKNOWN " + strings.Repeat("x", 108-16) + "\r\n":     errLong,
		"PROXY TCP4 " + strings.Repeat("1", 200):                    errLong,
		"PROXY\r\n":                                                 ErrNone,
		"PROXYTCP4 192.168.0.1 192.168.0.11 56324 443\r\n":          ErrNone,
		"proxy TCP4 192.168.0.1 192.168.0.11 56324 443\r\n":         ErrNone,
		" PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n":        ErrNone,
		"GET / HTTP/1.1\r\n":                                        ErrNone,
		"\r\nGET / HTTP/1.1\r\n":                                    ErrNone,
		"\x16\x03\x01\x02\x00\x01":                                  ErrNone,
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":                          ErrNone,
		"\r\n\r\n\x00\r\nQUIT\r":                                    ErrNone,
		"PROPFIND / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r": ErrNone,
	} {
		if h, n, err := Parse([]byte(line)); err != want || n != 0 || !reflect.DeepEqual(h, Header{}) {
			t.Errorf("%q: %+v, %d, %v; want %v", line, h, n, err, want)
		}
	}
}

// unhex makes bytes of hexadecimal digits, in which spaces and what stands in parentheses do not count.
func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseBlock(t *testing.T) {
	four := inet(2, "192.0.2.1:56324", "198.51.100.2:443")
	with := func(h Header, tlvs TLVs) Header { h.TLVs = tlvs; return h }
	unix := Header{Version: 2, Family: Unix, SourcePath: "/a", DestinationPath: "\x00b"}
	path := func(s string) string { return s + strings.Repeat("00", 108-len(s)/2) }
	for _, tt := range []struct {
		bytes string
		want  Header
	}{
		{"21 11 000c c0000201 c6336402 dc04 01bb", four},
		{"21 21 0024 20010db8000000000000000000000001 20010db8000000000000000000000002 0001 0002", inet(2, "[2001:db8::1]:1", "[2001:db8::2]:2")},
		{"21 21 0024 00000000000000000000ffffc0000201 00000000000000000000ffffc0000202 0001 0002", inet(2, "192.0.2.1:1", "192.0.2.2:2")},
		{"21 31 00d8" + path("2f61") + path("0062"), unix},
		{"20 00 0000", Header{Version: 2, Local: true}},
		{"20 11 0000", Header{Version: 2, Local: true}},
		{"20 11 000c c0000201 c6336402 dc04 01bb", Header{Version: 2, Local: true}},
		{"20 00 0003 ffffff", Header{Version: 2, Local: true}},
		{"21 00 0000", Header{Version: 2}},
		{"21 00 0002 ffff", Header{Version: 2}},
		{"21 01 0002 ffff", Header{Version: 2}},
		{"21 10 0001 ff", Header{Version: 2}},
		{"21 12 000c c0000201 c6336402 dc04 01bb", func() Header { h := four; h.Datagram = true; return h }()},
		{"21 11 0011 c0000201 c6336402 dc04 01bb 01 0002 6832", with(four, TLVs{ALPN: "h2"})},
		{"21 11 0014 c0000201 c6336402 dc04 01bb 02 0005 612e636f6d", with(four, TLVs{Authority: "a.com"})},
		{"21 11 0011 c0000201 c6336402 dc04 01bb 05 0002 00ff", with(four, TLVs{UniqueID: "\x00\xff"})},
		{"21 11 0012 c0000201 c6336402 dc04 01bb 04 0000 04 0000", four},
		{"21 11 0011 c0000201 c6336402 dc04 01bb 30 0002 6e73", four},
		{"21 11 0010 c0000201 c6336402 dc04 01bb ea 0001 01", with(four, TLVs{Custom: []TLV{{0xea, "\x01"}}})},
		{
			"21 11 0025 c0000201 c6336402 dc04 01bb 20 0016 07 00000002 21 0007 544c5376312e33 22 0001 63 99 0000",
			with(four, TLVs{SSL: &SSL{TLS: true, Certificate: true, Session: true, Verify: 2, Version: "TLSv1.3", CommonName: "c"}}),
		},
	} {
		parses(t, unhex(t, sig+tt.bytes), tt.want)
	}
}

func TestParseBadBlocks(t *testing.T) {
	const four = "c0000201 c6336402 dc04 01bb"
	for bytes, want := range map[string]error{
		"11":                               errVersion,
		"31":                               errVersion,
		"22":                               errVersion,
		"01":                               errVersion,
		"21 41":                            errFamily,
		"21 13":                            errFamily,
		"21 f1":                            errFamily,
		"20 03":                            errFamily,
		"21 11 0ff1":                       errTooLong,
		"21 00 ffff":                       errTooLong,
		"21 11 000b" + four[:len(four)-2]:  errLength,
		"21 11 0000":                       errLength,
		"21 21 000c" + four:                errLength,
		"21 31 000c" + four:                errLength,
		"21 11 000d" + four + "01":         errTLV,
		"21 11 000e" + four + "01 00":      errTLV,
		"21 11 000f" + four + "01 0001":    errTLV,
		"21 11 000f" + four + "01 0000":    errTLV, // no name
		"21 11 000f" + four + "02 0000":    errTLV,
		"21 11 0010" + four + "02 0001 0a": errTLV, // a control character
		"21 11 0010" + four + "02 0001 ff": errTLV, // not UTF-8
		"21 11 0014" + four + "01 0001 61 01 0001 61":                    errTLV, // twice
		"21 11 0010" + four + "20 0001 01":                               errTLV,
		"21 11 0015" + four + "20 0006 01 00000000 21":                   errTLV,
		"21 11 0017" + four + "20 0008 01 00000000 21 0001":              errTLV,
		"21 11 0010" + four + "03 0001 00":                               errTLV,
		"21 11 0013" + four + "03 0004 00000000":                         errChecksum,
		"21 11 008f" + four + "05 0081" + strings.Repeat("00", 129) + "": errTLV, // needs 132 bytes: its length is short
		"21 11 0090" + four + "05 0081" + strings.Repeat("00", 129):      errTLV,
	} {
		if h, n, err := Parse(unhex(t, sig+bytes)); err != want || n != 0 || !reflect.DeepEqual(h, Header{}) {
			t.Errorf("%s: %+v, %d, %v; want %v", bytes, h, n, err, want)
		}
	}
}

// The checksum of HAProxy's own making is part of the test with it; here the way of reckoning is that of the text.
func TestChecksum(t *testing.T) {
	b := unhex(t, sig+"21 11 0018 c0000201 c6336402 dc04 01bb 03 0004 00000000 01 0002 6832")
	const at = fixed + size4 + 3
	binary.BigEndian.PutUint32(b[at:], crc32.Checksum(b, crc32.MakeTable(0x82f63b78)))
	want := inet(2, "192.0.2.1:56324", "198.51.100.2:443")
	want.Checksum, want.ALPN = true, "h2"
	parses(t, b, want)
	for i := atFamily + 1; i < len(b); i++ {
		if i == at-3 {
			continue // the type: then there is no checksum
		}
		for bit := range 8 {
			bad := bytes.Clone(b)
			bad[i] ^= 1 << bit
			if h, _, err := Parse(bad); err == nil {
				t.Errorf("bit %d of byte %d is flipped, and nobody noticed: %+v", bit, i, h)
			}
		}
	}
}

func TestAppend(t *testing.T) {
	tlvs := &TLVs{
		ALPN: "h2", Authority: "shop.example.com", UniqueID: "\x00\x01", Checksum: true, Custom: []TLV{{CustomFirst, ""}, {CustomLast, "x"}},
		SSL: &SSL{TLS: true, Session: true, Verify: 7, Version: "TLSv1.3", Cipher: "c", KeyAlg: "RSA2048", SigAlg: "SHA256", CommonName: "n"},
	}
	for _, tt := range []struct{ source, destination, line string }{
		{"192.168.0.1:56324", "192.168.0.11:443", "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"},
		{"[2001:db8::1]:1", "[::1]:65535", "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"},
		{"[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.2]:2", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"},
		{"192.0.2.1:1", "[2001:db8::2]:2", "PROXY TCP6 ::ffff:c000:201 2001:db8::2 1 2\r\n"},
		{"[fe80::1%eth0]:1", "[fe80::2%eth0]:2", "PROXY TCP6 fe80::1 fe80::2 1 2\r\n"},
	} {
		source, destination := ap(tt.source), ap(tt.destination)
		if got := string(AppendV1([]byte("x"), source, destination)); got != "x"+tt.line {
			t.Errorf("version 1 of %v, %v: %q, want %q", source, destination, got, tt.line)
		}
		plain := func(a netip.AddrPort) netip.AddrPort {
			return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
		}
		want := Header{Family: Inet, Source: plain(source), Destination: plain(destination)}
		want.Version = 1
		parses(t, AppendV1(nil, source, destination), want)
		want.Version = 2
		parses(t, AppendV2(nil, source, destination, nil), want)
		want.TLVs = *tlvs
		parses(t, AppendV2([]byte("abc"), source, destination, tlvs)[3:], want)
	}
	for _, none := range [][2]netip.AddrPort{{}, {ap("1.2.3.4:5")}, {{}, ap("1.2.3.4:5")}} {
		parses(t, AppendV1(nil, none[0], none[1]), Header{Version: 1})
		parses(t, AppendV2(nil, none[0], none[1], tlvs), Header{Version: 2, Local: true})
	}
	parses(t, AppendLocal(nil), Header{Version: 2, Local: true})
	want := unhex(t, sig+"21 11 000c c0000201 c6336402 dc04 01bb")
	if got := AppendV2(nil, ap("192.0.2.1:56324"), ap("198.51.100.2:443"), nil); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

// What Parse would refuse is not written.
func TestAppendLeavesOut(t *testing.T) {
	big := strings.Repeat("x", 3000)
	tlvs := &TLVs{
		ALPN: big, Authority: "a\nb", UniqueID: big, SSL: &SSL{TLS: true, CommonName: big, Version: "a\x00"},
		Custom: []TLV{{CustomFirst - 1, "no"}, {CustomLast + 1, "no"}, {CustomFirst, big}, {CustomFirst, big}, {CustomFirst, "yes"}},
	}
	want := inet(2, "1.2.3.4:5", "6.7.8.9:10")
	want.TLVs = TLVs{SSL: &SSL{TLS: true}, Custom: []TLV{{CustomFirst, big}, {CustomFirst, "yes"}}}
	parses(t, AppendV2(nil, want.Source, want.Destination, tlvs), want)
}

func TestAddresses(t *testing.T) {
	local, remote := ap("10.0.0.1:1"), ap("10.0.0.2:2")
	said := inet(2, "192.0.2.1:3", "192.0.2.2:4")
	self, datagram := said, said
	self.Local, datagram.Datagram = true, true
	for name, tt := range map[string]struct {
		h             Header
		local, remote netip.AddrPort
	}{
		"none":     {Header{}, local, remote},
		"unknown":  {Header{Version: 1}, local, remote},
		"local":    {self, local, remote},
		"datagram": {datagram, local, remote},
		"unix":     {Header{Version: 2, Family: Unix}, netip.AddrPort{}, netip.AddrPort{}},
		"said":     {said, said.Destination, said.Source},
	} {
		if l, r := tt.h.Addresses(local, remote); l != tt.local || r != tt.remote {
			t.Errorf("%s: %v, %v; want %v, %v", name, l, r, tt.local, tt.remote)
		}
	}
}

// FuzzParse checks that a header that is accepted is within its limits, needs all of its bytes and no others, and
// says the same when it is written anew.
func FuzzParse(f *testing.F) {
	a, b := ap("192.0.2.1:56324"), ap("[2001:db8::1]:443")
	for _, seed := range [][]byte{
		AppendV1(nil, a, a), AppendV1(nil, a, b), AppendV1(nil, netip.AddrPort{}, a), AppendLocal(nil),
		AppendV2(nil, a, a, nil), AppendV2(nil, b, a, &TLVs{ALPN: "h2", Authority: "a", UniqueID: "\x00", Checksum: true}),
		AppendV2(nil, a, a, &TLVs{SSL: &SSL{TLS: true, Version: "TLSv1.3", CommonName: "c"}, Custom: []TLV{{CustomFirst, "v"}}}),
		[]byte("GET / HTTP/1.1\r\n"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, buf []byte) {
		h, n, err := Parse(buf)
		if err != nil {
			if n != 0 || !reflect.DeepEqual(h, Header{}) {
				t.Fatalf("%+v, %d with %v", h, n, err)
			}
			if err == ErrMore && len(buf) >= MaxSize {
				t.Fatalf("%d bytes are not enough", len(buf))
			}
			return
		}
		if n > len(buf) || h.Version == 1 && n > maxLine || n > MaxSize {
			t.Fatalf("a header of %d bytes", n)
		}
		parses(t, buf[:n], h)
		if h.Family == Inet && !h.Datagram && h.Version == 2 {
			parses(t, AppendV2(nil, h.Source, h.Destination, &h.TLVs), h)
		}
		if h.Family == Inet && h.Version == 1 {
			parses(t, AppendV1(nil, h.Source, h.Destination), h)
		}
	})
}
