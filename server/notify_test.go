package server

import (
	"net"
	"path/filepath"
	"regexp"
	"testing"
)

func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	for _, tt := range []struct {
		say  func()
		want string
	}{
		{func() { Notify{}.Ready("serving 3 sites") }, "^READY=1\nSTATUS=serving 3 sites\n$"},
		{func() { Notify{}.Reloading() }, "^RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]+\n$"},
		{func() { Notify{}.Status("draining") }, "^STATUS=draining\n$"},
		{func() { Notify{}.Stopping("4 connections left") }, "^STOPPING=1\nSTATUS=4 connections left\n$"},
	} {
		tt.say()
		buf := make([]byte, 200)
		n, err := manager.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(tt.want).Match(buf[:n]) {
			t.Errorf("got %q, want %q", buf[:n], tt.want)
		}
	}
}
