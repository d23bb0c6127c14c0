package section

// Classes of bytes, as bits of class.
const (
	className   = 1 << iota // a token's bytes without upper case (RFC 9113, section 8.2; RFC 9114, section 4.2)
	classToken              // RFC 9110, section 5.6.2
	classValue              // visible, space, tab, obs-text
	classTarget             // may stand in :path
	classDigit
)

var class = func() (t [256]uint8) {
	const lower, upper, digit = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	set := func(bits uint8, chars string) {
		for i := range len(chars) {
			t[chars[i]] |= bits
		}
	}
	set(className|classToken, lower+digit+"!#$%&'*+-.^_`|~")
	set(classToken, upper)
	set(classDigit, digit)
	set(classValue, " \t")
	for c := 0x21; c <= 0xff; c++ {
		if c == 0x7f {
			continue
		}
		t[c] |= classValue
		if c != '#' && c != '\\' {
			t[c] |= classTarget
		}
	}
	return t
}()

func all(s string, bit uint8) bool {
	for i := 0; i < len(s); i++ {
		if class[s[i]]&bit == 0 {
			return false
		}
	}
	return true
}

// IsName reports whether s can be a field's name here: a token without upper case.
func IsName(s string) bool { return s != "" && all(s, className) }

// IsToken reports whether s is a token: a method, or a field's name wherever upper case may stand (RFC 9110, section
// 5.6.2).
func IsToken(s string) bool { return s != "" && all(s, classToken) }

// IsValue reports whether s can be a field's value: no control byte but the tab, and no white space at its ends.
func IsValue(s string) bool {
	if n := len(s); n > 0 && (s[0] == ' ' || s[0] == '\t' || s[n-1] == ' ' || s[n-1] == '\t') {
		return false
	}
	return all(s, classValue)
}

// IsTarget reports whether the bytes of s may all stand in :path; so may none at all.
func IsTarget(s string) bool { return all(s, classTarget) }
