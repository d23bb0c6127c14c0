package syntax

import "strings"

// Media returns the media type of a Content-Type without its parameters, in lower case.
func Media(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// IsJSON reports whether media, as Media returns it, is JSON.
func IsJSON(media string) bool {
	return media == "application/json" || media == "text/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}

// TextEscape returns how a value is to be put into a text of the given Content-Type, so that it stays text
// there: as a piece of a string literal in JSON and scripts, as it is in text/plain, and with the five
// characters of HTML's and XML's markup as entities in all else. It fits weir.Template's AppendEscaped, which
// tells it a name that it does not need.
func TextEscape(contentType string) func(dst []byte, name, value string) []byte {
	switch media := Media(contentType); {
	case IsJSON(media) || strings.HasSuffix(media, "/javascript") || strings.HasSuffix(media, "/ecmascript"):
		return func(dst []byte, _, value string) []byte { return AppendJSON(dst, value) }
	case media == "text/plain":
		return func(dst []byte, _, value string) []byte { return append(dst, value...) }
	}
	return func(dst []byte, _, value string) []byte { return AppendHTML(dst, value) }
}

// AppendHTML appends s so that it is text in HTML and XML, and within quotes a piece of an attribute.
func AppendHTML(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '&':
			dst = append(dst, "&amp;"...)
		case '<':
			dst = append(dst, "&lt;"...)
		case '>':
			dst = append(dst, "&gt;"...)
		case '"':
			dst = append(dst, "&#34;"...)
		case '\'':
			dst = append(dst, "&#39;"...)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// AppendJSON appends s as a piece of a string of JSON or, in quotes of either kind, of a script. It stays
// harmless inside HTML as well. What is not UTF-8 becomes U+FFFD.
func AppendJSON(dst []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ' || r == 0x7f || r == '<' || r == '>' || r == '&' || r == '\'' || r == '`' || r == '$':
			dst = AppendHex(append(dst, `\u00`...), byte(r))
		case r == '\u2028':
			dst = append(dst, `\u2028`...)
		case r == '\u2029':
			dst = append(dst, `\u2029`...)
		default:
			dst = append(dst, string(r)...)
		}
	}
	return dst
}
