package engine

import (
	"fmt"
	"testing"

	"github.com/downbeat/downbeat/core/param"
)

func chain(n int) []testStep {
	var steps []testStep
	for i := range n {
		line := fmt.Sprintf("s%d", i)
		if i+1 < n {
			line += fmt.Sprintf(" -> s%d", i+1)
		}
		steps = append(steps, parseTestStep(nil, line))
	}
	return steps
}

func fan(n int) []testStep {
	line := "first -> "
	var steps []testStep
	for i := range n {
		line += fmt.Sprintf("s%d,", i)
		steps = append(steps, parseTestStep(nil, fmt.Sprintf("s%d -> last", i)))
	}
	return append(append([]testStep{parseTestStep(nil, line)}, steps...), parseTestStep(nil, "last"))
}

func BenchmarkDecide(b *testing.B) {
	for _, c := range []struct {
		name  string
		steps []testStep
	}{{"chain-100", chain(100)}, {"chain-300", chain(300)}, {"fan-300", fan(300)}} {
		b.Run(c.name, func(b *testing.B) {
			body := testBody(b, c.steps)
			env := newTestEnv()
			b.ReportAllocs()
			for b.Loop() {
				st := NewState(body)
				d, err := Decide(st, []Input{Begin{}}, env)
				if err != nil || !d.Ended {
					b.Fatal(err, "not ended")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(c.steps)), "ns/step")
		})
	}
}

// BenchmarkPlanStart evaluates the built-in params of a run and orders its steps.
func BenchmarkPlanStart(b *testing.B) {
	v := Version{InternalID: 10000, VersionID: 1, Workflow: workflow(b, twoSteps)}
	r := StartRequest{Initiator: manual("ann"), RequestID: "r", RunParams: defs("limit", param.Long(90))}
	env := newTestEnv()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := PlanStart(v, r, env); err != nil {
			b.Fatal(err)
		}
	}
}
