package sim

import (
	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/lane"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
)

// model is what the invariants remember of what was written and answered.
type model struct {
	reader *app.App // an instance of their own, whose calls take no time and never fail

	// answered are the starts that a client was told the number of, promised those that it was told are numbered, triggered
	// those whose message a queue took.
	answered  map[string]store.RunID
	promised  map[string]string // workflow by request id
	triggered map[string]string
	refused   map[string]bool
	inDoubt   map[string]bool // of triggered: their message reached the dead-letter queue
	ids       []string        // the workflows of this seed

	runs    int                            // that were ever made
	heads   map[store.RunID]*store.RunHead // as last written; without the deleted ones
	due     map[store.RunID]int64          // of the heads, 0 when nothing is due
	deleted map[store.RunID]bool
	gone    map[string]bool       // the starts of deleted runs
	newest  map[store.RunID]int64 // newest run of an instance, whose Run is 0 in the key
	// attempts by uuid, as last committed; holding is the one that held a permit last, by its name.
	attempts map[string]attempt
	holding  map[string]string
	seen     map[string]map[engine.StepStatus]bool // what an attempt was committed in, where events are published
	runSeen  map[store.RunID]map[engine.InstanceStatus]bool

	lanes map[string]*laneModel
	flows map[string]*flowModel
	pages map[table.Key]bool // that are stored
	// pushes are the versions that were answered to a push, by internal id and number.
	pushes map[[2]int64]bool

	times *timesModel // nil where no workflow has time triggers

	claims map[string]claim // of the outside work of attempts, by uuid
	jobs   map[string]claim // under which jobs were started

	limitedSince map[string]int64 // when a tag got the limit that it has had since, in one form or another
	grantedAt    map[string]int64 // since when a holder has been one, by uuid
	poison       int              // messages that nobody can read and that are not yet in a dead-letter queue
	closing      bool             // the faults have stopped
	// changed tells that something was written since rest was found out.
	changed, rest bool
}

// attempt is what is remembered of an attempt.
type attempt struct {
	run    store.RunID
	step   string
	number int64
	status engine.StepStatus
	holds  bool
	permit string // under which name
	tags   []engine.PermitTag
}

// claim is a claim of an attempt: who made it, and when.
type claim struct {
	by *proc
	at int64 // as the claim has it: who stood still before the write has claimed in the past
}

// laneModel is what is remembered of a lane.
type laneModel struct {
	last *lane.Lane
	// strategies that were in force at some time since the lane was last written: a decision may go by any of them.
	strategies []lane.Strategy
	// blocking are the failed instances that blocked the queue when the lane was last written.
	blocking map[int64]bool
}

// flowModel is what is remembered of a workflow's definition.
type flowModel struct {
	internalID int64 // 0: does not exist
	latest     int64
}

func newModel() model {
	m := model{
		answered: map[string]store.RunID{}, promised: map[string]string{}, triggered: map[string]string{}, refused: map[string]bool{}, inDoubt: map[string]bool{},
		heads: map[store.RunID]*store.RunHead{}, due: map[store.RunID]int64{}, deleted: map[store.RunID]bool{}, gone: map[string]bool{}, newest: map[store.RunID]int64{},
		attempts: map[string]attempt{}, holding: map[string]string{}, seen: map[string]map[engine.StepStatus]bool{}, runSeen: map[store.RunID]map[engine.InstanceStatus]bool{},
		lanes: map[string]*laneModel{}, flows: map[string]*flowModel{}, pages: map[table.Key]bool{}, pushes: map[[2]int64]bool{}, limitedSince: map[string]int64{}, grantedAt: map[string]int64{},
		claims: map[string]claim{}, jobs: map[string]claim{},
	}
	for _, wf := range workflowIDs {
		m.lanes[wf] = &laneModel{last: &lane.Lane{}, strategies: []lane.Strategy{{Rule: lane.Sequential, Concurrency: 1}}, blocking: map[int64]bool{}}
		m.flows[wf] = &flowModel{}
	}
	return m
}
