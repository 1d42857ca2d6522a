// Command external measures runs of external steps as they are on AWS (package jobs) and prints what a step costs beside
// its budget.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/downbeat/downbeat/test/bench/jobs"
)

func main() {
	file := flag.String("json", "", "write the rows into this `file` as JSON lines")
	seed := flag.Uint64("seed", 1, "of the latencies")
	verbose := flag.Bool("spent", false, "print the units by operation and kind of item, too")
	flag.Parse()
	if err := run(*file, *seed, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "external:", err)
		os.Exit(1)
	}
}

func run(file string, seed uint64, verbose bool) error {
	var out bytes.Buffer
	fmt.Printf("%-42s %6s %8s %8s %8s %9s %8s %7s %5s %8s  %s\n", "workload, per external step", "steps", "seconds", "WU", "RU", "requests", "invocs", "entries", "dead", "$/M", "over budget")
	for _, w := range jobs.Workloads() {
		r, err := jobs.Measure(w, seed)
		if err != nil {
			return err
		}
		fmt.Printf("%-42s %6d %8.1f %8.2f %8.2f %9.2f %8.2f %7.2f %5d %8.2f  %s\n", r.Workload, r.Steps, r.Seconds, r.WriteUnits, r.ReadUnits, r.Requests, r.Invocations,
			r.Entries, r.Dead, r.Dollars, strings.Join(r.Over, ", "))
		if verbose {
			for _, line := range r.Lines() {
				fmt.Println("    " + line)
			}
		}
		if err := json.NewEncoder(&out).Encode(r); err != nil {
			return err
		}
	}
	if file == "" {
		return nil
	}
	return os.WriteFile(file, out.Bytes(), 0o644)
}
