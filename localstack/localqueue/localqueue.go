// Package localqueue is the Queue port in one process: delays, visibility time-outs, redelivery, dead letters. A message
// is delivered the moment it is sent or due, without polling.
package localqueue

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/downbeat/downbeat/core/clock"
	"github.com/downbeat/downbeat/core/port"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/localstack/bolttable"
)

// Config says how the queues behave. Clock is required.
type Config struct {
	Clock clock.Clock
	// Names are the queues. Default queue.Names().
	Names []queue.Name
	// Window is among how many of the oldest visible messages of a group the next one is chosen; Rand, uniform in [0, 1),
	// chooses. Without Rand messages come in the order in which they were sent, which no caller may rely on.
	Window int
	Rand   func() float64
	// Duplicates is the chance, 0 to 1, that a received message is visible again at once. It needs Rand.
	Duplicates float64
	// Durable, if set, is the table whose file also keeps the messages of the queues in Kept. A message of these is
	// durable when Send returns; after a crash those not yet deleted, dead ones too, are visible again, some perhaps that
	// had been deleted. Without it, and in the other queues, messages are lost with the process: they are pokes, and the
	// sweep finds what they were about.
	Durable *bolttable.Table
	// Kept are the queues whose messages are facts. Default queue.Complete alone (P18).
	Kept []queue.Name
}

func (c *Config) validate() error {
	if c.Clock == nil {
		return errors.New("localqueue: config Clock is required")
	}
	if c.Names == nil {
		c.Names = queue.Names()
	}
	if c.Kept == nil {
		c.Kept = []queue.Name{queue.Complete}
	}
	if c.Window < 0 {
		return fmt.Errorf("localqueue: config Window %d is negative", c.Window)
	}
	if c.Duplicates < 0 || c.Duplicates > 1 {
		return fmt.Errorf("localqueue: config Duplicates %g is not in [0, 1]", c.Duplicates)
	}
	if (c.Window > 1 || c.Duplicates > 0) && c.Rand == nil {
		return errors.New("localqueue: config Rand is required with Window and Duplicates")
	}
	return nil
}

// Queue is the set of queues. Use New.
type Queue struct {
	cfg    Config
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	pumps  sync.WaitGroup
	queues map[queue.Name]*line
}

var (
	_ queue.Sender   = (*Queue)(nil)
	_ queue.Receiver = (*Queue)(nil)
)

// ErrClosed is the cause of every error after Close.
var ErrClosed = errors.New("queue is closed")

var errUnknown = errors.New("there is no such queue")

// line is one queue with its dead letters.
type line struct {
	log *bolttable.Log // nil when messages are kept in memory alone

	mu      sync.Mutex
	nextID  uint64              // guarded by mu, as all that follows
	serial  uint64              // of the newest receive
	visible lineup              // may be taken now
	hidden  byTime              // delayed, or in flight
	flying  map[uint64]*message // received once at least and not deleted, by id
	dead    []*message
	waiting ring[chan struct{}] // receivers that found nothing, woken once each
	pumping bool                // a goroutine waits for the earliest hidden message
	wakeAt  int64               // until when it sleeps
	rouse   context.CancelFunc  // makes it look again
}

type message struct {
	id       uint64
	record   uint64 // its id in line.log
	body     []byte
	group    string
	receives int
	serial   uint64 // of the newest receive, the part of a receipt that changes
	gone     bool   // deleted while it was visible again
	at       int64  // when it is visible, in epoch milliseconds
	pos      int    // in line.hidden, -1 when it is not there
}

// New makes the queues: empty ones, but for what a durable one kept.
func New(cfg Config) (*Queue, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	q := &Queue{cfg: cfg, queues: map[queue.Name]*line{}}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	for _, name := range cfg.Names {
		q.queues[name] = &line{visible: lineup{groups: map[string]*group{}}, flying: map[uint64]*message{}}
	}
	if cfg.Durable == nil {
		return q, nil
	}
	for _, name := range cfg.Kept {
		if err := q.load(name); err != nil {
			q.cancel()
			return nil, fmt.Errorf("localqueue: %s: %w", name, err)
		}
	}
	return q, nil
}

// Close wakes all receivers, whose error is then ErrClosed. Messages in memory are lost.
func (q *Queue) Close() error {
	q.cancel()
	q.pumps.Wait()
	return nil
}

// line finds a queue for what is named in the error.
func (q *Queue) line(op string, name queue.Name) (*line, error) {
	if q.ctx.Err() != nil {
		return nil, port.Local(op, string(name), ErrClosed)
	}
	l, ok := q.queues[name]
	if !ok {
		return nil, port.Local(op, string(name), errUnknown)
	}
	return l, nil
}

// Send implements queue.Sender.
func (q *Queue) Send(ctx context.Context, name queue.Name, msgs []queue.Message) error {
	l, err := q.line("send to", name)
	if err != nil {
		return err
	}
	for i, m := range msgs {
		if err := m.Check(); err != nil {
			return port.Invalid("send to", string(name), fmt.Errorf("message %d: %w", i, err))
		}
	}
	if err := ctx.Err(); err != nil {
		return port.Local("send to", string(name), err)
	}
	now := q.cfg.Clock.Now()
	sent := make([]*message, len(msgs))
	for i, m := range msgs {
		sent[i] = &message{body: slices.Clone(m.Body), group: m.Group, at: now + millis(m.Delay)}
	}
	if l.log != nil && len(sent) > 0 {
		if err := l.keep(ctx, sent); err != nil {
			return port.Local("send to", string(name), err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range sent {
		l.add(m, now)
	}
	return nil
}

// add gives a new message its id and its place. The lock is held.
func (l *line) add(m *message, now int64) {
	l.nextID++
	m.id, m.pos = l.nextID, -1
	if m.at <= now {
		l.show(m)
	} else {
		l.hide(m)
	}
}

// millis rounds up: a message is never early.
func millis(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

// show makes a message visible and wakes a receiver for it. The lock is held, as for all that follow.
func (l *line) show(m *message) {
	l.visible.push(m)
	l.wakeOne()
}

func (l *line) wakeOne() {
	if l.waiting.len() > 0 {
		l.waiting.pop(0) <- struct{}{}
	}
}

func (l *line) hide(m *message) {
	heap.Push(&l.hidden, m)
	if l.pumping && m.at < l.wakeAt {
		l.wakeAt = m.at
		l.rouse()
	}
}

// settle makes visible what is due at now. What was received too often goes to the dead letters in place.
func (l *line) settle(now int64) {
	for len(l.hidden) > 0 && l.hidden[0].at <= now {
		m := heap.Pop(&l.hidden).(*message)
		if m.receives >= queue.MaxReceives {
			delete(l.flying, m.id)
			l.dead = append(l.dead, m)
			continue
		}
		l.show(m)
	}
}

// take receives up to max visible messages.
func (q *Queue) take(l *line, max int, visibility time.Duration) []queue.Delivery {
	now := q.cfg.Clock.Now()
	l.settle(now)
	n := min(max, l.visible.n)
	if n == 0 {
		return nil
	}
	got := make([]queue.Delivery, 0, n)
	taken := make([]*message, 0, n)
	for range n {
		m := l.visible.pop(q.pick)
		m.receives++
		l.serial++
		m.serial = l.serial
		m.at = now + millis(visibility)
		if q.cfg.Duplicates > 0 && q.cfg.Rand() < q.cfg.Duplicates {
			m.at = now
		}
		taken = append(taken, m)
		got = append(got, queue.Delivery{Receipt: receipt(m), Body: slices.Clone(m.body), Receives: m.receives})
	}
	for _, m := range taken {
		l.flying[m.id] = m
		l.hide(m)
	}
	return got
}

func (q *Queue) pick(n int) int {
	if q.cfg.Window < 2 {
		return 0
	}
	return int(q.cfg.Rand() * float64(min(n, q.cfg.Window)))
}

// receipt names one receive: each gives a new one, and only the newest counts.
func receipt(m *message) string {
	b := strconv.AppendUint(make([]byte, 0, 24), m.id, 36)
	b = append(b, '.')
	return string(strconv.AppendUint(b, m.serial, 36))
}

// flyer is the received message that a receipt names, nil when the receipt is not its newest.
func (l *line) flyer(rec string) (*message, error) {
	id, serial, ok := strings.Cut(rec, ".")
	n, err := strconv.ParseUint(id, 36, 64)
	r, err2 := strconv.ParseUint(serial, 36, 64)
	if !ok || err != nil || err2 != nil {
		return nil, fmt.Errorf("receipt %q is malformed", rec)
	}
	m := l.flying[n]
	if m == nil || m.serial != r {
		return nil, nil
	}
	return m, nil
}

// Receive implements queue.Receiver. It waits until there is a message or ctx ends.
func (q *Queue) Receive(ctx context.Context, name queue.Name, max int, visibility time.Duration) ([]queue.Delivery, error) {
	if err := queue.CheckReceive(max, visibility); err != nil {
		return nil, port.Invalid("receive from", string(name), err)
	}
	for {
		l, err := q.line("receive from", name)
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		l.mu.Lock()
		if got := q.take(l, max, visibility); len(got) > 0 {
			l.mu.Unlock()
			return got, nil
		}
		woken := make(chan struct{}, 1)
		l.waiting.push(woken)
		if !l.pumping {
			l.pumping = true
			q.pumps.Add(1)
			go q.pump(l)
		}
		l.mu.Unlock()
		select {
		case <-woken:
		case <-ctx.Done():
			l.leave(woken)
			return nil, ctx.Err()
		case <-q.ctx.Done():
			l.leave(woken)
			return nil, port.Local("receive from", string(name), ErrClosed)
		}
	}
}

// leave takes a receiver that gave up off the list. If it was woken just then, another one is in its place.
func (l *line) leave(woken chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := l.waiting.head; i < len(l.waiting.items); i++ {
		if l.waiting.items[i] == woken {
			l.waiting.pop(i - l.waiting.head)
			return
		}
	}
	l.wakeOne()
}

// pump makes hidden messages visible at their time, as long as anybody waits for messages.
func (q *Queue) pump(l *line) {
	defer q.pumps.Done()
	for {
		l.mu.Lock()
		now := q.cfg.Clock.Now()
		l.settle(now)
		if l.waiting.len() == 0 || q.ctx.Err() != nil {
			l.pumping = false
			l.mu.Unlock()
			return
		}
		l.wakeAt = math.MaxInt64
		wait := queue.MaxDelay
		if len(l.hidden) > 0 {
			l.wakeAt = l.hidden[0].at
			wait = time.Duration(l.wakeAt-now) * time.Millisecond
		}
		ctx, cancel := context.WithCancel(q.ctx)
		l.rouse = cancel
		l.mu.Unlock()
		_ = q.cfg.Clock.Sleep(ctx, wait) // roused or not, the queue is looked at
		cancel()
	}
}

// Take is Receive that does not wait: without visible messages it returns none.
func (q *Queue) Take(ctx context.Context, name queue.Name, max int, visibility time.Duration) ([]queue.Delivery, error) {
	l, err := q.line("receive from", name)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := queue.CheckReceive(max, visibility); err != nil {
		return nil, port.Invalid("receive from", string(name), err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return q.take(l, max, visibility), nil
}

// NextAt is when the queue has its next visible message, in epoch milliseconds; false if it has none at all.
func (q *Queue) NextAt(name queue.Name) (int64, bool) {
	l, err := q.line("look at", name)
	if err != nil {
		return 0, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := q.cfg.Clock.Now()
	l.settle(now)
	if l.visible.n > 0 {
		return now, true
	}
	if len(l.hidden) == 0 {
		return 0, false
	}
	return l.hidden[0].at, true
}

// Depth is how many messages there are: visible, delayed or in flight, and dead.
type Depth struct {
	Visible, Hidden, Dead int
}

// Depth counts the messages of a queue; those of an unknown one are none.
func (q *Queue) Depth(name queue.Name) Depth {
	l, err := q.line("look at", name)
	if err != nil {
		return Depth{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settle(q.cfg.Clock.Now())
	return Depth{Visible: l.visible.n, Hidden: len(l.hidden), Dead: len(l.dead)}
}

// Delete implements queue.Receiver.
func (q *Queue) Delete(_ context.Context, name queue.Name, receipts []string) error {
	l, err := q.line("delete from", name)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var records []uint64
	for _, r := range receipts {
		m, err := l.flyer(r)
		if err != nil {
			return port.Invalid("delete from", string(name), err)
		}
		if m == nil {
			continue
		}
		delete(l.flying, m.id)
		records = append(records, m.record)
		if m.pos >= 0 {
			heap.Remove(&l.hidden, m.pos)
		} else { // its time-out passed and nobody has taken it yet: as with the service, it may still be deleted
			l.visible.drop(m)
		}
	}
	if l.log != nil {
		l.log.Remove(records)
	}
	return nil
}

// Release implements queue.Receiver.
func (q *Queue) Release(_ context.Context, name queue.Name, rec string, d time.Duration) error {
	l, err := q.line("release to", name)
	if err != nil {
		return err
	}
	if err := queue.CheckVisibility(d); err != nil {
		return port.Invalid("release to", string(name), err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	m, err := l.flyer(rec)
	if err != nil {
		return port.Invalid("release to", string(name), err)
	}
	if m == nil || m.pos < 0 { // visible again already
		return nil
	}
	heap.Remove(&l.hidden, m.pos)
	now := q.cfg.Clock.Now()
	m.at = now + millis(d)
	l.hide(m)
	l.settle(now)
	return nil
}

// Dead implements queue.Receiver.
func (q *Queue) Dead(_ context.Context, name queue.Name, max int) ([]queue.Delivery, error) {
	l, err := q.line("read the dead letters of", name)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settle(q.cfg.Clock.Now())
	var got []queue.Delivery
	for _, m := range l.dead[:min(max, len(l.dead))] {
		got = append(got, queue.Delivery{Receipt: receipt(m), Body: slices.Clone(m.body), Receives: m.receives})
	}
	return got, nil
}

// Redrive implements queue.Receiver.
func (q *Queue) Redrive(_ context.Context, name queue.Name) (int, error) {
	l, err := q.line("redrive", name)
	if err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settle(q.cfg.Clock.Now())
	n := len(l.dead)
	for _, m := range l.dead {
		m.receives, m.pos = 0, -1
		l.show(m)
	}
	l.dead = nil
	return n, nil
}
