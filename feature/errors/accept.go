package errors

import (
	"strconv"
	"strings"

	"weir"
)

// A wish is how much a client wants a media type: quality, and how closely it is named (RFC 9110, section
// 12.5.1).
type wish struct {
	q     float64
	close int // 3: by name, 2: by its type, 1: by "*/*", 0: not at all
}

// prefersJSON reports whether a client wants JSON rather than media. Where it wants both alike, media wins
// unless JSON alone is named: that is what scripts ask for.
func prefersJSON(h *weir.Header, media string) bool {
	var json, own wish
	fields := h.Fields()
	for i := range fields {
		if fields[i].ID != weir.FieldAccept {
			continue
		}
		for member := range strings.SplitSeq(fields[i].Value, ",") {
			name, params, _ := strings.Cut(member, ";")
			name = strings.TrimSpace(name)
			q := quality(params)
			own.take(name, media, q)
			json.take(name, "application/json", q)
			json.take(name, "application/problem+json", q)
		}
	}
	if json.close < 3 || json.q == 0 {
		return false
	}
	return json.q > own.q || json.q == own.q && own.close < 3
}

// take takes in what a client says of the range name; the closest range counts.
func (w *wish) take(name, media string, q float64) {
	c := closeness(name, media)
	if c > w.close || c > 0 && c == w.close && q > w.q {
		w.q, w.close = q, c
	}
}

func closeness(name, media string) int {
	switch {
	case strings.EqualFold(name, media):
		return 3
	case name == "*/*":
		return 1
	case strings.HasSuffix(name, "/*") && len(media) >= len(name) && strings.EqualFold(name[:len(name)-1], media[:len(name)-1]):
		return 2
	}
	return 0
}

// quality returns the q of a member's parameters; 1 where there is none or it can't be read.
func quality(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if !strings.EqualFold(name, "q") {
			continue
		}
		if q, err := strconv.ParseFloat(value, 64); err == nil && q >= 0 && q <= 1 {
			return q
		}
	}
	return 1
}
