package definition

import (
	"errors"
	"fmt"
	"strings"
)

// Rule says how the instances of one workflow queue.
type Rule string

// The rules (workflow-definition.md 4.3).
const (
	Sequential       Rule = "SEQUENTIAL"         // one at a time; a failure does not stop the next
	StrictSequential Rule = "STRICT_SEQUENTIAL"  // one at a time; a failure blocks the queue
	FirstOnly        Rule = "FIRST_ONLY"         // while one runs, new ones are stopped
	LastOnly         Rule = "LAST_ONLY"          // a new one stops all others
	Parallel         Rule = "PARALLEL"           // up to WorkflowConcurrency at a time
	SerialLatestOnly Rule = "SERIAL_LATEST_ONLY" // one at a time; only the newest stays queued
)

// DefaultParallelConcurrency is the concurrency of Parallel when none is given; that of the others is 1.
const DefaultParallelConcurrency = 20

// RunStrategy is a rule with its concurrency, which is above 1 for Parallel only.
type RunStrategy struct {
	Rule                Rule
	WorkflowConcurrency int64
}

// DefaultRunStrategy is that of a workflow without one.
func DefaultRunStrategy() RunStrategy { return RunStrategy{Sequential, 1} }

// String names the strategy in messages.
func (s RunStrategy) String() string {
	return fmt.Sprintf("RunStrategy(rule=%s, workflowConcurrency=%d)", s.Rule, s.WorkflowConcurrency)
}

// ParseRule reads a rule in any letter case.
func ParseRule(name string) (Rule, bool) {
	for _, r := range []Rule{Sequential, StrictSequential, FirstOnly, LastOnly, Parallel, SerialLatestOnly} {
		if strings.EqualFold(name, string(r)) {
			return r, true
		}
	}
	return "", false
}

// NewRunStrategy makes a strategy; a nil concurrency is the rule's default. Its error is that of a
// concurrency above 1 for another rule than Parallel. The range is checked when properties are.
func NewRunStrategy(rule Rule, concurrency *int64) (RunStrategy, error) {
	s := RunStrategy{Rule: rule, WorkflowConcurrency: 1}
	if rule == Parallel {
		s.WorkflowConcurrency = DefaultParallelConcurrency
	}
	if concurrency != nil {
		s.WorkflowConcurrency = *concurrency
	}
	if rule != Parallel && s.WorkflowConcurrency > 1 {
		return s, errors.New("Only PARALLEL run strategy allows a workflow_concurrency greater than 1 ")
	}
	return s, nil
}
