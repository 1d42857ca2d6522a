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
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"

	"github.com/downbeat/downbeat/core/table"
)

// Faults are the chances of what goes wrong, per port call or per message; 0 is never, 1 always.
type Faults struct {
	Crash      float64 // the invocation ends between two port calls, with its instance
	Freeze     float64 // the invocation stands still for up to 20 minutes
	FailBefore float64 // the call fails and had no effect (throttled)
	FailAfter  float64 // the call took effect and its answer is lost
	Contend    float64 // a transaction clashes with another
	Duplicate  float64 // a message is delivered twice
	Drop       float64 // a message is lost
	Delay      float64 // a message comes up to 10 minutes late
	Skew       int64   // clocks differ by up to this many milliseconds
	IndexLag   int64   // the due index shows changes up to this many milliseconds late
}

// AllFaults is the mix that the default run uses.
func AllFaults() Faults {
	return Faults{Crash: 0.01, Freeze: 0.003, FailBefore: 0.01, FailAfter: 0.01, Contend: 0.02, Duplicate: 0.05, Drop: 0.05, Delay: 0.05, Skew: 1000, IndexLag: 20_000}
}

// world is the scheduler with the virtual time.
type world struct {
	rng     *rand.Rand
	now     int64
	faults  Faults
	ready   []*proc
	live    map[*proc]bool // every coroutine that has not ended, wherever it stands
	timers  timerHeap
	seq     int
	current *proc
	steps   int
	hash    uint64
	verbose bool
	failure error
	stopped bool
}

func newWorld(seed uint64, faults Faults) *world {
	return &world{rng: rand.New(rand.NewPCG(seed, 0x5eed)), now: epoch, hash: 14695981039346656037, faults: faults, live: map[*proc]bool{}}
}

// chance draws whether something happens that has this chance.
func (w *world) chance(p float64) bool { return p > 0 && w.rng.Float64() < p }

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
	resume  chan bool // false: end here
	yield   chan struct{}
	dead    bool
	crashed bool
	skew    int64
	onExit  func(crashed bool)
}

// crash ends the coroutine where it stands. It is no panic: the application recovers from those, and a process that is
// gone recovers from nothing. What is deferred runs, which frees locks of an instance that nobody uses again; a port
// call from there ends at once.
func (p *proc) crash() {
	p.crashed = true
	runtime.Goexit()
}

// spawn starts a coroutine that runs f when the scheduler picks it.
func (w *world) spawn(name string, f func(ctx context.Context, p *proc), onExit func(crashed bool)) *proc {
	p := &proc{w: w, name: name, resume: make(chan bool), yield: make(chan struct{}), onExit: onExit}
	if w.faults.Skew > 0 {
		p.skew = w.rng.Int64N(2*w.faults.Skew+1) - w.faults.Skew
	}
	go func() {
		finished := false
		defer func() {
			r := recover()
			p.dead = true
			delete(w.live, p)
			if r != nil {
				buf := make([]byte, 8<<10)
				buf = buf[:runtime.Stack(buf, false)]
				w.fail("%s died: %v\n%s", name, r, buf)
			}
			if p.onExit != nil && !w.stopped {
				p.onExit(!finished)
			}
			p.yield <- struct{}{}
		}()
		if !<-p.resume {
			p.crash()
		}
		f(context.Background(), p)
		finished = true
	}()
	w.ready = append(w.ready, p)
	w.live[p] = true
	return p
}

// point is where a coroutine hands control to the scheduler. It returns when it is picked again.
func (p *proc) point() {
	w := p.w
	if p.crashed {
		p.crash()
	}
	if w.chance(w.faults.Crash) {
		w.logf("%s crashes", p.name)
		p.crash()
	}
	if w.chance(w.faults.Freeze) {
		d := w.rng.Int64N(20 * 60_000)
		w.logf("%s freezes for %d ms", p.name, d)
		p.sleep(d)
		return
	}
	w.ready = append(w.ready, p)
	p.yieldNow()
}

// sleep lets virtual time pass for the coroutine.
func (p *proc) sleep(d int64) {
	p.w.after(d, func() { p.w.ready = append(p.w.ready, p) })
	p.yieldNow()
}

func (p *proc) yieldNow() {
	p.yield <- struct{}{}
	if !<-p.resume {
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
		w.current = p
		// A step takes time too, now and then: decisions that last are among what is tried.
		if w.rng.IntN(8) == 0 {
			w.now += w.rng.Int64N(20)
		}
		p.resume <- true
		<-p.yield
		w.current = nil
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

// stop ends every coroutine, so that none outlives the world. Only one runs at a time: all of them stand at a port call.
func (w *world) stop() {
	w.stopped = true
	for p := range w.live {
		p.resume <- false
		<-p.yield
	}
	w.ready, w.timers = nil, nil
}
