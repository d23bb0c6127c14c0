package cert

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/tls"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultRotation is how long a ticket key seals.
const DefaultRotation = 12 * time.Hour

// ticketKeys is how many keys open tickets: a ticket is good for one to two rotations.
const ticketKeys = 3

// keyID is how many bytes of a ticket name its key.
const keyID = 8

// Tickets are the keys of session tickets, shared by all listeners and kept across reloads, but not in files:
// with a key that is gone, what was said in its sessions cannot be read any more by whoever takes the machine.
// Keys follow each other by the clock. It may be used concurrently.
//
// A ticket is bound to the name that it was given for and to whether clients were asked for certificates there:
// resumed elsewhere, it is not recognized, and the handshake is a full one. That a client's certificate leads to
// an authority of today, crypto/tls looks at again whenever a session is resumed.
type Tickets struct {
	rotation time.Duration
	now      func() time.Time
	keys     atomic.Pointer[[]ticketKey] // the newest first, at most ticketKeys

	mu sync.Mutex // serializes rotation
}

type ticketKey struct {
	id   [keyID]byte
	aead cipher.AEAD
	from time.Time
}

// NewTickets makes the first key. A rotation of 0 is [DefaultRotation].
func NewTickets(rotation time.Duration) *Tickets {
	if rotation <= 0 {
		rotation = DefaultRotation
	}
	t := &Tickets{rotation: rotation, now: time.Now}
	t.keys.Store(&[]ticketKey{newTicketKey(t.now())})
	return t
}

func newTicketKey(now time.Time) ticketKey {
	var secret [32]byte
	k := ticketKey{from: now}
	rand.Read(secret[:])
	rand.Read(k.id[:])
	block, err := aes.NewCipher(secret[:])
	if err != nil {
		panic(err) // the length is right
	}
	if k.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		panic(err)
	}
	return k
}

// current returns the keys, the newest first, with a new one where it is time.
func (t *Tickets) current() []ticketKey {
	now := t.now()
	keys := *t.keys.Load()
	if now.Sub(keys[0].from) < t.rotation {
		return keys
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if keys = *t.keys.Load(); now.Sub(keys[0].from) < t.rotation {
		return keys
	}
	next := []ticketKey{newTicketKey(now)}
	for _, k := range keys[:min(len(keys), ticketKeys-1)] {
		if now.Sub(k.from) < ticketKeys*t.rotation {
			next = append(next, k)
		}
	}
	t.keys.Store(&next)
	return next
}

// use has the sessions of c sealed by t, apart from those of other realms: of other ways to ask for certificates.
func (t *Tickets) use(c *tls.Config, realm string) {
	c.WrapSession = func(s tls.ConnectionState, session *tls.SessionState) ([]byte, error) {
		plain, err := session.Bytes()
		if err != nil {
			return nil, err
		}
		if len(plain) > maxSession {
			return noTicket(s.Version), nil
		}
		return t.seal(plain, bound(realm, s)), nil
	}
	c.UnwrapSession = func(ticket []byte, s tls.ConnectionState) (*tls.SessionState, error) {
		plain := t.open(ticket, bound(realm, s))
		if plain == nil {
			return nil, nil
		}
		session, err := tls.ParseSessionState(plain)
		if err != nil {
			return nil, nil
		}
		return session, nil
	}
}

// maxSession is how many bytes a session has that is put into a ticket. What makes one larger is the chain of a client's
// certificate; the ticket has to find room in a message, and in the client's next hello.
const maxSession = 16 << 10

// noTicket is a ticket that leads to a full handshake. In TLS 1.2 it may be empty (RFC 5077, section 3.3), in 1.3 not.
func noTicket(version uint16) []byte {
	if version < tls.VersionTLS13 {
		return nil
	}
	return []byte{0}
}

// bound is what a ticket is good for.
func bound(realm string, s tls.ConnectionState) []byte {
	return []byte(realm + "\x00" + lower(s.ServerName))
}

func (t *Tickets) seal(plain, data []byte) []byte {
	k := t.current()[0]
	ticket := make([]byte, keyID, keyID+len(plain)+k.aead.Overhead())
	copy(ticket, k.id[:])
	return k.aead.Seal(ticket, nil, plain, data)
}

// open returns nil for a ticket that none of the keys made for this.
func (t *Tickets) open(ticket, data []byte) []byte {
	if len(ticket) < keyID {
		return nil
	}
	for _, k := range t.current() {
		if k.id != [keyID]byte(ticket) {
			continue
		}
		plain, err := k.aead.Open(nil, nil, ticket[keyID:], data)
		if err != nil {
			return nil
		}
		return plain
	}
	return nil
}
