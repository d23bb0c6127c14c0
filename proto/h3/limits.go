package h3

// Limits bound what a peer may send and hold. Zero values mean the defaults.
type Limits struct {
	Line    int // bytes of a request's target; default 8 KiB
	Head    int // bytes of a whole head, decoded, as RFC 9114 section 4.2.2 counts them; default 64 KiB
	Fields  int // number of field lines; default 100
	Trailer int // bytes of a trailer section; default 8 KiB
	Streams int // requests of one connection that may be under way at a time; default 128

	// Handshakes is from how many unfinished ones of a socket on a client must prove its address (RFC 9000, section
	// 8.1.2) before weir does anything for it, and one address may have a quarter of that many; default 512. From eight
	// times as many on, everybody is refused.
	Handshakes int
}

func (l Limits) orDefaults() Limits {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&l.Line, 8<<10)
	def(&l.Head, 64<<10)
	def(&l.Fields, 100)
	def(&l.Trailer, 8<<10)
	def(&l.Streams, 128)
	def(&l.Handshakes, 512)
	return l
}

// What QUIC may hold of what a peer has sent and nobody has read yet, in bytes. The first values grow to the last ones
// while what comes is read quickly.
const (
	streamWindowFirst = 128 << 10
	streamWindowLast  = 4 << 20
	connWindowFirst   = 256 << 10
	connWindowLast    = 8 << 20
)

// uniStreams is how many unidirectional streams a peer may have open: its control stream, two of QPACK, and some of
// kinds that weir does not know and closes.
const uniStreams = 8
