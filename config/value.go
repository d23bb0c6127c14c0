package config

import (
	"math"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
)

// quote quotes s as a diagnostic shows it, shortened where it is long.
func quote(s string) string {
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:77], "") + "..."
	}
	return strconv.Quote(s)
}

// parseScalar reads a value that is written as one text. The complaint, if there is one, goes behind
// the quoted text.
func parseScalar(k kind, s string) (v any, complaint string) {
	switch k {
	case boolean:
		return s == "true", complain(s == "true" || s == "false", "is neither true nor false")
	case whole:
		n, err := strconv.Atoi(s)
		return n, complain(err == nil, "is not a whole number")
	case percent:
		digits, ok := strings.CutSuffix(s, "%")
		n, err := strconv.Atoi(digits)
		return n, complain(ok && err == nil, "is not a percentage")
	case duration:
		d, ok := parseDuration(s)
		return d, complain(ok, "is not a duration")
	case size:
		n, ok := parseSize(s)
		return n, complain(ok, "is not a size")
	case byteRate:
		number, ok := strings.CutSuffix(s, "/s")
		n, fine := parseSize(number)
		return n, complain(ok && fine, "is not a rate")
	case fileMode:
		n, err := strconv.ParseUint(s, 8, 9)
		return os.FileMode(n), complain(err == nil, "is not a file mode")
	}
	return s, ""
}

func complain(ok bool, complaint string) string {
	if ok {
		return ""
	}
	return complaint
}

// parseDuration reads "1m30s": numbers, each with a unit, of which "d" is 24 hours. Negative ones and
// those without a unit are refused; so is what does not fit.
func parseDuration(s string) (time.Duration, bool) {
	var total time.Duration
	days, rest, found := strings.Cut(s, "d")
	if !found {
		days, rest = "", s
	}
	if days != "" {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, false
		}
		total = time.Duration(n) * 24 * time.Hour
		if rest == "" {
			return total, true
		}
	}
	if rest == "" || rest[0] < '0' || rest[0] > '9' {
		return 0, false
	}
	d, err := time.ParseDuration(rest)
	if err != nil || rest == "0" || total+d < total {
		return 0, false
	}
	return total + d, true
}

// parseSize reads "10MB": a number and a unit.
func parseSize(s string) (int64, bool) {
	i := strings.IndexFunc(s, func(c rune) bool { return (c < '0' || c > '9') && c != '.' })
	if i <= 0 {
		return 0, false
	}
	unit := sizeUnit(strings.TrimSpace(s[i:]))
	n, err := strconv.ParseFloat(s[:i], 64)
	if err != nil || unit == 0 || n*unit > math.MaxInt64/2 || n*unit != math.Trunc(n*unit) {
		return 0, false
	}
	return int64(n * unit), true
}

func sizeUnit(s string) float64 {
	switch s {
	case "B":
		return 1
	case "KB":
		return 1e3
	case "MB":
		return 1e6
	case "GB":
		return 1e9
	case "TB":
		return 1e12
	case "KiB":
		return 1 << 10
	case "MiB":
		return 1 << 20
	case "GiB":
		return 1 << 30
	case "TiB":
		return 1 << 40
	}
	return 0
}

// parseNetwork reads "10.0.0.0/8" or a single address. Bits beyond the prefix are refused: they show
// that something else was meant.
func parseNetwork(s string) (netip.Prefix, string) {
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), ""
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, "is not a network"
	}
	if p.Masked() != p {
		return p, "has bits set beyond its prefix; the network is " + quote(p.Masked().String())
	}
	return p, ""
}

// parseStatuses reads "404", "5xx" or "500-503".
func parseStatuses(s string) (StatusRange, bool) {
	if class, ok := strings.CutSuffix(s, "xx"); ok && len(class) == 1 && class[0] >= '1' && class[0] <= '5' {
		low := int(class[0]-'0') * 100
		return StatusRange{low, low + 99}, true
	}
	from, to, isRange := strings.Cut(s, "-")
	if !isRange {
		to = from
	}
	low, err1 := strconv.Atoi(from)
	high, err2 := strconv.Atoi(to)
	return StatusRange{low, high}, err1 == nil && err2 == nil && low >= 100 && low <= high && high <= 599
}
