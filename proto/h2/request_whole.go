package h2

// Whole returns the body where its length was announced, all of it is at hand, and it is not longer than most; else nil. It
// stays valid until Taken: a small body so leaves in one piece with the head of its request, without an upload.
func (b *requestBody) Whole(most int) []byte {
	c := b.s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if b.length < 0 || b.length > int64(most) || !b.s.recvEnd || b.s.dead != nil || b.closed || len(b.buf)-b.r != int(b.length) {
		return nil
	}
	return b.buf[b.r:]
}

// Taken notes that n bytes of what Whole returned have been used.
func (b *requestBody) Taken(n int) {
	c := b.s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	b.s.x.BytesIn += int64(n)
	b.buf, b.r = b.buf[:0], 0
}
