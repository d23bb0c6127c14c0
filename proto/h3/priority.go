package h3

import "strings"

// priority reads a Priority field (RFC 9218, section 4): how urgent an answer is, from 0, the most, to 7, and whether it
// is of use in pieces, so that it may take turns with others. ok is false where the field says nothing that is known.
func priority(field string) (urgency int8, incremental, ok bool) {
	urgency = 3
	for field != "" {
		var member string
		member, field, _ = strings.Cut(field, ",")
		member, _, _ = strings.Cut(strings.Trim(member, " \t"), ";")
		switch {
		case len(member) == 3 && member[:2] == "u=" && '0' <= member[2] && member[2] <= '7':
			urgency, ok = int8(member[2]-'0'), true
		case member == "i" || member == "i=?1":
			incremental, ok = true, true
		case member == "i=?0":
			incremental, ok = false, true
		}
	}
	return urgency, incremental, ok
}
