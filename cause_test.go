package weir

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
)

func TestEveryCauseIsExplained(t *testing.T) {
	code := regexp.MustCompile(`^[a-z]+\.[a-z][a-z0-9_]*$`)
	seen := map[string]bool{}
	for _, c := range Causes() {
		if !code.MatchString(c.String()) || seen[c.String()] {
			t.Errorf("cause %d has the code %q, which is malformed or another's", c, c)
		}
		seen[c.String()] = true
		if s := c.Status(); s < 400 || s > 599 || StatusText(s) == "" {
			t.Errorf("%s has the status %d", c, s)
		}
		if c.Meaning() == "" || c.Remedy() == "" || c.Meaning() == c.Remedy() {
			t.Errorf("%s lacks a meaning or a remedy", c)
		}
		if strings.HasSuffix(c.Meaning(), ".") || strings.HasSuffix(c.Remedy(), ".") {
			t.Errorf("%s: meaning and remedy have no full stop", c)
		}
	}
	if len(seen) != int(causeCount)-1 || seen[""] {
		t.Errorf("Causes returns %d of %d", len(seen), causeCount-1)
	}
}

// The status says to the client whose doing it was: a fault of a server is never a 4xx.
func TestCauseStatusFitsSide(t *testing.T) {
	for _, c := range Causes() {
		client := c.Status() < 500
		exception := c == CauseRequestVersion || c == CauseLoop // 505 and 508 are what the RFCs give
		if client != (c.Side() == SideClient) && !exception {
			t.Errorf("%s is the %s's doing and has the status %d", c, c.Side(), c.Status())
		}
	}
}

func TestCauseNone(t *testing.T) {
	if CauseNone.String() != "" || CauseNone.Status() != 0 || CauseNone.Meaning() == "" {
		t.Errorf("CauseNone: %q %d %q", CauseNone, CauseNone.Status(), CauseNone.Meaning())
	}
}

// What a stranger reads names no server, no path and no cause.
func TestPublicSaysNothing(t *testing.T) {
	for _, c := range Causes() {
		want := fmt.Sprintf("%d %s\n", c.Status(), StatusText(c.Status()))
		if got := c.Public(); got != want {
			t.Errorf("%s says %q", c, got)
		}
	}
}

func TestSides(t *testing.T) {
	for side, want := range map[Side]string{SideWeir: "weir", SideClient: "client", SideUpstream: "upstream"} {
		if side.String() != want {
			t.Errorf("side %d is %q", side, side)
		}
	}
}

func TestFaultText(t *testing.T) {
	for _, c := range []struct {
		fault Fault
		want  string
	}{
		{Fault{Op: `upstream "api": dial 10.0.0.7:80`, Err: errors.New("connection refused")}, `upstream "api": dial 10.0.0.7:80: connection refused`},
		{Fault{Op: "read head", Cause: CauseRequestLine}, "read head: client.request_line"},
		{Fault{Err: io.ErrUnexpectedEOF}, "unexpected EOF"},
	} {
		if got := c.fault.Error(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestFaultStatus(t *testing.T) {
	if got := (&Fault{Cause: CauseDenied}).StatusCode(); got != 403 {
		t.Errorf("the cause's own status: %d", got)
	}
	if got := (&Fault{Cause: CauseDenied, Status: 404}).StatusCode(); got != 404 {
		t.Errorf("a status of the fault: %d", got)
	}
}

func TestAsFault(t *testing.T) {
	f := Refuse(CauseDenied, "admit")
	if f.Side != SideClient || f.Op != "admit" || f.Cause != CauseDenied {
		t.Errorf("Refuse: %+v", f)
	}
	if got := AsFault(fmt.Errorf("around: %w", f)); got != f {
		t.Errorf("a wrapped fault becomes %v", got)
	}
	got := AsFault(io.ErrClosedPipe)
	if got.Cause != CauseInternal || got.Side != SideWeir || !errors.Is(got, io.ErrClosedPipe) {
		t.Errorf("another error becomes %+v", got)
	}
}
