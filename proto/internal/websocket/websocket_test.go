package websocket

import (
	"encoding/base64"
	"testing"
)

// The pairs are those of RFC 6455, sections 1.2 and 1.3, and of others' handshakes.
func TestAccept(t *testing.T) {
	for key, want := range map[string]string{
		"dGhlIHNhbXBsZSBub25jZQ==": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
		"x3JJHMbDL1EzLkh9GBhXDw==": "HSmrc0sMlYUkAGmm5OPpG2HaGWk=",
	} {
		if got := Accept(key); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
}

func TestNewKey(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		key := NewKey()
		if b, err := base64.StdEncoding.DecodeString(key); err != nil || len(b) != 16 || seen[key] {
			t.Fatalf("%q: %d bytes, %v, seen before: %v", key, len(b), err, seen[key])
		}
		seen[key] = true
	}
}
