package sim

import (
	"strings"

	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
)

// Defects are deliberate faults of the application's protocols, made at its ports: each stands for a line of code that
// somebody might forget. They show that the invariants have teeth.
var Defects = map[string]string{
	"run-condition":    "the head of a run is written without its condition",
	"lane-condition":   "the head of a lane is written without its condition",
	"permit-condition": "permits are written without their condition",
	"start-condition":  "a start and its number are written without their condition",
	"send-first":       "what follows from a commit of a run is sent before the commit, and the commit may fail",
	"no-due":           "heads carry no due time",
}

// DefectNames lists the names for a help text.
func DefectNames() string { return strings.Join(sortedKeys(Defects), ", ") }

// broken changes a write as the injected defect would.
func (s *system) broken(w table.Write) table.Write {
	key := w.Item.Key
	_, isRun := store.ParseRunKey(key)
	_, isLane := store.ParseLaneKey(key)
	_, isPermit := store.ParsePermitKey(key)
	switch s.opts.Break {
	case "run-condition":
		if isRun {
			w.Cond = table.None()
		}
	case "lane-condition":
		if isLane {
			w.Cond = table.None()
		}
	case "permit-condition":
		if isPermit {
			w.Cond = table.None()
		}
	case "start-condition":
		if strings.HasPrefix(key.PK, "start#") {
			w.Cond = table.None()
		}
	case "no-due":
		w.Item.Due = 0
	}
	return w
}

// dropCommit tells whether the commit of a run is to be lost although it is reported: with "send-first" that is what a
// message sent too early amounts to.
func (s *system) dropCommit(w table.Write) bool {
	_, isRun := store.ParseRunKey(w.Item.Key)
	return s.opts.Break == "send-first" && isRun && s.w.rng.IntN(20) == 0
}
