package sim

// Faults are the chances of what goes wrong, per port call or per message; 0 is never, 1 always.
type Faults struct {
	Crash      float64 // the invocation ends between two port calls, with its instance
	Freeze     float64 // the invocation stands still for up to 20 minutes
	FailBefore float64 // the call fails and had no effect (throttled)
	FailAfter  float64 // the call took effect and its answer is lost
	Repeat     float64 // a write is made twice, since its first answer was lost on the way, and the second is answered
	Contend    float64 // a transaction clashes with another
	Duplicate  float64 // a message is delivered twice
	Drop       float64 // a message is lost
	Delay      float64 // a message comes up to 10 minutes late
	NoSweep    float64 // the sweep of a minute does not run
	Skew       int64   // clocks differ by up to this many milliseconds
	IndexLag   int64   // the due index shows changes up to this many milliseconds late
}

// AllFaults is the mix that the default run uses. Each seed has all of them, each up to three times as often or as rarely.
func AllFaults() Faults {
	return Faults{
		Crash: 0.01, Freeze: 0.003, FailBefore: 0.01, FailAfter: 0.01, Repeat: 0.01, Contend: 0.02, Duplicate: 0.05, Drop: 0.05, Delay: 0.05,
		NoSweep: 0.05, Skew: 1000, IndexLag: 20_000,
	}
}

// vary makes each fault up to three times as likely or as unlikely, so that seeds differ in what ails them most.
func (w *world) vary() {
	for _, p := range []*float64{
		&w.faults.Crash, &w.faults.Freeze, &w.faults.FailBefore, &w.faults.FailAfter, &w.faults.Repeat, &w.faults.Contend, &w.faults.Duplicate,
		&w.faults.Drop, &w.faults.Delay, &w.faults.NoSweep,
	} {
		*p *= []float64{0.3, 0.6, 1, 1, 1.7, 3}[w.rng.IntN(6)]
	}
}

// The kinds of faults, as they are counted.
const (
	faultCrash     = "fault: crash between two port calls"
	faultFreeze    = "fault: freeze and thaw"
	faultThrottle  = "fault: throttled, no effect"
	faultLost      = "fault: answer lost after the effect"
	faultRepeat    = "fault: request repeated by the client library"
	faultContend   = "fault: transaction conflict"
	faultDuplicate = "fault: message duplicated"
	faultDrop      = "fault: message lost"
	faultDelay     = "fault: message late"
	faultReorder   = "fault: message overtaken by a later one"
	faultNoSweep   = "fault: sweep that did not run"
	faultSkew      = "fault: clocks apart"
	faultLag       = "fault: due index late"
	faultPoison    = "fault: message that cannot be read"
	faultDeadly    = "fault: process that dies deciding about a step"
)

var faultKinds = []string{
	faultCrash, faultFreeze, faultThrottle, faultLost, faultRepeat, faultContend, faultDuplicate, faultDrop, faultDelay, faultReorder,
	faultNoSweep, faultSkew, faultLag, faultPoison, faultDeadly,
}
