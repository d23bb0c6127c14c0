package h1

import "testing"

// Places are never more than the limit, and none is lost on the way from shard to shard.
func TestPlaces(t *testing.T) {
	for _, most := range []int{-1, 0, 1, 3, 40, 64, 1024, 5000} {
		const shards = 2
		var p places
		p.init(most, shards)
		limit := max(most, 0)
		var s [shards]idleShard
		for round := range 50 {
			i := round % shards
			used := 0
			for s[i].room(&p) {
				s[i].spare--
				used++
			}
			if used > limit || used < limit-limit/8 {
				t.Fatalf("limit %d: %d places", limit, used)
			}
			if s[1-i].room(&p) && used+s[1-i].spare > limit {
				t.Fatalf("limit %d: %d places here and %d there", limit, used, s[1-i].spare)
			}
			for range used {
				s[i].free(1, &p)
			}
		}
		if left := int(p.left.Load()) + s[0].spare + s[1].spare; left != limit {
			t.Errorf("limit %d: %d places left", limit, left)
		}
	}
}
