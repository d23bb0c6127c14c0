package h3

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

const aloneEnv = "WEIR_TEST_ALONE"

// What an idle connection costs, stacks included. Most of it is QUIC's.
func TestIdleMemory(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("measures")
	}
	if os.Getenv(aloneEnv) == "" { // what other tests leave ends meanwhile
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestIdleMemory$", "-test.v")
		child.Env = append(os.Environ(), aloneEnv+"=1")
		out, err := child.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("KiB for both ends")) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	w := serve(t, ServerConfig{Handler: echo})
	c := clientTLS()
	c.NextProtos = []string{Protocol}
	const n = 200
	pc := listenUDP(t)
	tr := &quic.Transport{Conn: pc}
	defer func() { tr.Close(); pc.Close() }()
	open := func(n int) {
		for range n {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			q, err := tr.Dial(ctx, w.addr, c, &quic.Config{})
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			r := &raw{t, q}
			r.uni(appendSettings([]byte{streamControl}, 1<<16, false))
			str := r.open(request("GET"))
			str.Close()
			r.answers(str)
		}
	}
	open(10)
	before := inUse()
	open(n)
	both := float64(inUse()-before) / n / 1024
	t.Logf("%.1f KiB for both ends of an idle connection", both)
	if both > 160 {
		t.Errorf("%.1f KiB for both ends of an idle connection", both)
	}
}

func inUse() int64 {
	time.Sleep(100 * time.Millisecond) // what is being closed
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
