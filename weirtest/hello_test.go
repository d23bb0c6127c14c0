package weirtest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

const hidingText = `
listener "http" {
  address = "127.0.0.1:0"
  tls {
    ech {
      public_name = "cover.internal"
      keep        = 0
    }
  }
}
admin {
  listen = "127.0.0.1:0"
  socket = "admin.sock"
}
state_dir = "state"
site "secret.internal" {
  tls = "internal"
  respond "/*" { status = 204 }
}
`

// A hiding is a weir that accepts encrypted hellos.
type hiding struct {
	t    *testing.T
	weir *Process
	pool *x509.CertPool
}

func newHiding(t *testing.T) *hiding {
	t.Helper()
	h := &hiding{t: t, weir: startHoused(t, hidingText), pool: x509.NewCertPool()}
	root, err := os.ReadFile(filepath.Join(h.weir.Dir, "state", "ca", "root.pem"))
	if err != nil || !h.pool.AppendCertsFromPEM(root) {
		t.Fatal(err)
	}
	return h
}

func (h *hiding) run(args ...string) string {
	h.t.Helper()
	cmd := exec.Command(binary(h.t), args...)
	cmd.Dir = h.weir.Dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return string(out)
}

var echParameter = regexp.MustCompile(`ech="([^"]+)"`)

// keys are what the records for the zone tell clients.
func (h *hiding) keys(args ...string) []byte {
	h.t.Helper()
	out := h.run(append([]string{"cert", "ech"}, args...)...)
	found := echParameter.FindStringSubmatch(out)
	if found == nil {
		h.t.Fatal(out)
	}
	list, err := base64.StdEncoding.DecodeString(found[1])
	if err != nil {
		h.t.Fatal(err)
	}
	return list
}

// ask makes a request by HTTP/3 whose hello is encrypted.
func (h *hiding) ask(keys []byte) (accepted bool, err error) {
	h.t.Helper()
	to, err := net.ResolveUDPAddr("udp4", h.weir.Listeners["http"])
	if err != nil {
		h.t.Fatal(err)
	}
	config := &tls.Config{
		ServerName: "secret.internal", RootCAs: h.pool, NextProtos: []string{http3.NextProtoH3}, MinVersion: tls.VersionTLS13,
		EncryptedClientHelloConfigList: keys,
	}
	qt := &quic.Transport{Conn: listenUDP(h.t)}
	defer func() { qt.Close(); qt.Conn.Close() }()
	q, err := qt.Dial(h.t.Context(), to, config, &quic.Config{})
	if err != nil {
		return false, err
	}
	defer q.CloseWithError(0x100, "")
	r, err := http.NewRequest(http.MethodGet, "https://secret.internal/", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	answer, err := (&http3.Transport{}).NewClientConn(q).RoundTrip(r)
	if err != nil {
		return false, err
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		h.t.Error(answer.Status)
	}
	return q.ConnectionState().TLS.ECHAccepted, nil
}

// By QUIC, too, clients may encrypt the name that they ask for, and those with a stale key are told the new one.
func TestEncryptedHellosOverQUIC(t *testing.T) {
	t.Parallel()
	h := newHiding(t)
	first := h.keys()
	if accepted, err := h.ask(first); !accepted || err != nil {
		t.Errorf("accepted %v, %v", accepted, err)
	}
	second := h.keys("--rotate")
	h.run("reload")
	if accepted, err := h.ask(second); !accepted || err != nil {
		t.Errorf("after a rotation: accepted %v, %v", accepted, err)
	}
	var rejected *tls.ECHRejectionError
	if _, err := h.ask(first); !errors.As(err, &rejected) || string(rejected.RetryConfigList) != string(second) {
		t.Errorf("with a stale key: %v", err)
	}
	if accepted, err := h.ask(nil); accepted || err != nil {
		t.Errorf("a client that hides nothing: accepted %v, %v", accepted, err)
	}
}
