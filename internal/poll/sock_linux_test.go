package poll

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// What is written leaves at once, not when more has come.
func TestConnectionsDoNotDelay(t *testing.T) {
	for _, kind := range []string{"poller", "dialled"} {
		c, _ := kinds[kind](t)(t)
		defer c.Close()
		on, err := syscall.GetsockoptInt(int(c.(*sock).fd), syscall.IPPROTO_TCP, syscall.TCP_NODELAY)
		if err != nil || on == 0 {
			t.Errorf("%s: TCP_NODELAY is %d, %v", kind, on, err)
		}
	}
}

// The loopback is not paced, whatever the system's choice is.
func TestLoopbackIsNotPaced(t *testing.T) {
	for _, kind := range []string{"poller", "dialled"} {
		c, _ := kinds[kind](t)(t)
		defer c.Close()
		name, err := unix.GetsockoptString(int(c.(*sock).fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION)
		if err != nil || name != "reno" {
			t.Errorf("%s: %q controls congestion, %v", kind, name, err)
		}
	}
}
