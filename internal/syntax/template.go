package syntax

import (
	"slices"
	"strings"
)

// CutOutside cuts s around the first of the bytes of seps that stands outside of {placeholders}. found is that
// byte, or 0 where there is none.
func CutOutside(s, seps string) (before, after string, found byte) {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '{' && i+1 < len(s) && s[i+1] == '{':
			i++
		case s[i] == '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return s, "", 0
			}
			i += end
		case strings.IndexByte(seps, s[i]) >= 0:
			return s[:i], s[i+1:], s[i]
		}
	}
	return s, "", 0
}

// PathValue appends the value of a placeholder to a path; {uri} brings its query along.
func PathValue(dst []byte, name, value string) []byte {
	if name == "uri" {
		return AppendWholeQuery(dst, value)
	}
	return AppendPath(dst, value)
}

// QueryValue returns how the value of a placeholder is written into a query, so that it stays one value:
// {query} is a query already; paths and their parts, which params names, are pieces of a URL, whose escapes
// stay; all else is plain text.
func QueryValue(params []string) func(dst []byte, name, value string) []byte {
	return func(dst []byte, name, value string) []byte {
		switch {
		case name == "query":
			return AppendWholeQuery(dst, value)
		case name == "path", name == "raw_path", name == "uri", slices.Contains(params, name):
			return AppendQueryPiece(dst, value)
		}
		return AppendQuery(dst, value)
	}
}
