package poll

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

// A staged notes the steps that are taken of it.
type staged struct {
	name  string
	steps *steps
	idle  bool // there is nothing to run
}

type steps struct {
	mu   sync.Mutex // protects list
	list []string
	ran  sync.WaitGroup
}

func (s *steps) note(format string, args ...any) {
	s.mu.Lock()
	s.list = append(s.list, fmt.Sprintf(format, args...))
	s.mu.Unlock()
}

func (s *staged) Receive(w *Worker) {
	w.Local = s.name
	s.steps.note("receive %s", s.name)
}

func (s *staged) Prepare(w *Worker) bool {
	s.steps.note("prepare %s", w.Local)
	return !s.idle
}

func (s *staged) Run(w *Worker) {
	s.steps.note("run %s", w.Local)
	s.steps.ran.Done()
}

// A step of all tasks comes before the next step of any, each with its worker; what has nothing to run is not run, and its
// worker is there for the next.
func TestStages(t *testing.T) {
	p, err := newPoller(&Group{}, 0)
	must(t, err)
	defer p.release()
	var s steps
	s.ran.Add(3)
	for _, task := range []Task{
		&staged{name: "a", steps: &s},
		&staged{name: "b", steps: &s, idle: true},
		taskFunc(func() { s.note("run plain"); s.ran.Done() }),
		&staged{name: "c", steps: &s},
	} {
		p.tasks.add(task)
	}
	if n := p.handOut(); n != 4 {
		t.Fatalf("%d tasks begun, want 4", n)
	}
	if !p.crew.has("b") {
		t.Error("the worker of b is not free")
	}
	s.ran.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.list[6:])
	want := []string{"receive a", "receive b", "receive c", "prepare a", "prepare b", "prepare c", "run a", "run c", "run plain"}
	if !slices.Equal(s.list, want) {
		t.Errorf("steps %q, want %q", s.list, want)
	}
}

// has reports whether the worker whose Local that is sleeps.
func (c *crew) has(local any) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for w := c.free; w != nil; w = w.next {
		if w.Local == local {
			return true
		}
	}
	return false
}

// A worker that was spared before it had a goroutine gets one with its next task.
func TestSparedWorker(t *testing.T) {
	p, err := newPoller(&Group{}, 0)
	must(t, err)
	defer p.release()
	var s steps
	p.tasks.add(&staged{name: "a", steps: &s, idle: true})
	p.handOut()
	spared := p.crew.free
	done := make(chan struct{})
	p.run(taskFunc(func() { close(done) }))
	<-done
	if spared == nil || !spared.runs {
		t.Errorf("worker %+v, want it to have run the task", spared)
	}
}
