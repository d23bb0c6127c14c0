package weirtest

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strings"
)

// A Mode is how the clients of a script speak with weir.
type Mode string

// The modes. A script tells in "only" which ones it is for, and otherwise runs in all of them.
const (
	H1    Mode = "h1"    // HTTP/1.1, unencrypted
	HTTPS Mode = "https" // HTTP/1.1 in TLS
	H2    Mode = "h2"    // HTTP/2 in TLS
	H3    Mode = "h3"    // HTTP/3
)

// Modes are those that scripts run in.
var Modes = []Mode{H1, HTTPS, H2, H3}

var everyMode = []Mode{H1, HTTPS, H2, H3}

// sealed reports whether connections are encrypted.
func (m Mode) sealed() bool { return m != H1 && m != "" }

// scheme is that of the URLs.
func (m Mode) scheme() string {
	if m.sealed() {
		return "https"
	}
	return "http"
}

// version is that of HTTP as Via has it.
func (m Mode) version() string {
	switch m {
	case H2:
		return "2.0"
	case H3:
		return "3.0"
	}
	return "1.1"
}

// protocol is the version as logs have it.
func (m Mode) protocol() string {
	if m.streams() {
		return "HTTP/" + strings.TrimSuffix(m.version(), ".0")
	}
	return "HTTP/1.1"
}

// streams reports whether exchanges have streams of their own.
func (m Mode) streams() bool { return m == H2 || m == H3 }

// offered is what the listeners' configuration says.
func (m Mode) offered() string {
	if m == HTTPS || m == "" {
		return string(H1)
	}
	return string(m)
}

// onlyLine is "only MODE[,MODE]: REASON".
var onlyLine = regexp.MustCompile(`^only ([a-z0-9,]+):(.*)$`)

// limit takes in a line that says which modes a script is for, and why. A reason is a few words at least.
func (s *Script) limit(line string) (bool, error) {
	m := onlyLine.FindStringSubmatch(line)
	if m == nil {
		return false, nil
	}
	if s.Only != nil {
		return true, fmt.Errorf("%q stands in two lines", "only")
	}
	for name := range strings.SplitSeq(m[1], ",") {
		if !slices.Contains(everyMode, Mode(name)) {
			return true, fmt.Errorf("%q is no mode", name)
		}
		s.Only = append(s.Only, Mode(name))
	}
	s.Why = strings.TrimSpace(m[2])
	if len(strings.Fields(s.Why)) < 3 {
		return true, fmt.Errorf("%q gives no reason", line)
	}
	return true, nil
}

// in reports whether the script is for that mode.
func (s *Script) in(m Mode) bool { return s.Only == nil || slices.Contains(s.Only, m) }

// modes are those of all that a script runs in. Under the race detector, which takes its time, they are unencrypted
// HTTP/1.1 and one of the others, which one by the script's name.
func (s *Script) modes(all []Mode, name string, raced bool) []Mode {
	var out []Mode
	for _, m := range all {
		if s.in(m) {
			out = append(out, m)
		}
	}
	if raced && len(out) > 2 {
		h := fnv.New32()
		h.Write([]byte(name))
		return []Mode{out[0], out[1+int(h.Sum32())%(len(out)-1)]}
	}
	return out
}
