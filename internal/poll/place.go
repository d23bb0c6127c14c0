package poll

// A place is where in the records of TLS (RFC 8446, section 5.1) the bytes that have come so far end.
type place struct {
	head [recordHead]byte
	have int // bytes of the next record's head
	left int // bytes of the present record's content
}

// recordHead is how long the head of a record is: type, version, and the length of the content.
const recordHead = 5

// pass moves on behind p.
func (l *place) pass(p []byte) {
	for len(p) > 0 {
		if n := min(l.left, len(p)); n > 0 {
			l.left -= n
			p = p[n:]
			continue
		}
		n := copy(l.head[l.have:], p)
		p = p[n:]
		if l.have += n; l.have == recordHead {
			l.have, l.left = 0, int(l.head[3])<<8|int(l.head[4])
		}
	}
}

// inside reports whether a record has begun and not ended.
func (l *place) inside() bool { return l.have+l.left > 0 }
