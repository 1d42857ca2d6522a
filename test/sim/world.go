// Package sim runs the whole application under a seeded scheduler in virtual time, with everything going wrong that may
// go wrong: messages are duplicated, dropped, delayed and reordered; any call of a port fails before or after it took
// effect; functions crash between any two port calls, or freeze and thaw minutes later; the due index lags; clocks
// differ. After each step the invariants are checked. The same seed gives the same log.
//
// Every invocation is a coroutine: it runs until its next port call, where it hands control back to the scheduler, which
// decides who goes on and what becomes of the call. Only one runs at a time, so a run is a function of its seed.
package sim

import (
	"container/heap"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"

	"github.com/downbeat/downbeat/core/table"
)

// world is the scheduler with the virtual time.
type world struct {
	rng     *rand.Rand
	now     int64
	faults  Faults
	counts  map[string]int // of requests and faults, by kind
	ready   []*proc
	threads []*thread
	idle    []*thread // those that no coroutine runs on
	timers  timerHeap
	seq     int
	steps   int
	hash    uint64
	verbose bool
	failure error
	stopped bool
}

func newWorld(seed uint64, faults Faults) *world {
	return &world{
		rng: rand.New(rand.NewPCG(seed, 0x5eed)), now: epoch, hash: 14695981039346656037, faults: faults,
		counts: map[string]int{},
	}
}

// chance draws whether something happens that has this chance.
func (w *world) chance(p float64) bool { return p > 0 && w.rng.Float64() < p }

// hit draws whether a fault happens, and counts it.
func (w *world) hit(fault string, p float64) bool {
	if !w.chance(p) {
		return false
	}
	w.counts[fault]++
	return true
}

// logf adds an event to the log: it is hashed at once, and made text only for those who read it.
func (w *world) logf(format string, args ...any) {
	w.mix(uint64(w.now))
	w.mixString(format)
	for _, a := range args {
		switch v := a.(type) {
		case string:
			w.mixString(v)
		case int64:
			w.mix(uint64(v))
		case int:
			w.mix(uint64(v))
		case table.Key:
			w.mixString(v.PK)
			w.mixString(v.SK)
		default:
			w.mixString(fmt.Sprint(v))
		}
	}
	if w.verbose {
		fmt.Printf("%d %s\n", w.now-epoch, fmt.Sprintf(format, args...))
	}
}

// epoch is when a simulation begins.
const epoch = 1_700_000_000_000

func (w *world) mix(v uint64) { w.hash = (w.hash ^ v) * 1099511628211; w.hash ^= w.hash >> 29 }

func (w *world) mixString(s string) {
	for i := range len(s) {
		w.hash = (w.hash ^ uint64(s[i])) * 1099511628211
	}
	w.mix(uint64(len(s)))
}

// fail records the first violated invariant.
func (w *world) fail(format string, args ...any) {
	if w.failure == nil {
		w.failure = fmt.Errorf(format, args...)
		w.logf("VIOLATION %v", w.failure)
	}
}

// proc is a coroutine.
type proc struct {
	w       *world
	name    string
	run     func()
	t       *thread
	dead    bool
	crashed bool
	skew    int64
}

// thread is what coroutines run on, one after another: its stack has grown to the size that they need.
type thread struct {
	p      *proc
	resume func() (struct{}, bool)
	end    func()
	yield  func(struct{}) bool
}

func newThread(w *world) *thread {
	t := &thread{}
	t.resume, t.end = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		for !w.stopped {
			t.p.run()
			if w.stopped {
				return
			}
			w.idle = append(w.idle, t)
			if !yield(struct{}{}) {
				return
			}
		}
	})
	w.threads = append(w.threads, t)
	return t
}

// crash is what a coroutine that crashes panics with. The application recovers from panics, and a process that is gone
// recovers from nothing: every call of a port that it makes after that panics again, so nobody hears of it any more.
type crash struct{}

func (p *proc) crash() {
	p.crashed = true
	panic(crash{})
}

// alive ends a coroutine that crashed and recovered.
func (p *proc) alive() {
	if p.crashed {
		panic(crash{})
	}
}

// spawn starts a coroutine that runs f when the scheduler picks it. onExit, which may be nil, is told of its end.
func (w *world) spawn(name string, f func(p *proc), onExit func(crashed bool)) *proc {
	p := &proc{w: w, name: name}
	if w.faults.Skew > 0 {
		p.skew = w.rng.Int64N(2*w.faults.Skew+1) - w.faults.Skew
		w.counts[faultSkew]++
	}
	p.run = func() {
		defer func() {
			r := recover()
			p.dead = true
			if _, mine := r.(crash); r != nil && !mine {
				buf := make([]byte, 8<<10)
				buf = buf[:runtime.Stack(buf, false)]
				w.fail("%s died: %v\n%s", name, r, buf)
			}
			if onExit != nil && !w.stopped {
				onExit(p.crashed || r != nil)
			}
		}()
		f(p)
	}
	if n := len(w.idle); n > 0 {
		p.t = w.idle[n-1]
		w.idle = w.idle[:n-1]
	} else {
		p.t = newThread(w)
	}
	p.t.p = p
	w.ready = append(w.ready, p)
	return p
}

// point is where a coroutine hands control to the scheduler. It returns when it is picked again.
func (p *proc) point() {
	w := p.w
	p.alive()
	if w.hit(faultCrash, w.faults.Crash) {
		w.logf("%s crashes", p.name)
		p.crash()
	}
	if w.hit(faultFreeze, w.faults.Freeze) {
		d := w.rng.Int64N(20 * 60_000)
		w.logf("%s freezes for %d ms", p.name, d)
		p.sleep(d)
		return
	}
	w.ready = append(w.ready, p)
	p.pause()
}

// sleep lets virtual time pass for the coroutine.
func (p *proc) sleep(d int64) {
	p.w.after(d, func() { p.w.ready = append(p.w.ready, p) })
	p.pause()
}

func (p *proc) pause() {
	if !p.t.yield(struct{}{}) {
		p.crash()
	}
}

// timer is something that happens at a time.
type timer struct {
	at  int64
	seq int
	do  func()
}

type timerHeap []timer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].seq < h[j].seq
}
func (h timerHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(x any)   { *h = append(*h, x.(timer)) }
func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	*h = old[:len(old)-1]
	return t
}

// after has do happen d milliseconds from now.
func (w *world) after(d int64, do func()) {
	w.seq++
	heap.Push(&w.timers, timer{at: w.now + max(d, 0), seq: w.seq, do: do})
}

// step lets one thing happen: a coroutine goes on to its next port call, or, when none can, time passes to the next
// timer. It is false when nothing is left to happen.
func (w *world) step() bool {
	w.steps++
	if len(w.ready) > 0 {
		i := w.rng.IntN(len(w.ready))
		p := w.ready[i]
		w.ready[i] = w.ready[len(w.ready)-1]
		w.ready = w.ready[:len(w.ready)-1]
		if p.dead {
			return true
		}
		// A step takes time too, now and then: decisions that last are among what is tried.
		if w.rng.IntN(8) == 0 {
			w.now += w.rng.Int64N(20)
		}
		p.t.resume()
		return true
	}
	if len(w.timers) == 0 {
		return false
	}
	t := heap.Pop(&w.timers).(timer)
	w.now = max(w.now, t.at)
	t.do()
	return true
}

// stop ends every coroutine, so that none outlives the world.
func (w *world) stop() {
	w.stopped = true
	for _, t := range w.threads {
		t.end()
	}
	w.ready, w.timers = nil, nil
}
