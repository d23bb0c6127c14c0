package cert

import (
	"bufio"
	"encoding/json"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// childConfig in the environment makes this test program a manager that gets certificates until it is killed.
const childConfig = "WEIR_TEST_MANAGER"

type child struct {
	Dir, Directory, Roots, DNS string
	HTTPPort                   int
	Names                      []string
}

// runChild is the life of a manager in a process of its own.
func runChild(config string) {
	var c child
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		panic(err)
	}
	roots, err := Pool(c.Roots)
	if err != nil {
		panic(err)
	}
	m, err := NewManager(c.Dir, Config{
		Email: "ops@weir.test", CAs: []CA{{Name: "pebble", Directory: c.Directory, Roots: roots}}, Challenge: DNS01, Resolvers: []string{c.DNS},
		DNS: RFC2136{Server: c.DNS, KeyName: "weir-key", Secret: zoneSecret}, Propagation: -1, Retry: 50 * time.Millisecond,
	}, slog.New(slog.NewTextHandler(os.Stdout, nil)))
	if err != nil {
		panic(err)
	}
	if err := m.Manage(c.Names); err != nil {
		panic(err)
	}
	for i := 0; ; i++ {
		m.Renew(m.ctx, c.Names[i%len(c.Names)])
		time.Sleep(time.Millisecond)
	}
}

// A process that is killed at any moment leaves nothing half done behind: certificates fit their keys, the ledger can be
// read and has not forgotten, locks are free, and another process goes on.
func TestKilledInTheMiddle(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	dir := t.TempDir()
	roots := filepath.Join(t.TempDir(), "roots.pem")
	writeFile(t, roots, p.rootsPEM)
	names := []string{"a.weir.test", "b.weir.test", "c.weir.test"}
	config, err := json.Marshal(child{Dir: dir, Directory: p.directory, Roots: roots, DNS: p.dns.address, Names: names})
	if err != nil {
		t.Fatal(err)
	}
	orders := 0
	for i := range 12 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childConfig+"="+string(config))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// From the start of the process on, or from when it had its first certificate.
		if i%2 == 1 {
			bufio.NewReader(out).ReadString('\n')
		}
		go io.Copy(io.Discard, out)
		time.Sleep(time.Duration(rand.IntN(600)) * time.Millisecond)
		cmd.Process.Kill()
		cmd.Wait()
		orders = checkWhole(t, dir, orders)
	}
	if orders == 0 {
		t.Error("nothing was ordered before the kills")
	}
	// The number of orders is at its limit by now, or not: the names have certificates in any case that may be shown.
	m, err := NewManager(dir, p.usual(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, n := range names {
		if err := m.locks.lock(t.Context(), "name-"+n); err != nil {
			t.Errorf("lock of %s: %v", n, err)
		} else {
			m.locks.unlock("name-" + n)
		}
	}
}

// checkWhole looks at what a killed process left, and returns how many orders its ledger has.
func checkWhole(t *testing.T, dir string, before int) int {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, "certificates", "*.pem"))
	for _, f := range files {
		if _, err := readBundle(f); err != nil {
			t.Errorf("after a kill: %v", err)
		}
	}
	accounts, _ := filepath.Glob(filepath.Join(dir, "accounts", "*", "*.pem"))
	for _, f := range accounts {
		if _, err := readAccount(f); err != nil {
			t.Errorf("after a kill: %v", err)
		}
	}
	l, err := openLedger(dir, time.Now)
	if err != nil {
		t.Fatalf("after a kill: %v", err)
	}
	n := 0
	for name, e := range l.entries {
		n += len(e.Orders)
		if strings.Contains(name, " ") || len(e.Orders) > limitOrders.n {
			t.Errorf("%q: %d orders in an hour", name, len(e.Orders))
		}
	}
	if n < before {
		t.Errorf("%d orders in the ledger, %d before", n, before)
	}
	return n
}
