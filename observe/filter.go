package observe

import (
	"fmt"
	"strconv"
	"strings"
)

// A statusSet says which statuses are logged; nil: all.
type statusSet []bool

// parseStatuses reads "5xx", "404" and "400-499", several with commas.
func parseStatuses(s string) (statusSet, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	set := make(statusSet, 1000)
	for part := range strings.SplitSeq(s, ",") {
		from, to, ok := statusRange(strings.TrimSpace(part))
		if !ok {
			return nil, fmt.Errorf("status %q: write a status, a class or a range: 404, 5xx, 400-499", part)
		}
		for i := from; i <= to; i++ {
			set[i] = true
		}
	}
	return set, nil
}

func statusRange(s string) (from, to int, ok bool) {
	if class, ok := strings.CutSuffix(s, "xx"); ok {
		s = class + "00-" + class + "99"
	}
	a, b, ranged := strings.Cut(s, "-")
	from, err := strconv.Atoi(a)
	to = from
	if err == nil && ranged {
		to, err = strconv.Atoi(b)
	}
	return from, to, err == nil && from >= 100 && to < 1000 && from <= to
}

func (s statusSet) has(status int) bool {
	return s == nil || status >= 0 && status < len(s) && s[status]
}
