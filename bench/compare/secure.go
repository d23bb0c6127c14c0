package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// writeCertificate makes the certificate that everybody shows: P-256, as cert.pem, key.pem and both.pem in dir.
func writeCertificate(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, &key.PublicKey, key)
	if err != nil {
		return err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
	for name, text := range map[string][]byte{"cert.pem": certificate, "key.pem": private, "both.pem": append(certificate, private...)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// dial opens a connection to the port that the work is for.
func (w *work) dial(p *proxy) (net.Conn, error) {
	if !w.secure {
		return net.Dial("tcp", "127.0.0.1:"+p.values["PORT"])
	}
	return tls.Dial("tcp", "127.0.0.1:"+p.values["TLSPORT"], &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}})
}

// url is what is asked for.
func (w *work) url(p *proxy) string {
	if w.secure {
		return "https://127.0.0.1:" + p.values["TLSPORT"] + w.path
	}
	return "http://127.0.0.1:" + p.values["PORT"] + w.path
}

var (
	finished = regexp.MustCompile(`finished in ([0-9.]+)(s|ms), ([0-9.]+) req/s`)
	counts   = regexp.MustCompile(`requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed, (\d+) errored`)
	statuses = regexp.MustCompile(`status codes: (\d+) 2xx`)
)

// loadH2 runs h2load for some seconds: HTTP/2, with so many requests under way on each connection.
func (b *bench) loadH2(ctx context.Context, w work, p *proxy, seconds int) (m measurement, err error) {
	cmd := exec.CommandContext(ctx, "h2load", "-t1", fmt.Sprintf("-c%d", w.conns), fmt.Sprintf("-m%d", w.streams), fmt.Sprintf("-D%d", seconds), w.url(p))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return m, fmt.Errorf("h2load: %w: %s", err, out)
	}
	figures, done, good := finished.FindSubmatch(out), counts.FindSubmatch(out), statuses.FindSubmatch(out)
	if figures == nil || done == nil || good == nil {
		return m, fmt.Errorf("h2load: %q", out)
	}
	m.Seconds = float64(seconds)
	m.Requests, _ = strconv.ParseInt(string(good[1]), 10, 64)
	failed, _ := strconv.ParseInt(string(done[2]), 10, 64)
	broken, _ := strconv.ParseInt(string(done[3]), 10, 64)
	m.Errors = failed + broken
	m.PerSecond = float64(m.Requests) / m.Seconds
	m.Bytes = m.Requests * 1024
	return m, nil
}
