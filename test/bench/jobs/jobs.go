package jobs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/table"
)

// Prices in dollars, us-east-1: per million write units, read units, queue requests, entries of the event bus and
// invocations, and per GB-second of arm64. An invocation is priced as 30 ms at 256 MB.
const (
	priceWrite      = 0.625
	priceRead       = 0.125
	priceQueue      = 0.40
	priceEntry      = 1.00
	priceInvocation = 0.20 + 0.030*0.25*13.3334
)

// Workload is what is measured.
type Workload struct {
	Name     string
	Runs     int
	Workflow string // JSON of the workflow without id; PROPERTIES of it besides the owner
	Extra    string
	Steps    int    // external steps of a run
	Tag      string // if set, the tag-permit request that is made first
	Publish  bool   // status events are published
	// The budget of a step; 0: none.
	WriteUnits, Requests, Invocations, Dollars float64
}

// Row is what came of it, per external step.
type Row struct {
	Workload    string  `json:"workload"`
	Steps       int     `json:"steps"`
	Seconds     float64 `json:"seconds"` // from the first start to the last end
	WriteUnits  float64 `json:"write_units_per_step"`
	ReadUnits   float64 `json:"read_units_per_step"`
	Requests    float64 `json:"queue_requests_per_step"`
	Invocations float64 `json:"invocations_per_step"`
	Lost        float64 `json:"lost_writes_per_step"`
	Entries     float64 `json:"bus_entries_per_step"` // of up to 64 KB
	Dollars     float64 `json:"dollars_per_million_steps"`
	Dead        int     `json:"dead_letters"`
	// Spent are the units by operation and kind of item, and the messages by queue, all per step.
	Spent map[string]float64 `json:"spent,omitempty"`
	// Over names what exceeds its budget.
	Over []string `json:"over_budget,omitempty"`
}

const (
	job = `"type":"Simulated","params":{"job_duration":{"type":"LONG","value":100}}`
	// long is a job of which all that are started within a second end within one.
	long = `"type":"Simulated","params":{"job_duration":{"type":"LONG","value":2000}}`
)

func chain(n int) string {
	var out []string
	for i := range n {
		next := ""
		if i+1 < n {
			next = fmt.Sprintf(`"s%d":"true"`, i+1)
		}
		out = append(out, fmt.Sprintf(`{"step":{"id":"s%d",%s,"transition":{"successors":{%s}}}}`, i, job, next))
	}
	return strings.Join(out, ",")
}

func wide(n int, job string) string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf(`{"step":{"id":"s%d",%s}}`, i, job))
	}
	return strings.Join(out, ",")
}

// Workloads are those of external steps, with the budgets of their steps.
func Workloads() []Workload {
	const lone = `"run_strategy":{"rule":"PARALLEL","workflow_concurrency":1000}`
	const many = lone + `,"step_concurrency":1000`
	return []Workload{
		{Name: "chain of 20 jobs", Runs: 1, Workflow: `"steps":[` + chain(20) + `]`, Extra: lone, Steps: 20,
			WriteUnits: 6, Requests: 6, Invocations: 2, Dollars: 7},
		{Name: "chain of 20 jobs, events published", Runs: 1, Workflow: `"steps":[` + chain(20) + `]`, Extra: lone, Steps: 20, Publish: true},
		{Name: "300 jobs at once", Runs: 1, Workflow: `"steps":[` + wide(300, long) + `]`, Extra: many, Steps: 300,
			WriteUnits: 4, Requests: 3, Invocations: 1, Dollars: 4.5},
		{Name: "300 jobs at once, events published", Runs: 1, Workflow: `"steps":[` + wide(300, long) + `]`, Extra: many, Steps: 300, Publish: true},
		{Name: "300 jobs, 20 permits", Runs: 1, Workflow: `"steps":[` + wide(300, job) + `]`, Extra: lone, Steps: 300, WriteUnits: 9},
		{Name: "50 runs of 1 job, a tag with 10 permits", Runs: 50, Steps: 1, Extra: many, WriteUnits: 19, Tag: `{"tag":"scarce","max_allowed":10}`,
			Workflow: `"steps":[{"step":{"id":"only",` + job + `,"tags":["scarce"]}}]`},
	}
}

// Measure runs a workload.
func Measure(w Workload, seed uint64) (Row, error) {
	c := newCloud(seed)
	c.publish = w.Publish
	var began int64
	var before cloud
	var kinds map[string]table.Units
	c.spawn(0, func() {
		c.post("workflows", `{"properties":{"owner":"bench",`+w.Extra+`},"workflow":{"id":"w",`+w.Workflow+`}}`)
		if w.Tag != "" {
			c.post("tag-permits", w.Tag)
		}
		c.sleep(time.Second)
		began, before, kinds = c.now, *c, maps.Clone(c.byKind)
		c.open = w.Runs
		for range w.Runs {
			c.spawn(0, func() { c.post("workflows/w/versions/latest/actions/start", `{"initiator":{"type":"manual"}}`) })
		}
		c.sweep()
	})
	c.run()
	switch {
	case c.failed != nil:
		return Row{}, c.failed
	case c.ended[engine.InstanceSucceeded] != w.Runs:
		return Row{}, fmt.Errorf("%s: runs ended as %v, %d of %d succeeded", w.Name, c.ended, c.ended[engine.InstanceSucceeded], w.Runs)
	}
	steps := float64(w.Runs * w.Steps)
	r := Row{
		Workload: w.Name, Steps: w.Runs * w.Steps, Seconds: float64(c.lastEnd-began) / 1e6,
		WriteUnits: (c.units.Write - before.units.Write) / steps, ReadUnits: (c.units.Read - before.units.Read) / steps,
		Requests: float64(c.requests-before.requests) / steps, Invocations: float64(c.invocations-before.invocations) / steps,
		Lost: float64(c.lost-before.lost) / steps, Entries: float64(c.entries-before.entries) / steps, Dead: c.dead, Spent: map[string]float64{},
	}
	for kind, u := range c.byKind {
		r.Spent[kind] = (u.Read + u.Write - kinds[kind].Read - kinds[kind].Write) / steps
	}
	for name, n := range c.byQueue {
		r.Spent["message "+string(name)] = float64(n) / steps
	}
	r.Dollars = r.WriteUnits*priceWrite + r.ReadUnits*priceRead + r.Requests*priceQueue + r.Entries*priceEntry + r.Invocations*priceInvocation
	for _, b := range []struct {
		name        string
		got, budget float64
	}{
		{"write units", r.WriteUnits, w.WriteUnits}, {"queue requests", r.Requests, w.Requests},
		{"invocations", r.Invocations, w.Invocations}, {"dollars", r.Dollars, w.Dollars},
	} {
		if b.budget != 0 && b.got > b.budget {
			r.Over = append(r.Over, fmt.Sprintf("%s %.2f > %.2f", b.name, b.got, b.budget))
		}
	}
	return r, nil
}

// Lines are Spent as text.
func (r Row) Lines() []string {
	var out []string
	for _, kind := range slices.Sorted(maps.Keys(r.Spent)) {
		out = append(out, fmt.Sprintf("%8.2f %s", r.Spent[kind], kind))
	}
	return out
}
