// Command sim runs the simulation over many seeds, or one again with its log.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/downbeat/downbeat/test/sim"
)

func main() {
	seeds := flag.Int("seeds", 2000, "how many seeds to run")
	first := flag.Uint64("first", 1, "the first seed")
	seed := flag.Uint64("seed", 0, "run this seed alone and print its log")
	workers := flag.Int("workers", 0, "how many seeds to run at once; 0: as many as there are processors")
	all := flag.Bool("all", false, "go on after a violation, and tell all of them")
	calm := flag.Bool("calm", false, "inject no fault")
	quiet := flag.Bool("quiet", false, "do not print how often each kind of request and fault happened")
	defects := flag.Bool("defects", false, "inject each deliberate defect in turn, and tell at which seed it is found")
	defect := flag.String("break", "", "inject a deliberate defect, to see that it is found: "+sim.DefectNames())
	flag.Parse()
	if _, known := sim.Defects[*defect]; *defect != "" && !known {
		fmt.Fprintf(os.Stderr, "break: %q is none of %s\n", *defect, sim.DefectNames())
		os.Exit(2)
	}
	// Worlds are small and many: memory is cheaper here than collecting it.
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(256 << 20)

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
	if *defects {
		os.Exit(findAll(opts, *first, *seeds, *workers))
	}
	began := time.Now()
	sum := sim.Search(opts, *first, *seeds, *workers, *all)
	if *all {
		for _, f := range sum.Failures {
			fmt.Printf("seed %d: %v\n", f.Seed, f.Violated)
		}
	}
	if f := sum.Failed; f != nil {
		fmt.Printf("seed %d violates an invariant, after %d seeds: %v\n", f.Seed, sum.Seeds, f.Violated)
		fmt.Printf("repeat it, with its log: go run ./test/sim/cmd/sim --seed %d", f.Seed)
		if *defect != "" {
			fmt.Printf(" --break %s", *defect)
		}
		if *calm {
			fmt.Print(" --calm")
		}
		fmt.Println()
		os.Exit(1)
	}
	if !*quiet {
		kinds := make([]string, 0, len(sum.Counts))
		for k := range sum.Counts {
			kinds = append(kinds, k)
		}
		slices.Sort(kinds)
		for _, k := range kinds {
			fmt.Printf("%9d  %s\n", sum.Counts[k], k)
		}
	}
	took := time.Since(began)
	if missing := sum.Missing(); len(missing) > 0 && sum.Seeds >= enough && !*calm {
		fmt.Printf("%d seeds never made happen: %q\n", sum.Seeds, missing)
		os.Exit(1)
	}
	fmt.Printf("%d seeds from %d, %d runs, %d steps, no violation, in %s (%.0f seeds/s)\n", sum.Seeds, *first, sum.Runs, sum.Steps,
		took.Round(time.Millisecond), float64(sum.Seeds)/took.Seconds())
}

// enough is how many seeds must make each kind of request and fault happen.
const enough = 2000

// findAll looks for each defect and returns the exit code: 1 when one is not found.
func findAll(opts sim.Options, first uint64, seeds, workers int) int {
	code := 0
	for _, name := range slices.Sorted(maps.Keys(sim.Defects)) {
		opts.Break = name
		f := sim.Search(opts, first, seeds, workers, false).Failed
		if f == nil {
			fmt.Printf("%-18s NOT FOUND by %d seeds: %s\n", name, seeds, sim.Defects[name])
			code = 1
			continue
		}
		fmt.Printf("%-18s found at seed %d: %v\n", name, f.Seed, f.Violated)
	}
	return code
}
