// Command sim runs the simulation over many seeds, or one again with its log.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
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
	if _, known := sim.Defects[*defect]; *defect != "" && !known {
		fmt.Fprintf(os.Stderr, "break: %q is none of %s\n", *defect, sim.DefectNames())
		os.Exit(2)
	}
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
	sum := sim.Search(opts, *first, *seeds)
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
	fmt.Printf("%d seeds, %d runs, %d steps, no violation, in %s\n", sum.Seeds, sum.Runs, sum.Steps, time.Since(began).Round(time.Millisecond))
}
