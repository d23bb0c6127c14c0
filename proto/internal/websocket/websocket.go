// Package websocket makes and checks the key with which a server proves over HTTP/1.1 that it understood an upgrade (RFC
// 6455). HTTP/2 and HTTP/3 begin a WebSocket with an extended CONNECT and have no need of it (RFC 8441, section 5; RFC
// 9220): where one end of an upgraded stream speaks HTTP/1.1, weir makes the key, or the proof, that its other end left
// out.
package websocket

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
)

// The fields of the key and of its proof.
const (
	KeyField    = "Sec-WebSocket-Key"
	AcceptField = "Sec-WebSocket-Accept"
)

// NewKey returns a key that nobody can guess (RFC 6455, section 4.1).
func NewKey() string {
	var nonce [16]byte
	rand.Read(nonce[:])
	return base64.StdEncoding.EncodeToString(nonce[:])
}

// Accept returns the proof that key asks for (RFC 6455, section 4.2.2).
func Accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
