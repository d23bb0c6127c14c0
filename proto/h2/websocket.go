package h2

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
)

// HTTP/2 has no need of the key with which an HTTP/1.1 server proves that it understood an upgrade (RFC 8441, section 5);
// where one end of an upgraded stream speaks HTTP/1.1, we make the key, or the proof, that its other end left out.

// newWebSocketKey returns a key for Sec-WebSocket-Key (RFC 6455, section 4.1).
func newWebSocketKey() string {
	var key [16]byte
	rand.Read(key[:])
	return base64.StdEncoding.EncodeToString(key[:])
}

// webSocketAccept returns what Sec-WebSocket-Accept must say to key (RFC 6455, section 4.2.2).
func webSocketAccept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
