package h3

import (
	"context"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

// Where many handshakes are not ended, one address does not get all the places that are left.
func TestShareOfHandshakes(t *testing.T) {
	k := &socket{srv: NewServer(ServerConfig{Limits: Limits{Handshakes: 8}})}
	all, end := context.WithCancel(t.Context())
	defer end()
	enter := func(ctx context.Context, ip string, verified bool) bool {
		_, err := k.admit(ctx, &quic.ClientInfo{RemoteAddr: &net.UDPAddr{IP: net.ParseIP(ip), Port: 1}, AddrVerified: verified})
		return err == nil
	}
	first, leave := context.WithCancel(t.Context())
	defer leave()
	if !enter(first, "192.0.2.1", true) {
		t.Fatal("the first is refused")
	}
	for range 7 {
		if !enter(all, "192.0.2.1", true) {
			t.Fatal("one is refused before there is a crowd")
		}
	}
	for _, step := range []struct {
		ip       string
		verified bool
		in       bool
	}{
		{"192.0.2.1", true, false},
		{"192.0.2.1", false, true}, // anybody can say so
		{"192.0.2.2", true, true},
		{"192.0.2.2", true, true},
		{"192.0.2.2", true, false},
		{"2001:db8::1", true, true},
		{"2001:db8::2", true, true},
		{"2001:db8::3", true, false}, // of the same network
		{"2001:db8:0:1::1", true, true},
	} {
		if in := enter(all, step.ip, step.verified); in != step.in {
			t.Fatalf("%s, verified: %v, got in: %v", step.ip, step.verified, in)
		}
	}
	end()
	leave()
	for until := time.Now().Add(patience); k.halves.Load() > 0; runtime.Gosched() {
		if time.Now().After(until) {
			t.Fatal("they never leave")
		}
	}
	k.whose.mu.Lock()
	defer k.whose.mu.Unlock()
	if n := len(k.whose.of); n > 0 {
		t.Errorf("%d addresses are remembered", n)
	}
}
