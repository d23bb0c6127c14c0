package poll

import "testing"

type numbered int

func (numbered) Run(*Worker) {}

func TestQueue(t *testing.T) {
	var q queue[Task]
	next, want := 0, 0
	for round := range 200 {
		for range round % 7 {
			q.add(numbered(next))
			next++
		}
		got := q.first(3)
		for _, task := range got {
			if task != numbered(want) {
				t.Fatalf("task %d comes where %d is due", task, want)
			}
			want++
		}
		q.drop(len(got))
	}
	if left := len(q.first(1 << 20)); left != next-want {
		t.Fatalf("%d tasks are left of %d", left, next-want)
	}
	q.drop(next - want)
	for _, task := range q.list[:cap(q.list)] {
		if task != nil {
			t.Fatal("an empty queue still holds a task")
		}
	}
}
