package sim

import "testing"

func BenchmarkSeed(b *testing.B) {
	for i := range b.N {
		if rep := Run(Options{Seed: uint64(i + 1), Faults: AllFaults()}); rep.Violated != nil {
			b.Fatal(rep.Violated)
		}
	}
}
