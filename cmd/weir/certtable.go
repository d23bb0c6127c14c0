package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"weir/observe"
)

// writeTable writes certificates, one a line.
func (c *cli) writeTable(list []observe.CertificateStatus, now time.Time) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(c.out, "there are no certificates")
		return err
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tKIND\tSTATE\tEXPIRES\tREPLACED\tPROBLEM")
	for i := range list {
		s := &list[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", shortNames(s), s.Kind, s.State, distance(s.Until, now), distance(s.Renewal, now), orDash(problemOf(s, now)))
	}
	return w.Flush()
}

// shortNames is the first name, and how many more there are.
func shortNames(s *observe.CertificateStatus) string {
	if len(s.Names) > 1 {
		return fmt.Sprintf("%s and %d more", s.Names[0], len(s.Names)-1)
	}
	return s.Name()
}

// problemOf says in one line what is wrong, and when it is tried again.
func problemOf(s *observe.CertificateStatus, now time.Time) string {
	text := s.Problem
	if !strings.Contains(text, s.Step) {
		text = s.Step + ": " + text
	}
	if s.Next.After(now) {
		text += "; again " + distance(s.Next, now)
	}
	return text
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// distance is how far away a time is, "-" for none.
func distance(t, now time.Time) string {
	switch {
	case t.IsZero():
		return "-"
	case t.Before(now):
		return span(now.Sub(t)) + " ago"
	}
	return "in " + span(t.Sub(now))
}

// span is a duration in its largest unit that there are two of.
func span(d time.Duration) string {
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if n := int(d / unit.of); n >= 2 {
			return plural(n, unit.name)
		}
	}
	return plural(int(d/time.Second), "second")
}

// moment is a time and how far away it is.
func moment(t, now time.Time) string {
	return t.UTC().Format("2006-01-02 15:04:05 UTC") + " (" + distance(t, now) + ")"
}

var kinds = map[string]string{
	"acme":     "acme, by a public authority",
	"internal": "internal, by an authority of weir's own",
	"files":    "files, which are read anew when they change",
}

// writeFacts writes all that there is to say of certificates.
func (c *cli) writeFacts(list []observe.CertificateStatus, now time.Time) error {
	for i := range list {
		s := &list[i]
		if i > 0 {
			fmt.Fprintln(c.out)
		}
		fmt.Fprintln(c.out, s.Name())
		w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
		facts(w, s, now)
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func facts(w io.Writer, s *observe.CertificateStatus, now time.Time) {
	say := func(what, text string) {
		if text != "" {
			fmt.Fprintf(w, "  %s\t%s\n", what, text)
		}
	}
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return moment(t, now)
	}
	say("names", strings.Join(s.Names, ", "))
	say("kind", kinds[s.Kind])
	if s.OnDemand {
		say("wanted by", "a client, on demand")
	}
	say("state", string(s.State))
	say("issuer", s.Issuer)
	say("serial", s.Serial)
	say("file", s.File)
	say("valid from", at(s.From))
	say("valid until", at(s.Until))
	say("replaced", at(s.Renewal))
	if s.Failed > 0 {
		say("failed", plural(s.Failed, "attempt")+" in a row")
	}
	say("step", s.Step)
	say("problem", s.Problem)
	say("next attempt", at(s.Next))
}
