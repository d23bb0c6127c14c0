package proxyproto

import (
	"encoding/binary"
	"hash/crc32"
	"unicode/utf8"

	"weir/internal/syntax"
)

// TLVs are what a header of version 2 says besides the addresses (section 2.2.1 and following). Other types are skipped.
type TLVs struct {
	ALPN      string // protocol that the client and the proxy agreed on
	Authority string // host name that the client asked for in TLS; UTF-8 without control characters
	UniqueID  string // opaque bytes, at most 128
	Checksum  bool   // there was a CRC-32C, and it was right; on the way out: there shall be one
	SSL       *SSL   // nil: not said
	Custom    []TLV  // those that are for applications, in order
}

// An SSL is what a proxy says of the TLS connection between the client and itself.
type SSL struct {
	TLS         bool   // the client speaks TLS
	Certificate bool   // it showed a certificate, on this connection
	Session     bool   // or earlier in the same TLS session
	Verify      uint32 // 0: the certificate was verified
	Version     string // "TLSv1.3"
	CommonName  string // of the client's certificate
	Cipher      string
	SigAlg      string // of the proxy's certificate
	KeyAlg      string // of the proxy's certificate
}

// A TLV is a value whose meaning is between the two sides. Type is between CustomFirst and CustomLast.
type TLV struct {
	Type  byte
	Value string
}

// The types for applications: the load balancers of large clouds use them.
const (
	CustomFirst = 0xE0
	CustomLast  = 0xEF
)

const (
	typeALPN      = 0x01
	typeAuthority = 0x02
	typeCRC32C    = 0x03
	typeUniqueID  = 0x05
	typeSSL       = 0x20

	subVersion    = 0x21
	subCommonName = 0x22
	subCipher     = 0x23
	subSigAlg     = 0x24
	subKeyAlg     = 0x25
)

// Bits of the first byte of an SSL value.
const (
	clientTLS         = 0x01
	clientCertificate = 0x02
	clientSession     = 0x04
)

// What a value may be long.
const (
	maxALPN     = 255 // RFC 7301, section 3.1
	maxText     = 255
	maxUniqueID = 128
	maxCustom   = 16 // values
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A value is one type with its value.
type value struct {
	typ  byte
	data []byte
}

// nextValue cuts the first value off b.
func nextValue(b []byte) (v value, rest []byte, err error) {
	if len(b) < 3 || len(b) < 3+int(binary.BigEndian.Uint16(b[1:])) {
		return v, nil, errTLV
	}
	end := 3 + int(binary.BigEndian.Uint16(b[1:]))
	return value{b[0], b[3:end]}, b[end:], nil
}

// parseTLVs reads the values in rest, which is the end of the whole header.
func (t *TLVs) parseTLVs(whole, rest []byte) error {
	var seen [256]bool
	for len(rest) > 0 {
		v, after, err := nextValue(rest)
		if err != nil {
			return err
		}
		if v.typ == typeCRC32C && (len(v.data) != 4 || seen[typeCRC32C]) {
			return errTLV
		}
		if v.typ == typeCRC32C && !checksumHolds(whole, len(whole)-len(after)-4) {
			return errChecksum
		}
		if !t.take(v, seen[v.typ]) {
			return errTLV
		}
		seen[v.typ] = true
		rest = after
	}
	return nil
}

// checksumHolds compares the sum that stands at b[at:] with that of b where it were zero (section 2.2.3).
func checksumHolds(b []byte, at int) bool {
	var zero [4]byte
	sum := crc32.Update(0, castagnoli, b[:at])
	sum = crc32.Update(sum, castagnoli, zero[:])
	sum = crc32.Update(sum, castagnoli, b[at+4:])
	return sum == binary.BigEndian.Uint32(b[at:])
}

// take notes one value; false: it may not be so, or not be there twice.
func (t *TLVs) take(v value, again bool) bool {
	s := string(v.data)
	switch v.typ {
	case typeALPN:
		t.ALPN = s
		return !again && s != "" && len(s) <= maxALPN
	case typeAuthority:
		t.Authority = s
		return !again && isText(s)
	case typeUniqueID:
		t.UniqueID = s
		return !again && len(s) <= maxUniqueID
	case typeCRC32C:
		t.Checksum = true
	case typeSSL:
		t.SSL = new(SSL)
		return !again && t.SSL.parse(v.data)
	}
	if v.typ >= CustomFirst && v.typ <= CustomLast {
		t.Custom = append(t.Custom, TLV{v.typ, s})
		return len(t.Custom) <= maxCustom
	}
	return true
}

func isText(s string) bool {
	return s != "" && len(s) <= maxText && utf8.ValidString(s) && syntax.IsValue(s)
}

func (s *SSL) parse(b []byte) bool {
	if len(b) < 5 {
		return false
	}
	s.TLS, s.Certificate, s.Session = b[0]&clientTLS != 0, b[0]&clientCertificate != 0, b[0]&clientSession != 0
	s.Verify = binary.BigEndian.Uint32(b[1:])
	for b = b[5:]; len(b) > 0; {
		v, rest, err := nextValue(b)
		if err != nil {
			return false
		}
		if p := s.text(v.typ); p != nil {
			if *p != "" || !isText(string(v.data)) {
				return false
			}
			*p = string(v.data)
		}
		b = rest
	}
	return true
}

// text returns where the text of a type belongs, nil where it belongs nowhere.
func (s *SSL) text(typ byte) *string {
	switch typ {
	case subVersion:
		return &s.Version
	case subCommonName:
		return &s.CommonName
	case subCipher:
		return &s.Cipher
	case subSigAlg:
		return &s.SigAlg
	case subKeyAlg:
		return &s.KeyAlg
	}
	return nil
}

// append appends the values to the header that begins at dst[at:], and completes it with its length and checksum.
// Values that Parse would not take are left out.
func (t *TLVs) append(dst []byte, at int) []byte {
	if t == nil {
		t = new(TLVs)
	}
	most := at + MaxSize
	if t.ALPN != "" && len(t.ALPN) <= maxALPN {
		dst = appendValue(dst, most, typeALPN, t.ALPN)
	}
	if isText(t.Authority) {
		dst = appendValue(dst, most, typeAuthority, t.Authority)
	}
	if t.UniqueID != "" && len(t.UniqueID) <= maxUniqueID {
		dst = appendValue(dst, most, typeUniqueID, t.UniqueID)
	}
	if t.SSL != nil {
		dst = appendValue(dst, most, typeSSL, string(t.SSL.append(nil)))
	}
	sum := 0
	if t.Checksum {
		dst = appendValue(dst, most, typeCRC32C, "\x00\x00\x00\x00")
		sum = len(dst) - 4
	}
	for _, c := range t.Custom[:min(len(t.Custom), maxCustom)] {
		if c.Type >= CustomFirst && c.Type <= CustomLast {
			dst = appendValue(dst, most, c.Type, c.Value)
		}
	}
	binary.BigEndian.PutUint16(dst[at+atLength:], uint16(len(dst)-at-fixed))
	if sum > 0 {
		binary.BigEndian.PutUint32(dst[sum:], crc32.Checksum(dst[at:], castagnoli))
	}
	return dst
}

// appendValue appends a value where dst does not grow beyond most by it.
func appendValue(dst []byte, most int, typ byte, s string) []byte {
	if len(dst)+3+len(s) > most {
		return dst
	}
	dst = binary.BigEndian.AppendUint16(append(dst, typ), uint16(len(s)))
	return append(dst, s...)
}

func (s *SSL) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, s.client()), s.Verify)
	for typ := byte(subVersion); typ <= subKeyAlg; typ++ {
		if text := *s.text(typ); isText(text) {
			dst = appendValue(dst, MaxSize, typ, text)
		}
	}
	return dst
}

func (s *SSL) client() (bits byte) {
	if s.TLS {
		bits |= clientTLS
	}
	if s.Certificate {
		bits |= clientCertificate
	}
	if s.Session {
		bits |= clientSession
	}
	return bits
}
