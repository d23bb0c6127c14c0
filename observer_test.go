package weir

import (
	"reflect"
	"testing"
)

// TestRouteFitsCacheLines: of one in many routes no memory is in a cache, and each line of it is waited for.
func TestRouteFitsCacheLines(t *testing.T) {
	route := reflect.TypeFor[Route]()
	if route.Size() != 128 {
		t.Errorf("a route has %d bytes, want 128: a size of the allocator that begins where cache lines do", route.Size())
	}
	if site, _ := route.FieldByName("Site"); site.Offset != 64 {
		t.Errorf("what every exchange needs of a route ends at byte %d, want 64", site.Offset)
	}
}
