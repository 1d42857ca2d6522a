package localstack

import (
	"context"
	"sync"
)

// workers does deferred work in a few goroutines: what a Lambda invocation would do before it ends, or leave to a poke.
type workers struct {
	mu     sync.Mutex
	cond   *sync.Cond
	queue  []func(context.Context) // guarded by mu
	closed bool                    // guarded by mu
	wg     sync.WaitGroup
}

func startWorkers(ctx context.Context, n int) *workers {
	w := &workers{}
	w.cond = sync.NewCond(&w.mu)
	for range n {
		w.wg.Add(1)
		go func() {
			defer w.wg.Done()
			for {
				work := w.next()
				if work == nil {
					return
				}
				work(ctx)
			}
		}()
	}
	return w
}

func (w *workers) add(work func(context.Context)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		// What is not done now is found by the sweep of the next start.
		return
	}
	w.queue = append(w.queue, work)
	w.cond.Signal()
}

func (w *workers) next() func(context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) == 0 {
		if w.closed {
			return nil
		}
		w.cond.Wait()
	}
	work := w.queue[0]
	w.queue[0] = nil
	w.queue = w.queue[1:]
	return work
}

// close lets what is being done end and drops what waits.
func (w *workers) close() {
	w.mu.Lock()
	w.closed = true
	w.queue = nil
	w.cond.Broadcast()
	w.mu.Unlock()
	w.wg.Wait()
}
