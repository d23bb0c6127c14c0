// Package freeport finds ports for tests that have to know one before anybody listens on it. Where that is not so, port 0 is
// the better choice.
//
// A port that the kernel has just given for port 0 may be given to anybody else as soon as it is free again: to a client, too,
// of another test that runs beside this one. So these are below those that the kernel gives.
package freeport

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// Linux gives ports from 32768 on, other systems from 49152 on.
const (
	first = 20000
	count = 12000
)

// Find returns a port that nobody has, for TCP or UDP, on any address.
func Find(t testing.TB) string {
	t.Helper()
	for range 100 {
		if port := strconv.Itoa(first + rand.IntN(count)); isFree(":" + port) {
			return port
		}
	}
	t.Fatal("there is no free port")
	return ""
}

func isFree(address string) bool {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	defer l.Close()
	u, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	u.Close()
	return true
}

// Address returns an address of this machine alone with such a port.
func Address(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", Find(t))
}
