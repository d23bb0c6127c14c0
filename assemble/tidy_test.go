package assemble

import (
	"context"
	"runtime"
	"testing"
	"time"

	"weir/config"
)

const oneAnswer = `
listener "http" { address = "127.0.0.1:0" }
site "a.test" {
  respond "/*" { body = "one" }
}
`

var waste []byte

// TestMemoryOfReadingIsGivenBack after a start and a reload that took much of it, also one that was refused, and after
// no others.
func TestMemoryOfReadingIsGivenBack(t *testing.T) {
	var took int
	var unusable bool
	collected := 0
	e := New(Options{Group: newGroup(t), Config: func() (*config.Config, config.Diagnostics) {
		for range took {
			waste = make([]byte, 1<<20)
		}
		if unusable {
			return nil, nil
		}
		return parse(t, oneAnswer), nil
	}})
	e.janitor.collect = func() { collected++ }
	t.Cleanup(func() { e.Close() })
	after := func(do func(context.Context) (config.Diagnostics, error), want int, refused bool) {
		t.Helper()
		if _, err := do(t.Context()); (err != nil) != refused {
			t.Fatalf("error %v", err)
		}
		e.janitor.wait()
		if collected != want {
			t.Errorf("collected %d times, want %d", collected, want)
		}
	}
	took = 2 * muchGarbage >> 20
	after(e.Start, 1, false)
	took = 1
	after(e.Reload, 1, false)
	took = 2 * muchGarbage >> 20
	after(e.Reload, 2, false)
	unusable = true
	after(e.Reload, 3, true)
	took = 1
	after(e.Reload, 3, true)
}

// TestFirstGenerationIsLetGo: a reload leaves nothing of what was served before.
func TestFirstGenerationIsLetGo(t *testing.T) {
	b := start(t, echo, oneAnswer)
	gone := make(chan bool)
	runtime.AddCleanup(b.current.Load(), func(gone chan bool) { close(gone) }, gone)
	if _, err := b.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	for late := time.After(10 * time.Second); ; {
		runtime.GC()
		select {
		case <-gone:
			return
		case <-late:
			t.Fatal("the generation of the start is still there")
		case <-time.After(time.Millisecond):
		}
	}
}

// TestTidyOnceMore: what was left while a collection was under way is collected, too.
func TestTidyOnceMore(t *testing.T) {
	begun, end := make(chan bool), make(chan bool)
	j := &janitor{collect: func() {
		begun <- true
		<-end
	}}
	much := allocated() - muchGarbage // as if so much was allocated since
	j.tidy(much)
	<-begun
	j.tidy(much)
	j.tidy(much)
	end <- true
	<-begun
	end <- true
	j.wait()
	if n := j.wanted.Load(); n != 0 {
		t.Errorf("%d are still wanted", n)
	}
}
