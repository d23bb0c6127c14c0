package proxyproto

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// haproxy starts a real HAProxy with a configuration that binds fd@3, and returns the address of that.
func haproxy(t *testing.T, dir, conf string) string {
	t.Helper()
	binary, err := exec.LookPath("haproxy")
	if err != nil {
		if binary = "/usr/sbin/haproxy"; !exists(binary) {
			t.Skip("needs Debian's haproxy: apt-get install haproxy")
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	socket, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	file := filepath.Join(dir, "haproxy.cfg")
	const head = "global\n  maxconn 100\ndefaults\n  timeout connect 10s\n  timeout client 20s\n  timeout server 20s\n"
	if err := os.WriteFile(file, []byte(head+conf+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	said := new(strings.Builder)
	cmd := exec.Command(binary, "-db", "-f", file)
	cmd.ExtraFiles = []*os.File{socket}
	cmd.Stdout, cmd.Stderr = said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("haproxy said: %s", said)
		}
	})
	return l.Addr().String()
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func localOf(c net.Conn) netip.AddrPort  { return c.LocalAddr().(*net.TCPAddr).AddrPort() }
func remoteOf(c net.Conn) netip.AddrPort { return c.RemoteAddr().(*net.TCPAddr).AddrPort() }

// What HAProxy sends is understood, in both versions, and what follows is untouched.
func TestHAProxySends(t *testing.T) {
	for option, version := range map[string]int{
		"send-proxy": 1, "send-proxy-v2": 2, "send-proxy-v2 proxy-v2-options crc32c": 2,
	} {
		t.Run(option, func(t *testing.T) {
			each(t, Config{}, func(t *testing.T, d *door) {
				addr := haproxy(t, t.TempDir(), fmt.Sprintf("listen l\n  bind fd@3\n  mode tcp\n  server s %s %s", d.addr, option))
				c, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				c.SetDeadline(time.Now().Add(patience))
				io.WriteString(c, "hello")
				c.(*net.TCPConn).CloseWrite()
				a := d.next(t)
				if a.err != nil || a.c != a.raw {
					t.Fatalf("%+v, %v", a.h, a.err)
				}
				h := a.h
				if h.Version != version || h.Family != Inet || h.Source != localOf(c) || h.Destination != remoteOf(c) {
					t.Errorf("%+v; want %v to %v", h, localOf(c), remoteOf(c))
				}
				if h.Checksum != strings.Contains(option, "crc32c") {
					t.Errorf("checksum: %v", h.Checksum)
				}
				reads(t, a.c, "hello")
			})
		})
	}
}

// HAProxy ends TLS and tells of it.
func TestHAProxySendsTLS(t *testing.T) {
	d := newDoor(t, "poller", Config{})
	dir := t.TempDir()
	certificate(t, filepath.Join(dir, "server.pem"), "shop.example.com")
	own := certificate(t, filepath.Join(dir, "client.pem"), "somebody")
	addr := haproxy(t, dir, fmt.Sprintf(`listen l
  bind fd@3 ssl crt %[1]s/server.pem alpn h2,http/1.1 ca-file %[1]s/client.pem verify required
  mode tcp
  unique-id-format id-%%ci
  server s %[2]s send-proxy-v2-ssl-cn proxy-v2-options ssl,cert-cn,ssl-cipher,cert-key,cert-sig,authority,crc32c,unique-id`, dir, d.addr))
	c, err := tls.Dial("tcp", addr, &tls.Config{
		InsecureSkipVerify: true, ServerName: "shop.example.com", NextProtos: []string{"http/1.1"}, Certificates: []tls.Certificate{own},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, "hello")
	c.CloseWrite()
	a := d.next(t)
	if a.err != nil {
		t.Fatal(a.err)
	}
	h := a.h
	if h.Source != localOf(c) || h.Destination != remoteOf(c) || !h.Checksum || h.Authority != "shop.example.com" || h.UniqueID != "id-127.0.0.1" {
		t.Errorf("%+v", h)
	}
	s := h.SSL
	if s == nil || !s.TLS || !s.Certificate || !s.Session || s.Verify != 0 || s.Version != "TLSv1.3" || s.CommonName != "somebody" ||
		!strings.HasPrefix(s.Cipher, "TLS_") || !strings.Contains(s.KeyAlg, "256") || !strings.Contains(s.SigAlg, "SHA256") {
		t.Errorf("%+v", s)
	}
	reads(t, a.c, "hello")
}

// certificate writes a key and a certificate signed by itself to file.
func certificate(t *testing.T, file, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})...)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// What weir sends is understood by HAProxy, which answers with what it has understood.
func TestHAProxyAccepts(t *testing.T) {
	addr := haproxy(t, t.TempDir(), `frontend f
  bind fd@3 accept-proxy
  mode http
  http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst] %[dst_port] %[fc_pp_authority] %[fc_pp_unique_id]"`)
	four, six := ap("192.0.2.1:56324"), ap("[2001:db8::1]:443")
	tlvs := &TLVs{Authority: "shop.example.com", UniqueID: "u-7", ALPN: "h2", Checksum: true, Custom: []TLV{{CustomFirst, "x"}}, SSL: &SSL{TLS: true, Version: "TLSv1.3"}}
	for _, tt := range []struct {
		header []byte
		want   string
	}{
		{AppendV1(nil, four, four), "192.0.2.1 56324 192.0.2.1 56324"},
		{AppendV2(nil, four, four, nil), "192.0.2.1 56324 192.0.2.1 56324"},
		{AppendV2(nil, four, four, tlvs), "192.0.2.1 56324 192.0.2.1 56324 shop.example.com u-7"},
		{AppendV1(nil, six, six), "2001:db8::1 443 2001:db8::1 443"},
		{AppendV2(nil, six, six, nil), "2001:db8::1 443 2001:db8::1 443"},
		{AppendV1(nil, four, six), "::ffff:192.0.2.1 56324 2001:db8::1 443"},
		{AppendV2(nil, four, six, nil), "::ffff:192.0.2.1 56324 2001:db8::1 443"},
		{AppendV1(nil, netip.AddrPort{}, four), "127.0.0.1 OWN 127.0.0.1 ITS"},
		{AppendV2(nil, netip.AddrPort{}, four, tlvs), "127.0.0.1 OWN 127.0.0.1 ITS"},
		{AppendLocal(nil), "127.0.0.1 OWN 127.0.0.1 ITS"},
	} {
		if got := ask(t, addr, tt.header, &tt.want); strings.TrimSpace(got) != tt.want {
			t.Errorf("%q: HAProxy says %q, want %q", tt.header, got, tt.want)
		}
	}
	broken := AppendV2(nil, four, four, tlvs)
	broken[fixed] ^= 1
	if got := ask(t, addr, broken, new(string)); got != "" {
		t.Errorf("a wrong checksum: HAProxy says %q", got)
	}
}

// ask sends header and a request, and returns the answer's body. OWN and ITS in want become the connection's ports.
func ask(t *testing.T, addr string, header []byte, want *string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	*want = strings.NewReplacer("OWN", fmt.Sprint(localOf(c).Port()), "ITS", fmt.Sprint(remoteOf(c).Port())).Replace(*want)
	c.SetDeadline(time.Now().Add(patience))
	c.Write(header)
	io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
	b, err := io.ReadAll(c)
	if err != nil && len(b) == 0 {
		return ""
	}
	_, body, _ := strings.Cut(string(b), "\r\n\r\n")
	return body
}
