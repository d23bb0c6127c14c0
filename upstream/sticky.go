package upstream

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"weir"
)

// A sticky is how a cookie names the server that a client stays with.
type sticky struct {
	name string
	tail string // of Set-Cookie, after the value
}

func newSticky(c *Sticky) *sticky {
	var b strings.Builder
	b.WriteString("; Path=" + c.Path)
	if c.Domain != "" {
		b.WriteString("; Domain=" + c.Domain)
	}
	if c.TTL > 0 {
		b.WriteString("; Max-Age=" + strconv.Itoa(int(c.TTL.Seconds())))
	}
	if c.Secure {
		b.WriteString("; Secure")
	}
	if c.HTTPOnly {
		b.WriteString("; HttpOnly")
	}
	if c.SameSite != "" {
		b.WriteString("; SameSite=" + c.SameSite)
	}
	return &sticky{name: c.Cookie, tail: b.String()}
}

// serverDigest is what cookies call a server: nobody can tell the address from it, and it is the same after a
// restart.
func serverDigest(secret []byte, upstream, address string) uint64 {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("weir sticky\x00" + upstream + "\x00" + address))
	return max(binary.BigEndian.Uint64(mac.Sum(nil)), 1)
}

// digest returns what x's cookie says; 0: nothing.
func (k *sticky) digest(x *weir.Exchange) uint64 {
	fields := x.Request.Header.Fields()
	for i := range fields {
		if fields[i].ID != weir.FieldCookie {
			continue
		}
		if v, ok := cookie(fields[i].Value, k.name); ok {
			if d, ok := parseDigest(v); ok {
				return d
			}
		}
	}
	return 0
}

// stick sets the cookie where x did not come from a client that has it.
func (k *sticky) stick(x *weir.Exchange, s *server) {
	if k.digest(x) != s.digest {
		x.Response.Header.AddKnown(weir.FieldSetCookie, fmt.Sprintf("%s=%016x%s", k.name, s.digest, k.tail))
	}
}

// cookie returns the value of the first cookie of that name in a Cookie field (RFC 6265, section 4.2).
func cookie(field, name string) (string, bool) {
	for field != "" {
		pair, rest, _ := strings.Cut(field, ";")
		key, value, ok := strings.Cut(strings.TrimLeft(pair, " \t"), "=")
		if ok && key == name {
			return strings.TrimRight(value, " \t"), true
		}
		field = rest
	}
	return "", false
}

func parseDigest(s string) (uint64, bool) {
	if len(s) != 16 {
		return 0, false
	}
	d, err := strconv.ParseUint(s, 16, 64)
	return d, err == nil && d != 0
}

// A stickyChooser puts the server that the key names first, and leaves the rest to another balancer.
type stickyChooser struct {
	chooser
	eps     []*weir.Endpoint
	digests []uint64
}

func (b *stickyChooser) named(key uint64) int {
	if key != 0 {
		for i, d := range b.digests {
			if d == key {
				return i
			}
		}
	}
	return -1
}

func (b *stickyChooser) first(key uint64) int {
	if i := b.named(key); i >= 0 {
		return i
	}
	return b.chooser.first(key)
}

// Candidates implements weir.Balancer.
func (b *stickyChooser) Candidates(key uint64, dst []*weir.Endpoint) []*weir.Endpoint {
	i := b.named(key)
	if i < 0 {
		return b.chooser.Candidates(key, dst)
	}
	from := len(dst)
	dst = b.chooser.Candidates(key, dst)
	moveToFront(dst[from:], b.eps[i])
	return dst
}

// moveToFront moves ep to the front of list and keeps the order of the others.
func moveToFront(list []*weir.Endpoint, ep *weir.Endpoint) {
	for i := range list {
		if list[i] == ep {
			copy(list[1:i+1], list[:i])
			list[0] = ep
			return
		}
	}
}
