// Command sim runs the simulation over many seeds, or one again with its log.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/downbeat/downbeat/test/sim"
)

func main() {
	seeds := flag.Int("seeds", 2000, "how many seeds to run")
	first := flag.Uint64("first", 1, "the first seed")
	seed := flag.Uint64("seed", 0, "run this seed alone and print its log")
	calm := flag.Bool("calm", false, "inject no fault")
	defect := flag.String("break", "", "inject a deliberate defect, to see that it is found: "+sim.DefectNames())
	flag.Parse()
	// Worlds are small and many: memory is cheaper here than collecting it.
	debug.SetGCPercent(800)
	opts := sim.Options{Faults: sim.AllFaults(), Break: *defect}
	if *calm {
		opts.Faults = sim.Faults{}
	}
	if *seed != 0 {
		opts.Seed, opts.Verbose = *seed, true
		rep := sim.Run(opts)
		fmt.Printf("seed %d: %d steps, %d runs, log hash %016x\n", rep.Seed, rep.Steps, rep.Runs, rep.Hash)
		if rep.Violated != nil {
			fmt.Println("VIOLATED:", rep.Violated)
			os.Exit(1)
		}
		return
	}
	began := time.Now()
	var mu sync.Mutex
	next, steps, runs := *first, 0, 0
	var failed *sim.Report
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				mu.Lock()
				if failed != nil || next >= *first+uint64(*seeds) {
					mu.Unlock()
					return
				}
				o := opts
				o.Seed = next
				next++
				mu.Unlock()
				rep := sim.Run(o)
				mu.Lock()
				steps += rep.Steps
				runs += rep.Runs
				if rep.Violated != nil && (failed == nil || rep.Seed < failed.Seed) {
					failed = &rep
				}
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	if failed != nil {
		fmt.Printf("seed %d violates an invariant after %d seeds: %v\n\nrepeat it, with its log: go run ./test/sim/cmd/sim --seed %d", failed.Seed, next-*first, failed.Violated, failed.Seed)
		if *defect != "" {
			fmt.Printf(" --break %s", *defect)
		}
		fmt.Println()
		os.Exit(1)
	}
	fmt.Printf("%d seeds, %d runs, %d steps, no violation, in %s\n", *seeds, runs, steps, time.Since(began).Round(time.Millisecond))
}
