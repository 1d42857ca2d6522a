package definition

import (
	"github.com/downbeat/downbeat/core/dag"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/wire"
)

// User names a person or a system. It is written in the form in which it was given.
type User struct {
	Name     string
	IsObject bool
	Extras   []wire.Field // of an object, nulls dropped
}

// NamedUser is a user given as a text, as callers are.
func NamedUser(name string) User { return User{Name: name} }

// GitInfo says where a definition came from. Every member is optional.
type GitInfo struct {
	Origin, Branch, SHA, Path, Author *string
	Timestamp                         *int64
	UncommittedChanges                *bool
}

// Criticality is how much a workflow matters. It is stored and shown, nothing acts on it.
type Criticality string

// FailureMode says what the fatal failure of a step does to its run. "" is FailAfterRunning.
type FailureMode string

// The failure modes (workflow-definition.md 6.4).
const (
	FailAfterRunning FailureMode = "FAIL_AFTER_RUNNING"
	FailImmediately  FailureMode = "FAIL_IMMEDIATELY"
	IgnoreFailure    FailureMode = "IGNORE_FAILURE"
)

var (
	criticalities = []string{"CRITICAL", "HIGH", "MEDIUM", "LOW"}
	failureModes  = []string{string(FailAfterRunning), string(FailImmediately), string(IgnoreFailure)}
)

// Workflow is a definition as it was parsed. nil members were absent; empty ones were given.
type Workflow struct {
	ID                      string
	Name                    *string
	Description             *string
	Tags                    param.Tags
	Timeout                 *ParsableLong
	TimeTriggers            []TimeTrigger
	SignalTriggers          []SignalTrigger
	Criticality             Criticality
	InstanceStepConcurrency *int64
	Params                  *param.Definitions
	Steps                   []*Step

	// size is about how many bytes it has as JSON, 0 if that is not known: large ones are written without growing.
	size int
}

// DisplayName is the name, or the id of a workflow without one.
func (w *Workflow) DisplayName() string {
	if w.Name != nil {
		return *w.Name
	}
	return w.ID
}

// Step finds a top-level step by its id; nil when there is none.
func (w *Workflow) Step(id string) *Step {
	for _, s := range w.Steps {
		if s.ID == id {
			return s
		}
	}
	return nil
}

// Nodes are the top-level steps as a graph.
func (w *Workflow) Nodes() []dag.Node { return Nodes(w.Steps) }

// Nodes are the steps of one level as a graph.
func Nodes(steps []*Step) []dag.Node {
	nodes := make([]dag.Node, len(steps))
	for i, s := range steps {
		nodes[i] = dag.Node{ID: s.ID, Transition: s.Transition}
	}
	return nodes
}

// Step is the definition of a step of any form. Members that its form does not have are nil.
type Step struct {
	Form               Form
	ID                 string
	Name               *string
	Description        *string
	Transition         dag.Transition
	Type               StepType // of TypedForm as given, "" when absent; for the others what their form says
	SubType            *string
	SubTypeVersion     *string
	FailureMode        FailureMode
	RetryPolicy        *RetryPolicy
	Tags               param.Tags
	Timeout            *ParsableLong
	SignalDependencies []*SignalDependency
	SignalOutputs      []*SignalOutput
	Concurrency        *int64  // foreach
	StrictOrdering     *bool   // foreach; default false
	Condition          *string // while
	Sync               *bool   // subworkflow; default true
	ExplicitParams     *bool   // subworkflow; default false
	Params             *param.Definitions
	Steps              []*Step // body of foreach and while
}

// IsSync tells whether a subworkflow step waits for its child.
func (s *Step) IsSync() bool { return s.Sync == nil || *s.Sync }

// HasExplicitParams tells whether a subworkflow step passes only its own params.
func (s *Step) HasExplicitParams() bool { return s.ExplicitParams != nil && *s.ExplicitParams }

// IsStrictOrdering tells whether the concurrency of a foreach step is a sliding window.
func (s *Step) IsStrictOrdering() bool { return s.StrictOrdering != nil && *s.StrictOrdering }

// TriggerType is the type of a time trigger.
type TriggerType string

// The types of time triggers. Interval is read and always refused by validation.
const (
	CronTrigger       TriggerType = "CRON"
	PredefinedTrigger TriggerType = "PREDEFINED"
	IntervalTrigger   TriggerType = "INTERVAL"
)

// TimeTrigger starts the active version at certain times.
type TimeTrigger struct {
	Type          TriggerType
	Cron          *string // CRON
	Expression    string  // PREDEFINED: `@daily`; "" when absent
	Timezone      *string // nil and "": UTC
	FuzzyMaxDelay *ParsableLong
	Interval      *string // INTERVAL
}

// SignalTrigger starts the active version when instances of all its signals have arrived.
type SignalTrigger struct {
	Definitions    []NamedSignalEntry
	HasDefinitions bool // false when absent or null
	Params         *param.Definitions
	Condition      string // "" is none
	DedupExpr      string // "" is none
}

// NamedSignalEntry is what a trigger asks of one signal. A nil Entry was null.
type NamedSignalEntry struct {
	Name  string
	Entry *SignalEntry
}

// SignalEntry are the conditions on one signal of a trigger.
type SignalEntry struct {
	MatchParams []NamedSignalMatch
	JoinKeys    []*string // nil elements were null
}

// NamedSignalMatch compares a param of a signal with a value.
type NamedSignalMatch struct {
	Name     string
	Value    *SignalValue // nil when absent
	Operator Operator     // "" when absent
}

// SignalValue is a value of a signal param: a long or a text.
type SignalValue struct {
	IsText bool
	Long   int64
	Text   string
}

// Operator compares a signal param.
type Operator string

// The operators.
const (
	Equal          Operator = "="
	Greater        Operator = ">"
	GreaterOrEqual Operator = ">="
	Less           Operator = "<"
	LessOrEqual    Operator = "<="
)

// IsRange tells whether the operator is not Equal.
func (o Operator) IsRange() bool { return o != Equal && o != "" }

func parseOperator(code string) (Operator, bool) {
	switch o := Operator(code); o {
	case Equal, Greater, GreaterOrEqual, Less, LessOrEqual:
		return o, true
	}
	return "", false
}

// SignalDependency is a signal that a step waits for.
type SignalDependency struct {
	Name        *string
	MatchParams []NamedMatchParam
}

// NamedMatchParam compares a param of a signal with a parameter of type LONG or STRING.
type NamedMatchParam struct {
	Name     string
	Param    *param.Definition
	Operator Operator
}

// SignalOutput is a signal that a step announces when it succeeds.
type SignalOutput struct {
	Name    *string
	Params  *param.Definitions
	Payload *param.Definitions // stored, never sent
}
