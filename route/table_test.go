package route

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"weir"
)

// The table testdata/table.txt says of itself how it is read.

type tableReader struct {
	t     *testing.T
	sites []Site
	rows  []tableRow
}

type tableRow struct {
	line int
	text string
	x    *weir.Exchange
	want string
}

func readTable(t *testing.T, name string) *tableReader {
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	r := &tableReader{t: t}
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		kind, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || line[0] == '#':
		case kind == "site":
			r.site(rest)
		case kind == "route":
			r.route(i+1, rest)
		default:
			r.row(i+1, line)
		}
	}
	return r
}

func (r *tableReader) site(text string) {
	name, hosts, _ := strings.Cut(text, ":")
	hosts, listeners, _ := strings.Cut(hosts, " on ")
	r.sites = append(r.sites, Site{Name: name, Hosts: strings.Fields(hosts), Listeners: strings.Fields(listeners)})
}

func (r *tableReader) route(line int, text string) {
	name, rest, _ := strings.Cut(text, " ")
	pattern, conditions, _ := strings.Cut(rest, " | ")
	host, pattern := SplitHostPattern(strings.TrimSpace(pattern))
	spec := Spec{Host: host, Pattern: pattern, Target: to(name), Label: name}
	for c := range strings.SplitSeq(conditions, " ; ") {
		kind, value, _ := strings.Cut(strings.TrimSpace(c), " ")
		key, text, _ := strings.Cut(value, ": ")
		switch kind {
		case "":
		case "method":
			spec.Methods = strings.Fields(value)
		case "header":
			spec.Header = append(spec.Header, ParseMatch(key, text))
		case "query":
			spec.Query = append(spec.Query, ParseMatch(key, text))
		case "cookie":
			spec.Cookie = append(spec.Cookie, ParseMatch(key, text))
		case "client":
			for n := range strings.FieldsSeq(value) {
				spec.Clients = append(spec.Clients, netip.MustParsePrefix(n))
			}
		case "when":
			spec.When = value
		default:
			r.t.Fatalf("table.txt:%d: condition %q", line, kind)
		}
	}
	s := &r.sites[len(r.sites)-1]
	s.Routes = append(s.Routes, spec)
}

func (r *tableReader) row(line int, text string) {
	left, want, ok := strings.Cut(text, " -> ")
	head, facts, _ := strings.Cut(left, " | ")
	words := strings.Fields(head)
	if !ok || len(words) < 2 {
		r.t.Fatalf("table.txt:%d: %q is no row", line, text)
	}
	method, url := words[0], words[1]
	host, path := url, ""
	if i := strings.IndexAny(url, "/*"); i >= 0 {
		host, path = url[:i], url[i:]
	}
	x := request(method, host, path)
	x.Conn = &weir.Conn{Listener: "https"}
	for f := range strings.SplitSeq(facts, " ; ") {
		kind, value, _ := strings.Cut(strings.TrimSpace(f), " ")
		key, text, _ := strings.Cut(value, ": ")
		switch kind {
		case "":
		case "header":
			x.Request.Header.Add(key, text)
		case "cookie":
			x.Request.Header.Add("Cookie", key+"="+text)
		case "client":
			x.Client = netip.MustParseAddr(value)
		case "on":
			x.Conn = &weir.Conn{Listener: value}
		default:
			r.t.Fatalf("table.txt:%d: fact %q", line, kind)
		}
	}
	r.rows = append(r.rows, tableRow{line, left, x, strings.Join(strings.Fields(want), " ")})
}

// outcome is what a row says after its arrow.
func outcome(target *weir.Route, x *weir.Exchange, err error) string {
	if err != nil {
		return weir.AsFault(err).Cause.String()
	}
	out := target.Name
	for _, p := range x.Params {
		out += fmt.Sprintf(" %s=%s", p.Name, p.Value)
	}
	return out
}

func TestTable(t *testing.T) {
	table := readTable(t, "testdata/table.txt")
	r, problems := New(table.sites, Options{Listeners: []string{"http", "https", "inside"}})
	for _, p := range problems {
		t.Error(p)
	}
	if len(table.rows) < 200 {
		t.Errorf("the table has %d rows", len(table.rows))
	}
	for _, row := range table.rows {
		x := row.x.Clone()
		target, err := r.Lookup(x)
		if got := outcome(target, x, err); got != row.want {
			t.Errorf("table.txt:%d: %s leads to %q, want %q; %s", row.line, row.text, got, row.want, x.Note)
		}
		y := row.x.Clone()
		e := r.Explain(y)
		if won := winner(e); err == nil && won != target || err != nil && won != nil {
			t.Errorf("table.txt:%d: %s leads to %v, and is explained with %v", row.line, row.text, target, won)
		}
	}
}

// winner returns where the one verdict that won leads, or nil.
func winner(e Explanation) (won *weir.Route) {
	for _, v := range e.Verdicts {
		if v.Won {
			won = v.Route
		}
	}
	return won
}
