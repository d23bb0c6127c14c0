package weirtest

import (
	"net"
	"testing"
)

func TestPlaceStaysWithAKilledServer(t *testing.T) {
	s, err := NewServer("a", "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Kill()
	if c, err := net.Dial("tcp", s.Address()); err == nil {
		c.Close()
		t.Error("a killed server takes a connection")
	}
	if l, err := net.Listen("tcp", s.Address()); err == nil {
		l.Close()
		t.Error("somebody else got the port of a killed server")
	}
	if err := s.Revive(); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}
