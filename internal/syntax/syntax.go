// Package syntax knows the shapes of HTTP's small parts: tokens, field values, authorities, query parameters.
package syntax

import "strings"

// IsToken reports whether s is a token, such as a method or a field name (RFC 9110, section 5.6.2).
func IsToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if !tokenByte[s[i]] {
			return false
		}
	}
	return s != ""
}

var tokenByte = func() (t [256]bool) {
	for c := range t {
		t[c] = isAlnum(byte(c)) || c < 0x80 && strings.IndexByte("!#$%&'*+-.^_`|~", byte(c)) >= 0
	}
	return t
}()

// IsValue reports whether s can be the value of a field: no control character but the tab, above all no CR,
// LF or NUL (RFC 9110, section 5.5).
func IsValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// IsAuthority reports whether s is a host, with or without a port: a name, an IPv4 address, or an IPv6
// address in brackets, whose digits are not looked at.
func IsAuthority(s string) bool {
	host, port, found := s, "", false
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 || !isIPv6(s[1:end]) {
			return false
		}
		if end+1 == len(s) {
			return true
		}
		return s[end+1] == ':' && IsPort(s[end+2:])
	}
	if host, port, found = strings.Cut(s, ":"); found && !IsPort(port) {
		return false
	}
	for i := 0; i < len(host); i++ {
		if !isAlnum(host[i]) && host[i] != '.' && host[i] != '-' && host[i] != '_' {
			return false
		}
	}
	return host != "" && len(host) <= 255
}

func isIPv6(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] != ':' && s[i] != '.' && Unhex(s[i]) > 15 {
			return false
		}
	}
	return len(s) >= 2 && len(s) <= 45 && strings.IndexByte(s, ':') >= 0
}

// IsPort reports whether s is the number of a port.
func IsPort(s string) bool {
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		if n = n*10 + int(s[i]-'0'); n > 65535 {
			return false
		}
	}
	return s != ""
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// Unhex returns the value of a hexadecimal digit, or a value above 15.
func Unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}
