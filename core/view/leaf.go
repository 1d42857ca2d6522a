package view

import (
	"strconv"
	"strings"

	"github.com/downbeat/downbeat/core/engine"
)

// Leaf is an attempt of a step that lies in loops, at one iteration of each: an entry of the flattened views (api.md 19
// of Maestro's contract).
type Leaf struct {
	Body    *engine.Body // of the innermost iteration's run
	Attempt *engine.Attempt
	// Params are the values that the loop params of the foreach steps around have there, from the outermost. While steps
	// add none.
	Params []LoopValue
}

// LoopValue is the value of a loop param as text.
type LoopValue struct{ Name, Text string }

// path leads from the step of the nearest workflow that is no loop's body down to the leaf.
func (l *Leaf) path() []engine.Ancestor {
	return append(l.Body.Initiator.Inline(), engine.Ancestor{
		WorkflowID: l.Body.WorkflowID, InstanceID: l.Body.InstanceID, RunID: l.Body.RunID, StepID: l.Attempt.StepID, AttemptID: l.Attempt.AttemptID,
	})
}

// Rank names the iterations that the leaf lies in, so that ranks order as texts like the iterations do as numbers.
func (l *Leaf) Rank() string {
	rank := ""
	for _, p := range l.path()[1:] {
		rank = JoinRank(rank, p.InstanceID)
	}
	return rank
}

// RootRun is the run of the nearest workflow that is no loop's body for which the leaf ran.
func (l *Leaf) RootRun() int64 { return l.path()[0].RunID }

// JoinRank adds the number of an iteration to the rank of the iterations around it, which is empty for none.
func JoinRank(outer string, iteration int64) string {
	digits := strconv.FormatInt(iteration, 10)
	rank := strings.ToUpper(strconv.FormatInt(int64(len(digits)), 36)) + digits
	if outer == "" {
		return rank
	}
	return outer + "-" + rank
}

// seq orders the attempts at one rank: of two the larger text is the newer one.
func (l *Leaf) seq() string {
	seq := ""
	for _, p := range l.path() {
		seq = JoinRank(JoinRank(seq, p.RunID), p.AttemptID)
	}
	return seq
}

// AppendLeaf appends an entry.
func AppendLeaf(b []byte, l *Leaf) []byte {
	w := newWriter(b)
	w.leaf(l)
	return w.Bytes()
}

func (w *writer) leaf(l *Leaf) {
	path := l.path()
	root, leaf := path[0], path[len(path)-1]
	w.Open()
	w.Str("workflow_id", root.WorkflowID)
	w.Long("workflow_instance_id", root.InstanceID)
	w.Long("workflow_run_id", root.RunID)
	w.Str("step_id", leaf.StepID)
	w.Str("iteration_rank", l.Rank())
	w.Str("step_attempt_seq", l.seq())
	w.Object("leaf_step_instance_ref")
	w.Str("workflow_id", leaf.WorkflowID)
	w.Long("workflow_instance_id", leaf.InstanceID)
	w.Long("workflow_run_id", leaf.RunID)
	w.Str("step_id", leaf.StepID)
	w.Long("step_attempt_id", leaf.AttemptID)
	w.Close()
	w.Object("loop_params")
	for _, p := range l.Params {
		w.Str(p.Name, p.Text)
	}
	w.Close()
	w.runtimeState("step_runtime_state", l.Attempt)
	w.Close()
}

// LeafPage is a page of entries in rising order.
type LeafPage struct {
	Leaves        []*Leaf
	Before, After bool // there are more on that side
}

// AppendLeafPage appends the page. encode makes a cursor of a rank.
func AppendLeafPage(b []byte, p LeafPage, encode func(rank string) string) []byte {
	w := newWriter(b)
	w.Open()
	w.Object("page_info")
	if n := len(p.Leaves); n == 0 {
		w.Null("start_cursor")
		w.Null("end_cursor")
	} else {
		w.Str("start_cursor", encode(p.Leaves[0].Rank()))
		w.Str("end_cursor", encode(p.Leaves[n-1].Rank()))
	}
	w.Bool("has_previous_page", p.Before)
	w.Bool("has_next_page", p.After)
	w.Null("start_index")
	w.Close()
	w.Long("total_count", int64(len(p.Leaves)))
	w.List("elements")
	for _, l := range p.Leaves {
		w.leaf(l)
	}
	w.CloseList()
	w.Close()
	return w.Bytes()
}

// summaryRows is from how many entries at most a summary takes the values of loop params.
const summaryRows = 100

// LeafSummary gathers entries, which are added in rising order.
type LeafSummary struct {
	Values int // how many values of each loop param are shown; 0 shows none
	// Representative and Counts say what is shown besides.
	Representative, Counts bool

	rows   int
	first  *Leaf
	counts [engine.NumStepStatuses]int64
	params []loopValues
}

type loopValues struct {
	name   string
	values []string
}

// Add takes an entry in.
func (s *LeafSummary) Add(l *Leaf) {
	s.rows++
	s.counts[l.Attempt.Status]++
	if s.first == nil || attention[l.Attempt.Status] > attention[s.first.Attempt.Status] {
		s.first = l
	}
	if s.rows > summaryRows {
		return
	}
	for _, p := range l.Params {
		s.addValue(p)
	}
}

func (s *LeafSummary) addValue(p LoopValue) {
	for i := range s.params {
		v := &s.params[i]
		if v.name != p.Name {
			continue
		}
		for _, text := range v.values {
			if text == p.Text {
				return
			}
		}
		if len(v.values) < s.Values {
			v.values = append(v.values, p.Text)
		}
		return
	}
	s.params = append(s.params, loopValues{p.Name, []string{p.Text}})
}

// AppendJSON appends the summary.
func (s *LeafSummary) AppendJSON(b []byte) []byte {
	w := newWriter(b)
	w.Open()
	if s.Values > 0 {
		w.Object("loop_param_values")
		for _, p := range s.params {
			w.Strs(p.name, p.values)
		}
		w.Close()
	}
	if s.Counts {
		w.Object("count_by_status")
		for status, n := range s.counts {
			if n > 0 {
				w.Long(engine.StepStatus(status).String(), n)
			}
		}
		w.Close()
	}
	if s.Representative && s.first != nil {
		w.Key("representative_iteration")
		w.leaf(s.first)
	}
	w.Close()
	return w.Bytes()
}

// attention orders the statuses by how much a step in it asks for somebody's attention (api.md 19.4).
var attention = [engine.NumStepStatuses]int{
	engine.StepSucceeded: 10, engine.StepUnsatisfied: 20, engine.StepNotCreated: 30, engine.StepDisabled: 40, engine.StepSkipped: 50,
	engine.StepFinishing: 60, engine.StepStarting: 70, engine.StepInitialized: 80, engine.StepCreated: 90, engine.StepCompletedWithError: 100,
	engine.StepStopped: 110, engine.StepRunning: 120, engine.StepWaitingForPermits: 130, engine.StepEvaluatingParams: 140,
	engine.StepWaitingForSignals: 150, engine.StepTimedOut: 160, engine.StepInternallyFailed: 170, engine.StepFatallyFailed: 180,
	engine.StepPlatformFailed: 190, engine.StepUserFailed: 200, engine.StepTimeoutFailed: 201, engine.StepPaused: 210,
}
