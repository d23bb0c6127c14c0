package cert

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/weirtest/freeport"
)

const pebbleModule = "github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.1"

// pebbleProgram is the CA that Let's Encrypt made for tests; it is installed where it is not yet. WEIR_PEBBLE names one.
var pebbleProgram = sync.OnceValues(func() (string, error) {
	if p := os.Getenv("WEIR_PEBBLE"); p != "" {
		return p, nil
	}
	if p, err := exec.LookPath("pebble"); err == nil {
		return p, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "weir-test")
	program := filepath.Join(dir, "pebble")
	if exists(program) {
		return program, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "install", pebbleModule)
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=-mod=mod")
	cmd.Dir = dir
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return program, nil
})

// A pebble is a running test CA with a DNS server that it asks.
type pebble struct {
	t         *testing.T
	config    string
	directory string
	roots     *x509.CertPool // of its own TLS
	rootsPEM  []byte
	issuers   *x509.CertPool // of the certificates that it issues, once it runs
	manage    string
	dns       *zone
	http      net.Listener // where it looks for answers by HTTP-01
	tls       net.Listener // by TLS-ALPN-01

	cmd  *exec.Cmd
	log  bytes.Buffer
	logs sync.Mutex // protects log
}

type pebbleOptions struct {
	eab  map[string]string
	life time.Duration // of certificates, 0: 90 days
	twin *pebble       // another CA that looks at the same ports and names
}

// newPebble starts a CA.
func newPebble(t *testing.T, o pebbleOptions) *pebble {
	t.Helper()
	if testing.Short() {
		t.Skip("pebble: not in short tests")
	}
	program, err := pebbleProgram()
	if err != nil {
		t.Skipf("pebble cannot be had: %v", err)
	}
	authority, dir := newCA(t), t.TempDir()
	p := &pebble{t: t, config: filepath.Join(dir, "pebble.json")}
	if o.twin != nil {
		p.dns, p.http, p.tls = o.twin.dns, o.twin.http, o.twin.tls
	} else {
		p.dns, p.http, p.tls = newZone(t), listen(t), listen(t)
		t.Parallel()
	}
	p.roots, p.rootsPEM = authority.pool(), authority.pem()
	certificate, key := write(t, dir, authority.leaf(t, nil, "localhost", "127.0.0.1"))
	address := freeport.Address(t)
	p.manage = freeport.Address(t)
	p.directory = "https://" + address + "/dir"
	if o.life == 0 {
		o.life = 90 * 24 * time.Hour
	}
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": address, "managementListenAddress": p.manage, "certificate": certificate, "privateKey": key,
		"httpPort": port(p.http), "tlsPort": port(p.tls), "ocspResponderURL": "",
		"externalAccountBindingRequired": o.eab != nil, "externalAccountMACKeys": o.eab,
		"retryAfter": map[string]int{"authz": 1, "order": 1}, "keyAlgorithm": "ecdsa",
		"profiles": map[string]any{"default": map[string]any{"description": "d", "validityPeriod": int(o.life.Seconds())}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, p.config, config)
	p.start(program)
	t.Cleanup(p.stop)
	return p
}

func (p *pebble) Write(b []byte) (int, error) {
	p.logs.Lock()
	defer p.logs.Unlock()
	return p.log.Write(b)
}

func (p *pebble) said() string {
	p.logs.Lock()
	defer p.logs.Unlock()
	return p.log.String()
}

// start runs the CA and waits until it answers. A CA that is started anew knows no accounts and has other roots.
func (p *pebble) start(program string) {
	p.t.Helper()
	p.cmd = exec.Command(program, "-config", p.config, "-dnsserver", p.dns.address)
	p.cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=15", "PEBBLE_AUTHZREUSE=0")
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.roots}, DisableKeepAlives: true}}
	eventually(p.t, "pebble to answer", func() bool {
		resp, err := client.Get("https://" + p.manage + "/roots/0")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		p.issuers = x509.NewCertPool()
		return err == nil && p.issuers.AppendCertsFromPEM(text)
	})
}

// wants has the CA tell when it wants a certificate to be renewed.
func (p *pebble) wants(c *x509.Certificate, start, end time.Time) {
	p.t.Helper()
	answer, _ := json.Marshal(map[string]any{"suggestedWindow": map[string]any{"start": start, "end": end}})
	body, _ := json.Marshal(map[string]string{"Certificate": string(encodePEM("CERTIFICATE", c.Raw)), "ARIResponse": string(answer)})
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.roots}, DisableKeepAlives: true}}
	resp, err := client.Post("https://"+p.manage+"/set-renewal-info/", "application/json", bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		p.t.Fatalf("renewal info: status %d", resp.StatusCode)
	}
}

// stop ends the CA.
func (p *pebble) stop() {
	if p.cmd == nil {
		return
	}
	p.cmd.Process.Kill()
	p.cmd.Wait()
	p.cmd = nil
	if p.t.Failed() {
		p.t.Logf("pebble said:\n%s", p.said())
	}
}

func (p *pebble) ca() CA { return CA{Name: "pebble", Directory: p.directory, Roots: p.roots} }

// usual is a configuration for this CA.
func (p *pebble) usual() Config {
	return Config{
		Email: "ops@weir.test", CAs: []CA{p.ca()}, Resolvers: []string{p.dns.address}, HTTPPort: port(p.http),
		Retry: 200 * time.Millisecond, Propagation: 30 * time.Second,
	}
}

// A front is a manager behind listeners, as weir has it.
type front struct {
	*Manager
	log    *journal
	hits   atomic.Int64 // answers by HTTP-01 that were given
	table  *Table
	config *tls.Config
}

// newFront serves names of a manager on the ports that the CA looks at.
func newFront(t *testing.T, p *pebble, dir string, c Config, names ...string) *front {
	t.Helper()
	m, log := newQuiet(t, dir, c)
	f := &front{Manager: m, log: log}
	source, err := m.For(names...)
	if err != nil {
		t.Fatal(err)
	}
	f.table = newTable(t, Entry{Names: names, Source: source})
	f.config = Policy{}.ServerConfig(f.table, NewTickets(0))
	f.serve(t, p)
	if err := m.Manage(names); err != nil {
		t.Fatal(err)
	}
	return f
}

// newQuiet is a manager whose log is shown where the test fails.
func newQuiet(t *testing.T, dir string, c Config) (*Manager, *journal) {
	t.Helper()
	log := &journal{}
	m, err := NewManager(dir, c, log.logger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the event log:\n%s", log)
		}
	})
	return m, log
}

func (f *front) serve(t *testing.T, p *pebble) {
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := f.Challenge(r.Host, r.URL.Path)
		if !ok {
			http.NotFound(w, r)
			return
		}
		if strings.Contains(body, ".") {
			f.hits.Add(1)
		}
		io.WriteString(w, body)
	})}
	go server.Serve(p.http)
	t.Cleanup(func() { server.Close() })
	secure := tls.NewListener(p.tls, f.config)
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := secure.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				c.SetDeadline(time.Now().Add(patience))
				c.(*tls.Conn).Handshake()
				io.Copy(io.Discard, c)
				c.Close()
			})
		}
	})
	t.Cleanup(func() { secure.Close(); open.Wait() })
}

// get returns the certificate of a name once there is one.
func (f *front) get(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	var c *tls.Certificate
	eventually(t, "a certificate for "+name, func() bool {
		var err error
		c, err = f.table.Certificate(&tls.ClientHelloInfo{ServerName: name})
		return err == nil
	})
	return c.Leaf
}

// shake has a client that trusts what the CA issues shake hands.
func (f *front) shake(p *pebble, name string) (*x509.Certificate, error) {
	d := &tls.Dialer{Config: &tls.Config{ServerName: name, RootCAs: p.issuers}}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := d.DialContext(ctx, "tcp", p.tls.Addr().String())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// status is that of one name.
func (f *front) statusOf(name string) Status {
	for _, s := range f.Status() {
		if s.Names[0] == name {
			return s
		}
	}
	return Status{}
}

// patience is how long a test waits for what has to happen, such as a certificate on demand.
const patience = time.Minute

// eventually waits until done, at most a minute.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if done() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("a minute was not enough for %s", what)
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }
