package poll

// begunAtOnce is how many tasks a turn begins at most. Goroutines that wait, such as those for a server's answer,
// are all woken in their turn; so under load what has begun ends before more is begun, and the memory it takes,
// here and in the kernel, is still in the processor's caches. The tasks behind are begun in the next turns.
const begunAtOnce = 16

// handOut has workers begin tasks, and returns how many. A step of all of them comes before the next step of any: see Stager.
func (p *poller) handOut() int {
	tasks := p.tasks.first(begunAtOnce)
	if len(tasks) == 0 {
		return 0
	}
	begun := p.begun[:len(tasks)]
	for i, t := range tasks {
		begun[i] = p.hire(t)
	}
	p.tasks.drop(len(tasks))
	p.receive(begun)
	p.prepare(begun)
	for i, w := range begun {
		if w != nil {
			p.start(w)
		}
		begun[i] = nil
	}
	return len(begun)
}

// receive takes the first step of those tasks that have some.
func (p *poller) receive(begun []*Worker) {
	for _, w := range begun {
		if t, ok := w.task.(Stager); ok {
			t.Receive(w)
		}
	}
}

// prepare takes the second one, and strikes out the workers that are not needed then.
func (p *poller) prepare(begun []*Worker) {
	for i, w := range begun {
		if t, ok := w.task.(Stager); ok && !t.Prepare(w) {
			begun[i] = nil
			p.spare(w)
		}
	}
}
