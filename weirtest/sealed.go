package weirtest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"weir/weirtest/dialect"
)

// houseDir is where a script's directory holds what weir's certificate and its clients need.
const houseDir = ".house"

var (
	// listenerBlock is a listener: its name, its only attribute if it stands in one line.
	listenerBlock = regexp.MustCompile(`(?m)^listener "([a-z0-9]+)" \{[ \t]*(.*?)[ \t]*(\}?)$`)
	hasState      = regexp.MustCompile(`(?m)^state_dir `)
	hasUnix       = regexp.MustCompile(`"unix:`)
	hasTLS        = regexp.MustCompile(`(?m)^listener .*\n(?:  .*\n)*?  tls \{`)
)

// encrypt gives the listeners of a configuration the certificate of the house. It leaves alone unix sockets, and
// configurations that say themselves how things are encrypted.
func (st *stage) encrypt(data []byte) ([]byte, error) {
	if hasTLS.Match(data) {
		return data, nil
	}
	if err := st.moveIn(); err != nil {
		return nil, err
	}
	data = listenerBlock.ReplaceAllFunc(data, func(block []byte) []byte {
		m := listenerBlock.FindSubmatch(block)
		if hasUnix.Match(m[2]) {
			return block
		}
		st.sealed[string(m[1])] = true
		return fmt.Appendf(nil, "listener %q {\n  protocols = [%q]\n  tls {\n    certificate = \"%s/weir.pem\"\n    key         = \"%s/weir.key\"\n  }\n  %s\n%s",
			m[1], st.mode.offered(), houseDir, houseDir, m[2], m[3])
	})
	if !hasState.Match(data) {
		data = fmt.Appendf(data, "\nstate_dir = \"%s/state\"\n", houseDir)
	}
	return data, nil
}

// moveIn writes the certificate of the house, and has curl trust it.
func (st *stage) moveIn() error {
	a, err := house()
	if err != nil {
		return err
	}
	p, err := atHome()
	if err != nil {
		return err
	}
	if err := st.keepPair(houseDir+"/weir", p); err != nil {
		return err
	}
	if err := st.write(houseDir+"/root.pem", a.pem()); err != nil {
		return err
	}
	rc := fmt.Appendf(nil, "cacert = %q\n", st.dir+"/"+houseDir+"/root.pem")
	switch st.mode {
	case H2:
		rc = append(rc, "http2\n"...)
	case H3:
		if err := st.standIn(); err != nil {
			return err
		}
	}
	return st.write(houseDir+"/.curlrc", rc)
}

// standIn puts this program before curl on the path; see Curl.
func (st *stage) standIn() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	err = os.Symlink(self, filepath.Join(st.dir, houseDir, "curl"))
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// trusting is how clients of weir speak TLS. A client that was given an address sends no name.
func trusting(protocols ...string) (*tls.Config, error) {
	a, err := house()
	if err != nil {
		return nil, err
	}
	return &tls.Config{RootCAs: a.pool(), ServerName: "127.0.0.1", NextProtos: protocols}, nil
}

// seal makes a client's connection an encrypted one. A handshake that fails shows where the connection is read.
func seal(c net.Conn, protocol string) (*tls.Conn, error) {
	config, err := trusting(protocol)
	if err != nil {
		return nil, err
	}
	t := tls.Client(c, config)
	c.SetDeadline(time.Now().Add(patience))
	t.Handshake()
	c.SetDeadline(time.Time{})
	return t, nil
}

// sealH2 is seal where the other side has to choose HTTP/2.
func sealH2(dialer *net.Dialer, address string) (*tls.Conn, error) {
	c, err := dialer.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	t, err := seal(c, "h2")
	if err == nil && t.ConnectionState().NegotiatedProtocol != "h2" {
		err = errors.Join(errors.New("HTTP/2 was not agreed on"), t.Handshake())
	}
	return t, err
}

func dialH2(dialer *net.Dialer, address string) (net.Conn, error) {
	t, err := sealH2(dialer, address)
	if err != nil {
		return nil, err
	}
	return dialect.H2(t)
}

func dialH3(dialer *net.Dialer, address string) (net.Conn, error) {
	config, err := trusting("h3")
	if err != nil {
		return nil, err
	}
	local := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
	if a, ok := dialer.LocalAddr.(*net.TCPAddr); ok {
		local.IP = a.IP
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return dialect.H3(ctx, address, local, config)
}

// below is the connection that carries another one.
func below(c net.Conn) net.Conn {
	if t, ok := c.(*tls.Conn); ok {
		return t.NetConn()
	}
	return c
}

// closeWrite says that no more comes: of an encrypted connection both inside and below, as clients that go away do.
func closeWrite(c net.Conn) {
	if b := below(c); b != c {
		defer closeWrite(b)
	}
	c.(interface{ CloseWrite() error }).CloseWrite()
}

// abort closes a connection at once with a reset.
func abort(c net.Conn) error {
	if d, ok := c.(*dialect.Conn); ok {
		d.Abort()
		return nil
	}
	c = below(c)
	if t, ok := c.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	return c.Close()
}
