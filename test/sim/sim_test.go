package sim

import (
	"os"
	"runtime/debug"
	"strings"
	"testing"
)

// Worlds are small and many: memory is cheaper here than collecting it.
func TestMain(m *testing.M) {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(512 << 20)
	os.Exit(m.Run())
}

// seeds of the test; the command runs more of them, and other ones.
func seeds() int {
	if testing.Short() {
		return 60
	}
	return 300
}

func TestInvariantsHoldWithAllFaults(t *testing.T) {
	sum := Search(Options{Faults: AllFaults()}, 1, seeds(), 0, false)
	if f := sum.Failed; f != nil {
		t.Fatalf("seed %d: %v\nrepeat it, with its log: go run ./test/sim/cmd/sim --seed %d", f.Seed, f.Violated, f.Seed)
	}
	if sum.Runs < sum.Seeds {
		t.Errorf("%d seeds made %d runs: the clients start nothing", sum.Seeds, sum.Runs)
	}
	for _, kind := range sum.Missing() {
		// What comes of requests is rarer: the command looks at that too.
		if !testing.Short() && (strings.HasPrefix(kind, "request: ") || strings.HasPrefix(kind, "fault: ")) {
			t.Errorf("%d seeds never made happen: %s", sum.Seeds, kind)
		}
	}
}

func TestInvariantsHoldWithoutFaults(t *testing.T) {
	if f := Search(Options{}, 1, seeds()/5, 0, false).Failed; f != nil {
		t.Fatalf("seed %d: %v\nrepeat it, with its log: go run ./test/sim/cmd/sim --calm --seed %d", f.Seed, f.Violated, f.Seed)
	}
}

func TestSameSeedGivesTheSameLog(t *testing.T) {
	hashes := map[uint64]uint64{}
	for seed := uint64(1); seed <= 8; seed++ {
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

// rare are the defects that need more seeds than a test has time for. `go run ./test/sim/cmd/sim --defects` finds them
// too; docs/simulation.md says after how many seeds.
var rare = map[string]bool{"ack-first": true, "gone-forgotten": true, "permit-condition": true, "head-lost": true}

// A defect that the simulation does not find would show that an invariant has no teeth.
func TestDefectsAreFound(t *testing.T) {
	for _, name := range sortedKeys(Defects) {
		t.Run(name, func(t *testing.T) {
			if rare[name] {
				t.Skip("found too late for a test")
			}
			if Search(Options{Faults: AllFaults(), Break: name}, 1, 400, 0, false).Failed == nil {
				t.Errorf("400 seeds do not find that %s", Defects[name])
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
