package step

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"

	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/timeline"
)

// SimulatedType is the text of the step type Simulated.
const SimulatedType = "Simulated"

// SimulatedArtifact is the key of the artifact of a simulated step.
const SimulatedArtifact = "downbeat_simulated"

// Simulated is the runtime of a step type of our own, which Maestro does not have: a job on a service that is not there.
// It stands for the job services of AWS in tests, simulations and benchmarks, and does what these do to an engine: the
// job takes time, ends in one of several ways, and the service tells so once, twice, too early or not at all.
//
// The params of the step:
//
//	job_duration  LONG          milliseconds from STARTING to the end of the job [1000]
//	job_jitter    LONG          up to so many milliseconds more, by the step uuid [0]
//	outcome       STRING_ARRAY  the state in which the job of attempt 1, 2, … ends; later attempts end like the last one.
//	                            Any state but CONTINUE; a STRING is a list of one [DONE]
//	event         STRING        NORMAL, LOST, EARLY or DUPLICATE: see Events [NORMAL]
//
// A param of another type or value is FATAL_ERROR. Params that are absent or null have the value in brackets.
//
// All of it follows from the params, the step uuid and the attempt's start time, and nothing is kept: two calls with
// equal arguments give equal answers, and a Start that is repeated finds the same job. Time is Call.Now alone.
type Simulated struct {
	// Hint lets Poll say when the job will have ended (Result.NextPollMillis), as no real service does: for processes in
	// which nobody delivers Events.
	Hint bool
}

// SimulatedEvent is what the service tells of a job, and when.
type SimulatedEvent struct {
	At     int64  // epoch milliseconds
	Result Result // what Check gives for the attempt at this time
}

// simulatedJob is the job of one attempt.
type simulatedJob struct {
	id      string
	end     int64
	outcome State
	event   string
}

// repeatMillis is after what time a repeated event of a simulated job comes for the last time.
const repeatMillis = 60_000

// Start begins the job.
func (s *Simulated) Start(_ context.Context, call Call) (Result, error) {
	job, err := readSimulatedJob(call)
	if err != nil {
		return failure(FatalError, call.Now, "simulated job cannot be started", err), nil
	}
	r := Result{
		State:     Continue,
		Artifacts: Artifacts{job.artifact("RUNNING", 0)},
		Timeline:  []timeline.Event{timeline.Line(call.Now, "simulated job %s was started", job.id)},
	}
	if s.Hint {
		r.NextPollMillis = max(1, job.end-call.Now)
	}
	return r, nil
}

// Poll tells whether the job has ended.
func (s *Simulated) Poll(_ context.Context, call Call) (Result, error) {
	job, err := readSimulatedJob(call)
	if err != nil {
		return failure(FatalError, call.Now, "simulated job cannot be found", err), nil
	}
	if call.Now >= job.end {
		return job.ended(call.Now), nil
	}
	r := Result{State: Continue}
	if s.Hint {
		r.NextPollMillis = job.end - call.Now
	}
	return r, nil
}

// Stop ends the job, if there is one.
func (s *Simulated) Stop(_ context.Context, call Call) (Result, error) {
	job, err := readSimulatedJob(call)
	if err != nil {
		return Result{State: Stopped}, nil // it was never started
	}
	if call.Now >= job.end {
		return Result{State: Stopped, Timeline: []timeline.Event{timeline.Line(call.Now, "simulated job %s had ended before it was stopped", job.id)}}, nil
	}
	return Result{
		State:     Stopped,
		Artifacts: Artifacts{job.artifact("STOPPED", call.Now)},
		Timeline:  []timeline.Event{timeline.Line(call.Now, "simulated job %s was stopped", job.id)},
	}, nil
}

// Events gives what the service tells of the attempt's job, in order of time, by the param event:
//
//	NORMAL     once, when the job ends
//	LOST       nothing: only a poll finds the end
//	EARLY      the job ends at STARTING, whatever its duration, and is told of at once: before the start is recorded
//	DUPLICATE  three times: twice when the job ends, and once a minute later
//
// A job that could not be started has none.
func (s *Simulated) Events(call Call) []SimulatedEvent {
	job, err := readSimulatedJob(call)
	if err != nil || job.event == "LOST" {
		return nil
	}
	times := []int64{job.end}
	if job.event == "DUPLICATE" {
		times = []int64{job.end, job.end, job.end + repeatMillis}
	}
	out := make([]SimulatedEvent, len(times))
	for i, at := range times {
		r := job.ended(at)
		r.Running = true
		out[i] = SimulatedEvent{At: at, Result: r}
	}
	return out
}

func (j *simulatedJob) ended(now int64) Result {
	return Result{
		State:     j.outcome,
		Artifacts: Artifacts{j.artifact(j.outcome.String(), j.end)},
		Timeline:  []timeline.Event{timeline.Line(now, "simulated job %s has ended: %s", j.id, j.outcome)},
	}
}

// artifact has the type DEFAULT, so that the last one is merged into the first.
func (j *simulatedJob) artifact(status string, end int64) Artifact {
	out := appendText([]byte(`{"job_id":`), j.id)
	out = append(out, `,"status":"`+status+`"`...)
	if end != 0 {
		out = strconv.AppendInt(append(out, `,"end_time":`...), end, 10)
	}
	return Artifact{Key: SimulatedArtifact, JSON: append(out, '}')}
}

func readSimulatedJob(call Call) (simulatedJob, error) {
	job := simulatedJob{id: "sim-" + call.StepUUID, outcome: Done, event: "NORMAL"}
	duration, err := millisParam(call.StepParams, "job_duration", 1000)
	if err != nil {
		return job, err
	}
	jitter, err := millisParam(call.StepParams, "job_jitter", 0)
	if err != nil {
		return job, err
	}
	if jitter > 0 {
		h := fnv.New64a()
		h.Write([]byte(call.StepUUID))
		duration += int64(h.Sum64() % uint64(jitter+1))
	}
	outcomes := call.StepParams["outcome"].Result
	var names []string
	switch {
	case outcomes.IsNull():
		names = []string{Done.String()}
	case outcomes.Type() == sel.TypeString:
		names = []string{outcomes.AsString()}
	case outcomes.Type() == sel.TypeStringArray && outcomes.Len() > 0:
		names, _ = outcomes.AsStrings()
	default:
		return job, fmt.Errorf("param outcome: must be a STRING_ARRAY that is not empty")
	}
	name := names[min(max(call.AttemptID, 1), int64(len(names)))-1]
	outcome, ok := ParseState(name)
	if !ok || outcome == Continue {
		return job, fmt.Errorf("param outcome: %q is no state in which a job ends", name)
	}
	job.outcome = outcome
	if event := call.StepParams["event"].Result; !event.IsNull() {
		job.event = event.AsString()
	}
	switch job.event {
	case "NORMAL", "LOST", "DUPLICATE":
	case "EARLY":
		duration = 0
	default:
		return job, fmt.Errorf("param event: %q: must be NORMAL, LOST, EARLY or DUPLICATE", job.event)
	}
	job.end = call.StartTime + duration
	return job, nil
}

// maxJobMillis bounds the times of a simulated job: a year.
const maxJobMillis = 366 * 24 * 3600 * 1000

func millisParam(params Params, name string, absent int64) (int64, error) {
	v := params[name].Result
	if v.IsNull() {
		return absent, nil
	}
	if v.Type() != sel.TypeLong || v.AsLong() < 0 || v.AsLong() > maxJobMillis {
		return 0, fmt.Errorf("param %s: must be a LONG from 0 to %d", name, maxJobMillis)
	}
	return v.AsLong(), nil
}
