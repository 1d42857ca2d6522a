package sim

import (
	"runtime"
	"sync"
)

// Summary is what a search over seeds came to.
type Summary struct {
	Seeds, Runs, Steps int
	// Counts are those of all seeds, with 0 for each kind that never happened.
	Counts map[string]int
	// Failed is the report of the smallest seed that violated an invariant, nil when none did.
	Failed *Report
	// Failures are the reports of all seeds that did.
	Failures []Report
}

// Kinds are the kinds of requests, faults and outcomes that are counted and must all happen.
func Kinds() []string {
	var kinds []string
	for _, r := range requests {
		kinds = append(kinds, kindOf(r.name))
		if !r.silent {
			kinds = append(kinds, acceptedOf(r.name))
		}
	}
	for _, list := range [][]string{faultKinds, outsideKinds, outcomeKinds} {
		kinds = append(kinds, list...)
	}
	return kinds
}

// Missing are the kinds that never happened, sorted.
func (s Summary) Missing() []string {
	var missing []string
	for _, k := range sortedKeys(s.Counts) {
		if s.Counts[k] == 0 {
			missing = append(missing, k)
		}
	}
	return missing
}

// Search simulates n seeds from first on, on so many processors as workers says (0: all), and stops at the first
// violation, or with all only at the end. The seed of opts is not used.
func Search(opts Options, first uint64, n, workers int, all bool) Summary {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	sum := Summary{Counts: map[string]int{}}
	for _, k := range Kinds() {
		sum.Counts[k] = 0
	}
	var mu sync.Mutex
	next := first
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				mu.Lock()
				if sum.Failed != nil && !all || next >= first+uint64(n) {
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
				for k, c := range rep.Counts {
					sum.Counts[k] += c
				}
				if rep.Violated != nil {
					sum.Failures = append(sum.Failures, rep)
					if sum.Failed == nil || rep.Seed < sum.Failed.Seed {
						sum.Failed = &rep
					}
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return sum
}
