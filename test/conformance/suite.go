package conformance

import (
	"context"
	"sync"
)

// PlayAll plays scenarios, at most jobs at a time, and hands each report on as soon as it is there: done is called by
// one goroutine at a time, in the order in which the scenarios end.
func PlayAll(ctx context.Context, scenarios []*Scenario, jobs int, options func(*Scenario) Options, done func(*Scenario, Report)) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	next := make(chan *Scenario)
	for range max(1, jobs) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for s := range next {
				r := s.Play(ctx, options(s))
				mu.Lock()
				done(s, r)
				mu.Unlock()
			}
		}()
	}
	for _, s := range scenarios {
		next <- s
	}
	close(next)
	wg.Wait()
}
