package freeport

import (
	"net"
	"testing"
)

func TestFind(t *testing.T) {
	address := ":" + Find(t)
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if isFree(address) {
		t.Error("a port that is listened on is taken for free")
	}
}
