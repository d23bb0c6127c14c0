package route

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// A route that is said to be hidden, by one or by several, takes none of all requests that there are.
func TestJointlyHidden(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(5, 6))}
	methods := []string{"GET", "HEAD", "POST", "PUT", "X"}
	jointly := 0
	for round := range 2000 {
		sites := []Site{{Name: "a", Hosts: []string{"a.test"}}}
		for i := range 3 + d.IntN(6) {
			s := Spec{Pattern: d.of("/a", "/a", "/*", "~ ^/", "~ ^/a"), Target: to(fmt.Sprint(i)), Label: fmt.Sprint(i)}
			for _, m := range methods[:4] {
				if d.IntN(2) == 0 {
					s.Methods = append(s.Methods, m)
				}
			}
			if d.IntN(3) == 0 {
				s.Header = []Match{ParseMatch("x", d.of("1", "*"))}
			}
			sites[0].Routes = append(sites[0].Routes, s)
		}
		_, problems := New(sites, Options{})
		sites = without(sites, problems, Error)
		r, problems := New(sites, Options{})
		var hidden []string
		for _, p := range problems {
			hidden = append(hidden, p.Route)
			if strings.Contains(p.Text, " together take ") {
				jointly++
			}
		}
		for i := range len(methods) * 6 {
			x := request(methods[i%5], "a.test", []string{"/a", "/b"}[i/5%2])
			if value := []string{"", "1", "2"}[i/10]; value != "" {
				x.Request.Header.Add("x", value)
			}
			if target, _ := r.Lookup(x); target != nil && slices.Contains(hidden, target.Name) {
				t.Fatalf("round %d: %s %s leads to %s; %v", round, x.Request.Method, x.Request.Path, target.Name, problems)
			}
		}
	}
	if jointly < 100 {
		t.Errorf("only %d routes were hidden by several", jointly)
	}
}
