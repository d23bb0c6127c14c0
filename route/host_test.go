package route

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"
)

// Names of every length are found, in capitals too, and nothing that differs in a byte, be it in bit 0x20, which the hash
// does not see.
func TestHostsOfEveryLength(t *testing.T) {
	var sites []Site
	name := func(n int) string { return strings.Repeat("a", n-5) + "." + fmt.Sprintf("%04d", n) }
	for n := 7; n < 100; n++ {
		sites = append(sites, Site{Name: name(n), Hosts: []string{name(n), "*." + name(n)}, Routes: specs("/*")})
	}
	table := build(t, sites...).tables[0].hosts
	for n := 7; n < 100; n++ {
		host := name(n)
		for _, asked := range []string{host, strings.ToUpper(host), host + ".", "www." + host, "w.w." + host} {
			if h := table.find(asked); h == nil || h.site.Name != host {
				t.Errorf("%s leads to %v", asked, h)
			}
		}
		for _, asked := range []string{"b" + host[1:], host[:n-1] + "x", host[:n-1] + string(host[n-1]^0x20), "\x01" + host[1:], host + "0", "." + host} {
			if h := table.find(asked); h != nil {
				t.Errorf("%q leads to %s", asked, h.host)
			}
		}
	}
}

// What a look-up reads of a host, and of a route, is a line of the processor's cache long.
func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(hostEntry{}); n != 64 {
		t.Errorf("a hostEntry has %d bytes", n)
	}
	if n := unsafe.Sizeof(entry{}); n != 64 {
		t.Errorf("an entry has %d bytes", n)
	}
}
