package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/store"
)

// progress prints a line for every run that ends, and for those that take longer than a moment one when they begin.
// When many end within a second it counts them instead: nobody reads a thousand lines a second.
type progress struct {
	out io.Writer

	mu    sync.Mutex
	since time.Time                     // guarded by mu: the second that is being counted
	lines int                           // guarded by mu: lines printed in it
	more  map[engine.InstanceStatus]int // guarded by mu: runs only counted in it
	timer *time.Timer                   // guarded by mu: prints the count when nothing follows
}

// linesPerSecond is how many lines a second are printed before runs are only counted.
const linesPerSecond = 10

func newProgress(out io.Writer) *progress {
	return &progress{out: out, more: map[engine.InstanceStatus]int{}}
}

func (p *progress) run(id store.RunID, status engine.InstanceStatus) {
	if !status.Terminal() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Sub(p.since) >= time.Second {
		p.flush()
		p.since = now
	}
	if p.lines < linesPerSecond {
		p.lines++
		fmt.Fprintf(p.out, "%s  %-9s  %s, instance %d, run %d\n", now.Format(time.TimeOnly), status, id.Workflow, id.Instance, id.Run)
		return
	}
	p.more[status]++
	if p.timer == nil {
		p.timer = time.AfterFunc(time.Second, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.timer = nil
			p.flush()
		})
	}
}

// flush prints what was only counted. The caller holds mu.
func (p *progress) flush() {
	p.lines = 0
	for s := engine.InstanceCreated; s <= engine.InstanceSucceeded; s++ {
		if n := p.more[s]; n > 0 {
			fmt.Fprintf(p.out, "%s  %-9s  %d more runs\n", time.Now().Format(time.TimeOnly), s, n)
		}
	}
	clear(p.more)
}
