package poll

// A queue holds what waits for the poller, in order.
type queue[T any] struct {
	list []T
	gone int // so many at its beginning have been dropped
}

func (q *queue[T]) add(t T) { q.list = append(q.list, t) }

// first returns the first n, or as many as there are.
func (q *queue[T]) first(n int) []T {
	return q.list[q.gone:min(q.gone+n, len(q.list))]
}

// drop takes the first n off.
func (q *queue[T]) drop(n int) {
	clear(q.list[q.gone : q.gone+n])
	if q.gone += n; 2*q.gone >= len(q.list) {
		n := copy(q.list, q.list[q.gone:])
		clear(q.list[n:])
		q.list, q.gone = q.list[:n], 0
	}
}
