package h1

// Limits bound what a peer may send in a head. Zero values mean the defaults.
type Limits struct {
	Line    int // bytes of a request line; default 8 KiB
	Head    int // bytes of a whole head; default 64 KiB
	Fields  int // number of field lines; default 100
	Trailer int // bytes of a trailer section; default 8 KiB
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
	return l
}
