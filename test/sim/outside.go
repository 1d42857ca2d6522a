package sim

import (
	"context"
	"encoding/json"

	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/events"
)

// What the outside service did, as it is counted.
const (
	outsideStart     = "outside: job started"
	outsidePoll      = "outside: job asked for"
	outsideStop      = "outside: job stopped"
	outsideFail      = "fault: outside call failed, no effect"
	outsideNoAnswer  = "fault: outside call took effect, answer lost"
	outsideEvent     = "outside: event delivered"
	outsideLost      = "outside: event of a job never sent"
	outsideEarly     = "outside: event before the start is recorded"
	outsideDuplicate = "outside: event sent more than once"
)

var outsideKinds = []string{
	outsideStart, outsidePoll, outsideStop, outsideFail, outsideNoAnswer, outsideEvent, outsideLost, outsideEarly, outsideDuplicate,
}

// outside is the service that runs the jobs of Simulated steps, as one instance sees it: calls of it fail like those of a
// port, and it tells of the end of a job by events that come through the completion queue.
type outside struct {
	*ports
	step.Simulated
}

// call makes a call of the service with its faults.
func (o *outside) call(kind string, do func() (step.Result, error)) (step.Result, error) {
	w := o.p.w
	o.p.point()
	if w.hit(outsideFail, w.faults.FailBefore) {
		return step.Result{}, errThrottled
	}
	w.counts[kind]++
	r, err := do()
	if err == nil && w.hit(outsideNoAnswer, w.faults.FailAfter) {
		return step.Result{}, errLost
	}
	o.p.point()
	return r, err
}

// Start starts a job. The service tells of its end as the step's param says.
func (o *outside) Start(ctx context.Context, call step.Call) (step.Result, error) {
	return o.call(outsideStart, func() (step.Result, error) {
		o.s.checkJob(o.p, call.StepUUID)
		o.s.announce(o.Simulated, call)
		return o.Simulated.Start(ctx, call)
	})
}

// Poll asks for a job.
func (o *outside) Poll(ctx context.Context, call step.Call) (step.Result, error) {
	return o.call(outsidePoll, func() (step.Result, error) { return o.Simulated.Poll(ctx, call) })
}

// Stop ends a job.
func (o *outside) Stop(ctx context.Context, call step.Call) (step.Result, error) {
	return o.call(outsideStop, func() (step.Result, error) { return o.Simulated.Stop(ctx, call) })
}

// announce sends the events of a job when their time has come. A job that is started again is the same job.
func (s *system) announce(sim step.Simulated, call step.Call) {
	w := s.w
	if s.announced[call.StepUUID] {
		return
	}
	s.announced[call.StepUUID] = true
	list := sim.Events(call)
	switch {
	case len(list) == 0:
		w.counts[outsideLost]++
	case len(list) > 1:
		w.counts[outsideDuplicate]++
	case list[0].At <= call.Now:
		w.counts[outsideEarly]++
	}
	for _, e := range list {
		raw, err := json.Marshal(e.Result)
		if err != nil {
			w.fail("event of job %s: %v", call.StepUUID, err)
			return
		}
		c := events.Completion{
			UUID: call.StepUUID, Workflow: call.WorkflowID, Instance: call.InstanceID, Run: call.RunID, Step: call.StepID,
			Attempt: call.AttemptID, Result: raw,
		}
		body, err := c.Encode()
		if err != nil {
			w.fail("event of job %s: %v", call.StepUUID, err)
			return
		}
		w.after(e.At-w.now, func() {
			w.counts[outsideEvent]++
			s.enqueue(queue.Complete, queue.Message{Body: body})
		})
	}
}
