package admin

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"
)

// socketMode lets owner and group reload and look, and nobody else.
const socketMode = 0o660

func socketAddress(path string) string {
	if path == "" {
		return ""
	}
	return "unix:" + strings.TrimPrefix(path, "unix:")
}

// listen opens a TCP address, or the unix socket of "unix:/path".
func listen(address string) (net.Listener, error) {
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		return net.Listen("tcp", address)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, socketMode); err != nil {
		ln.Close()
		return nil, err
	}
	return ln, nil
}

// removeStale removes a socket that a process has left behind: one that nobody answers on.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSocket == 0 {
		return nil // Listen says what is wrong, if anything is
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
		return errors.New("another process listens there")
	}
	return os.Remove(path)
}

// isLoopback reports whether only this machine can reach an address to listen on.
func isLoopback(address string) bool {
	if strings.HasPrefix(address, "unix:") {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
