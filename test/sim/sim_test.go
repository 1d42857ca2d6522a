package sim

import "testing"

// seeds of the test; the command runs more of them, and other ones.
func seeds() int {
	if testing.Short() {
		return 100
	}
	return 500
}

func TestInvariantsHoldWithAllFaults(t *testing.T) {
	sum := Search(Options{Faults: AllFaults()}, 1, seeds())
	if f := sum.Failed; f != nil {
		t.Fatalf("seed %d: %v\nrepeat it, with its log: go run ./test/sim/cmd/sim --seed %d", f.Seed, f.Violated, f.Seed)
	}
	if sum.Runs < sum.Seeds {
		t.Errorf("%d seeds made %d runs: the clients start nothing", sum.Seeds, sum.Runs)
	}
}

func TestInvariantsHoldWithoutFaults(t *testing.T) {
	if f := Search(Options{}, 1, seeds()/5).Failed; f != nil {
		t.Fatalf("seed %d: %v\nrepeat it, with its log: go run ./test/sim/cmd/sim --calm --seed %d", f.Seed, f.Violated, f.Seed)
	}
}

func TestSameSeedGivesTheSameLog(t *testing.T) {
	hashes := map[uint64]uint64{}
	for seed := uint64(1); seed <= 12; seed++ {
		first, second := Run(Options{Seed: seed, Faults: AllFaults()}), Run(Options{Seed: seed, Faults: AllFaults()})
		if first.Hash != second.Hash || first.Steps != second.Steps {
			t.Errorf("seed %d gives log %016x of %d steps, and then %016x of %d", seed, first.Hash, first.Steps, second.Hash, second.Steps)
		}
		if other, same := hashes[first.Hash]; same {
			t.Errorf("seeds %d and %d give the same log", other, seed)
		}
		hashes[first.Hash] = seed
	}
}

// A defect that the simulation does not find would show that an invariant has no teeth. The rare ones are found by the
// command alone; docs/simulation.md says after how many seeds.
func TestDefectsAreFound(t *testing.T) {
	rare := map[string]bool{"permit-condition": true}
	for _, name := range sortedKeys(Defects) {
		t.Run(name, func(t *testing.T) {
			if rare[name] && testing.Short() {
				t.Skip("found too late for a short run")
			}
			if Search(Options{Faults: AllFaults(), Break: name}, 1, 2000).Failed == nil {
				t.Errorf("2000 seeds do not find that %s", Defects[name])
			}
		})
	}
}

func BenchmarkSeed(b *testing.B) {
	for i := range b.N {
		if rep := Run(Options{Seed: uint64(i + 1), Faults: AllFaults()}); rep.Violated != nil {
			b.Fatal(rep.Violated)
		}
	}
}
