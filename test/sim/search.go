package sim

import (
	"runtime"
	"sync"
)

// Summary is what a search over seeds came to.
type Summary struct {
	Seeds, Runs, Steps int
	// Failed is the report of the smallest seed that violated an invariant, nil when none did.
	Failed *Report
}

// Search simulates n seeds from first on, as many at once as there are processors, and stops at the first violation. The
// seed of opts is not used.
func Search(opts Options, first uint64, n int) Summary {
	var mu sync.Mutex
	var sum Summary
	next := first
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				mu.Lock()
				if sum.Failed != nil || next >= first+uint64(n) {
					mu.Unlock()
					return
				}
				o := opts
				o.Seed = next
				next++
				mu.Unlock()
				rep := Run(o)
				mu.Lock()
				sum.Seeds++
				sum.Runs += rep.Runs
				sum.Steps += rep.Steps
				if rep.Violated != nil && (sum.Failed == nil || rep.Seed < sum.Failed.Seed) {
					sum.Failed = &rep
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return sum
}
