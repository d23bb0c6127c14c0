package h3

import (
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

// However many clients come at the same moment, none is refused whom weir has room for.
func TestBurst(t *testing.T) {
	w := start(t, ServerConfig{}, Socket{})
	c := clientTLS()
	c.NextProtos = []string{Protocol}
	clients := 600
	if raceEnabled {
		clients = 200
	}
	begin := make(chan struct{})
	var all sync.WaitGroup
	for range clients {
		tr := &quic.Transport{Conn: listenUDP(t)}
		t.Cleanup(func() { tr.Close(); tr.Conn.Close() })
		all.Go(func() {
			<-begin
			q, err := tr.Dial(t.Context(), w.addr, c, &quic.Config{HandshakeIdleTimeout: 3 * patience})
			if err != nil {
				t.Error(err)
				return
			}
			defer q.CloseWithError(codeNone.conn(), "")
			if _, err := q.AcceptUniStream(t.Context()); err != nil { // one may be refused behind the handshake, too
				t.Error(err)
			}
		})
	}
	close(begin)
	began := time.Now()
	all.Wait()
	t.Logf("%d clients in %v", clients, time.Since(began))
}
