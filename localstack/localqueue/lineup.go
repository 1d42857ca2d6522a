package localqueue

// The order in which visible messages are taken.

// ring is a first-in first-out list.
type ring[T any] struct {
	items []T
	head  int
}

func (r *ring[T]) len() int { return len(r.items) - r.head }

func (r *ring[T]) push(v T) {
	if r.head > 64 && r.head*2 > len(r.items) {
		n := copy(r.items, r.items[r.head:])
		clear(r.items[n:])
		r.items, r.head = r.items[:n], 0
	}
	r.items = append(r.items, v)
}

// pop takes the i-th from the front, which must exist; the front one takes its place.
func (r *ring[T]) pop(i int) T {
	var zero T
	v := r.items[r.head+i]
	r.items[r.head+i] = r.items[r.head]
	r.items[r.head] = zero
	r.head++
	if r.head == len(r.items) {
		r.items, r.head = r.items[:0], 0
	}
	return v
}

// lineup holds the visible messages of a queue. Fairness groups take turns, so that a backlog of one group does not
// delay the others'.
type lineup struct {
	groups map[string]*group // those that have messages
	turns  ring[*group]
	n      int // messages that are not gone
}

type group struct {
	name     string
	messages ring[*message]
}

func (l *lineup) push(m *message) {
	g := l.groups[m.group]
	if g == nil {
		g = &group{name: m.group}
		l.groups[m.group] = g
		l.turns.push(g)
	}
	g.messages.push(m)
	l.n++
}

// drop takes back a message that is in the lineup.
func (l *lineup) drop(m *message) {
	m.gone = true
	l.n--
}

// pop takes the next message, there must be one; pick chooses among the first n of its group.
func (l *lineup) pop(pick func(n int) int) *message {
	for {
		g := l.turns.pop(0)
		m := g.messages.pop(pick(g.messages.len()))
		if g.messages.len() > 0 {
			l.turns.push(g)
		} else {
			delete(l.groups, g.name)
		}
		if !m.gone {
			l.n--
			return m
		}
	}
}

// byTime is a heap of hidden messages, the one that is visible first on top.
type byTime []*message

func (h byTime) Len() int { return len(h) }
func (h byTime) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].id < h[j].id
}

func (h byTime) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = i, j
}

func (h *byTime) Push(x any) {
	m := x.(*message)
	m.pos = len(*h)
	*h = append(*h, m)
}

func (h *byTime) Pop() any {
	old := *h
	m := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	m.pos = -1
	return m
}
