package app_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/permit"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/events"
)

// poke puts a poke into the queue.
func (s *system) poke(kind, workflow string, instance, run int64) {
	body := events.Poke{Kind: kind, Workflow: workflow, Instance: instance, Run: run}.Encode()
	s.messages = append(s.messages, message{queue: queue.Advance, body: body, at: s.now})
}

// TestFates: each kind of message that cannot be carried out has its fate.
func TestFates(t *testing.T) {
	s := newSystem(t)
	s.push("w", sequential, chain)
	s.mustStart("w", request1)
	completion, err := events.Completion{UUID: "u", Workflow: "gone", Instance: 1, Run: 1, Step: "a", Attempt: 1, Result: []byte(`{"format": 1, "state": "DONE"}`)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		queue queue.Name
		body  string
		fate  app.Fate
		count string
	}{
		{"a poke that says nothing new", queue.Advance, string(events.Poke{Kind: "run", Workflow: "w", Instance: 1, Run: 1}.Encode()), app.Done, app.CountDone},
		{"unreadable", queue.Advance, "?", app.Retry, app.CountRetried},
		{"unknown kind", queue.Advance, `{"v": 1, "kind": "wish", "wf": "w"}`, app.Retry, app.CountRetried},
		{"newer format", queue.Advance, `{"v": 99, "kind": "run"}`, app.Later, app.CountRetried},
		{"unreadable work", queue.Execute, "[]", app.Retry, app.CountRetried},
		{"work of a run that is gone", queue.Execute, string(events.Work{Op: "start", Workflow: "gone", Instance: 1, Run: 1, Step: "a", Attempt: 1, UUID: "u"}.Encode()), app.Dropped, app.CountDropped},
		{"work of a step that has ended", queue.Execute, string(events.Work{Op: "start", Workflow: "w", Instance: 1, Run: 1, Step: "job.1", Attempt: 1, UUID: "u"}.Encode()), app.Done, app.CountDone},
		{"a start without a body", queue.Trigger, `{"v": 1, "wf": "w", "req": "r"}`, app.Retry, app.CountRetried},
		{"a start of nobody", queue.Trigger, `{"v": 1, "wf": "nobody", "ver": "latest", "req": "` + request1 + `", "body": {"initiator": {"type": "manual"}}, "src": "bus"}`, app.Done, app.CountRefused},
	} {
		before := s.counts[tt.count]
		if got := s.proc.Handle(t.Context(), tt.queue, queue.Delivery{Receipt: "r", Body: []byte(tt.body), Receives: 1}); got != tt.fate {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.fate)
		}
		if s.counts[tt.count] != before+1 {
			t.Errorf("%s: %s counts %v, %v before", tt.name, tt.count, s.counts[tt.count], before)
		}
	}
	if again := s.proc.HandleBatch(t.Context(), queue.Complete, []queue.Delivery{{Receipt: "good", Body: completion}, {Receipt: "bad", Body: []byte("?")}}); fmt.Sprint(again) != "[bad]" {
		t.Errorf("of a batch of completions there come again %v", again)
	}
}

// TestPokesDoNotGoRound: a poke that cannot be done is not sent again in its own place, where no queue would count its
// receives: it comes again itself while the table is away, and is no more where it is about what nobody can read. A lost
// race is tried again at once.
func TestPokesDoNotGoRound(t *testing.T) {
	s := newSystem(t)
	s.push("w", sequential, `{"step": {"id": "a", "type": "NoOp", "transition": {"successors": {"b": "true"}}}},
		{"step": {"id": "b", "type": "Sleep", "params": {"sleep_seconds": {"type": "LONG", "value": 3600}}}}`)
	s.mustStart("w", request1)
	s.handle()
	poke := queue.Delivery{Receipt: "r", Body: events.Poke{Kind: events.PokeRun, Workflow: "w", Instance: 1, Run: 1}.Encode(), Receives: 1}
	s.messages = nil
	check := func(what string, fate app.Fate, messages int) {
		t.Helper()
		if got := s.restart().Handle(t.Context(), queue.Advance, poke); got != fate || len(s.messages) != messages {
			t.Errorf("%s: %s and %d messages, want %s and %d", what, got, len(s.messages), fate, messages)
		}
		s.messages = nil
	}
	s.down = &table.Error{Code: table.CodeInternal, Cause: errors.New("no permission")}
	check("the table is away", app.Retry, 0)
	s.down = &table.Error{Code: table.CodeContended, Cause: errors.New("a transaction is in the way")}
	check("a race is lost", app.Done, 1)
	s.down = nil
	head := store.RunKey(store.RunID{Workflow: "w", Instance: 1, Run: 1})
	it, _, err := s.table.Get(t.Context(), head)
	if err != nil || !it.Exists() {
		t.Fatalf("head: %+v, %v", it, err)
	}
	it.Rev++
	it.Data = []byte{1, 0xff}
	if _, err := s.table.Write(t.Context(), table.Write{Item: it}); err != nil {
		t.Fatal(err)
	}
	check("the head cannot be read", app.Done, 0)
}

// TestBatchOfWork: what is wrong with one run of a batch of work harms no other.
func TestBatchOfWork(t *testing.T) {
	s := newSystem(t)
	var batch []queue.Delivery
	for _, wf := range []string{"w1", "w2", "w3"} {
		s.push(wf, sequential, chain)
		s.mustStart(wf, request1)
		w := events.Work{Op: events.WorkStart, Workflow: wf, Instance: 1, Run: 1, Step: "job.1", Attempt: 1, UUID: "u"}
		batch = append(batch, queue.Delivery{Receipt: wf, Body: w.Encode(), Receives: 1})
	}
	s.deadly = store.RunKey(store.RunID{Workflow: "w2", Instance: 1, Run: 1}).PK
	if again := s.proc.HandleBatch(t.Context(), queue.Execute, batch); fmt.Sprint(again) != "[w2]" {
		t.Errorf("there come again %v, want those of w2", again)
	}
}

// TestBudget: a chain of runs goes on although no invocation has the time for all that follows from its commits. The
// sweep has no part in it.
func TestBudget(t *testing.T) {
	s := newSystem(t)
	s.settings.InlineBudget = 10 * time.Millisecond
	s.slow = 4
	s.restart()
	s.push("w", sequential, chain)
	const runs = 30
	for i := range runs {
		s.mustStart("w", fmt.Sprintf("%08x-1111-4111-8111-111111111111", i))
	}
	s.handle()
	if got := s.statuses("w"); strings.Count(got, "SUCCEEDED") != runs {
		t.Errorf("without a sweep: %s", got)
	}
}

// counted is a runtime that counts its starts and lets the process die in the middle of one.
type counted struct {
	starts int
	die    func()
}

func (c *counted) Start(context.Context, step.Call) (step.Result, error) {
	c.starts++
	if c.die != nil {
		c.die()
		return step.Result{}, errGone
	}
	return step.Result{State: step.Done}, nil
}

func (c *counted) Poll(context.Context, step.Call) (step.Result, error) {
	return step.Result{State: step.Done}, nil
}

func (c *counted) Stop(context.Context, step.Call) (step.Result, error) {
	return step.Result{State: step.Stopped}, nil
}

// TestClaimOfTheDead: who died while it started an attempt outside holds the claim until no invocation can live any
// more (P20); a process that knows that it is alone does not wait for that.
func TestClaimOfTheDead(t *testing.T) {
	for _, sole := range []bool{false, true} {
		t.Run(fmt.Sprint("sole ", sole), func(t *testing.T) {
			s := newSystem(t)
			outside := &counted{}
			s.runtimes[step.SimulatedType] = outside
			s.sole = sole
			p := s.restart()
			outside.die = func() { p.gone = true }
			s.push("w", sequential, job)
			s.mustStart("w", request1)
			s.handle()
			if !p.gone || outside.starts != 1 {
				t.Fatalf("%d starts", outside.starts)
			}
			outside.die = nil
			s.lose()
			s.now += 1000
			s.restart()
			runs, err := s.proc.Recover(t.Context())
			if err != nil || runs != 1 {
				t.Fatalf("%d runs go on, %v", runs, err)
			}
			s.handle()
			if want := map[bool]string{false: "IN_PROGRESS", true: "SUCCEEDED"}[sole]; s.statuses("w") != want {
				t.Errorf("at once: %s, want %s", s.statuses("w"), want)
			}
			if !sole && outside.starts != 1 {
				t.Errorf("started %d times below the claim", outside.starts)
			}
			s.pass(20 * time.Minute)
			if got := s.statuses("w"); got != "SUCCEEDED" || outside.starts != 2 {
				t.Errorf("in the end %s after %d starts", got, outside.starts)
			}
		})
	}
}

// TestPermitsOfTheDead: who dies after the commit of an attempt's end and before it gave its permits back leaves them
// held. A process that knows that it is alone frees them when somebody asks for them, others at the lease time (P30).
func TestPermitsOfTheDead(t *testing.T) {
	for _, sole := range []bool{false, true} {
		everyDeath(t, func(s *system, arm func()) {
			s.runtimes[step.SimulatedType] = &step.Simulated{}
			s.sole = sole
			s.restart()
			if err := s.proc.SetTagPermit(s.t.Context(), permit.LimitRequest{Tag: "scarce", MaxAllowed: 1}, "ann"); err != nil {
				s.t.Fatal(err)
			}
			s.push("w", parallel, strings.Replace(chain, `"type": "NoOp"`, `"type": "NoOp", "tags": ["scarce"]`, 2))
			arm()
			_, _ = s.start("w", request1) // dies in it
			s.lose()
			s.now += 1000
			s.restart()
			if _, err := s.proc.Recover(s.t.Context()); err != nil {
				s.t.Fatal(err)
			}
			s.handle()
			second := s.mustStart("w", request2)
			s.handle()
			if got := s.run("w", second.Instance).State().Run.Status; sole && got != engine.InstanceSucceeded {
				s.t.Errorf("behind permits of a process that is gone: %s", got)
			}
			s.pass(15 * time.Minute)
			if got := s.statuses("w"); strings.Trim(strings.ReplaceAll(got, "SUCCEEDED", ""), " ") != "" {
				s.t.Errorf("in the end: %s", got)
			}
		})
	}
}

// TestQueueOfPermitsSurvivesDeaths: the jobs of two runs go one at a time, within a run with the permit that the one before
// has left, and wherever a process dies all of them have their turn and nothing stays taken.
func TestQueueOfPermitsSurvivesDeaths(t *testing.T) {
	everyDeath(t, func(s *system, arm func()) {
		s.runtimes[step.SimulatedType] = &step.Simulated{Hint: true}
		s.restart()
		if err := s.proc.SetTagPermit(s.t.Context(), permit.LimitRequest{Tag: "scarce", MaxAllowed: 1}, "ann"); err != nil {
			s.t.Fatal(err)
		}
		one := strings.Replace(job, `"type":`, `"tags": ["scarce"], "type":`, 1)
		s.push("w", parallel, one+","+strings.Replace(one, "job.1", "job.2", 1)+","+strings.Replace(one, "job.1", "job.3", 1))
		s.mustStart("w", request1)
		s.mustStart("w", request2)
		s.handle()
		arm()
		s.pass(12 * time.Second) // dies in it, or sees the second job end
		s.restart()
		s.pass(30 * time.Minute)
		if got := s.statuses("w"); got != "SUCCEEDED SUCCEEDED" {
			s.t.Errorf("in the end: %s", got)
		}
		var turns []engine.Times
		for i := range int64(2) {
			for _, at := range s.run("w", i+1).Attempts() {
				turns = append(turns, at.Times)
			}
		}
		slices.SortFunc(turns, func(a, b engine.Times) int { return cmp.Compare(a.Start, b.Start) })
		for i := range turns[1:] {
			if turns[i+1].Start < turns[i].End {
				s.t.Errorf("the job that starts at %d does so before the one before it has ended at %d", turns[i+1].Start-epoch, turns[i].End-epoch)
			}
		}
		// Who waits is served though holders are lost, since the lease is looked at; who is left then holds nothing.
		for _, name := range []string{"tag#scarce", "wf#w"} {
			it, _, err := s.table.Get(s.t.Context(), store.PermitKey(name))
			if err != nil {
				s.t.Fatal(err)
			}
			h, err := permit.Decode(it.Data)
			if err != nil || len(h.Waiters) > 0 {
				s.t.Errorf("%s: %d wait, error %v", name, len(h.Waiters), err)
			}
		}
	})
}

// TestHeadOfManyJobs: the head of a run with the most steps stays small though each step's result is a commit of its own
// (P16), and no attempt is lost where its pages are written anew.
func TestHeadOfManyJobs(t *testing.T) {
	const steps = 300
	for _, publish := range []bool{false, true} {
		t.Run(fmt.Sprint("published ", publish), func(t *testing.T) {
			s := newSystem(t)
			s.runtimes[step.SimulatedType] = &step.Simulated{Hint: true}
			s.settings.Publish = publish
			s.restart()
			var list []string
			for i := range steps {
				list = append(list, fmt.Sprintf(`{"step": {"id": "job.%d", "type": "Simulated", "params": {"job_duration": {"type": "LONG", "value": %d}}}}`, i, 1000+100*i))
			}
			s.push("w", `{"owner": "ann", "step_concurrency": 300}`, strings.Join(list, ","))
			s.mustStart("w", request1)
			s.pass(5 * time.Minute)
			if got := s.statuses("w"); got != "SUCCEEDED" {
				t.Fatal(got)
			}
			if s.head > 1024 {
				t.Errorf("the head had %d bytes", s.head)
			}
			seen := map[string]bool{}
			for _, at := range s.run("w", 1).Attempts() {
				if at.Status != engine.StepSucceeded || at.AttemptID != 1 || seen[at.StepID] {
					t.Errorf("attempt %d of %s is %s", at.AttemptID, at.StepID, at.Status)
				}
				seen[at.StepID] = true
			}
			if len(seen) != steps {
				t.Errorf("%d steps are left", len(seen))
			}
			// A launch, a poll and a completion for each, and a timer for each time at which one is due.
			if sent := s.counts[app.CountSends]; sent > 5*steps+10 {
				t.Errorf("%v messages were sent", sent)
			}
		})
	}
}

var _ table.Table = (*ports)(nil)

// TestParkedHeadIsLeftAlone: a poke about a head that cannot be read, or is of a newer version, makes no other poke. The
// first is parked once and the second waits for the sweep, however long it takes until somebody can read them.
func TestParkedHeadIsLeftAlone(t *testing.T) {
	for _, tt := range []struct {
		name   string
		data   []byte
		parked float64
	}{
		{"corrupt", []byte{1}, 1},
		{"newer", []byte{200}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSystem(t)
			s.push("w", sequential, chain)
			s.mustStart("w", request1)
			s.pass(time.Minute)
			it, _, err := s.table.Get(t.Context(), store.LaneKey("w"))
			if err != nil {
				t.Fatal(err)
			}
			it.Data, it.Due = tt.data, s.now+60_000
			if _, err := s.table.BatchPut(t.Context(), []table.Item{it}); err != nil {
				t.Fatal(err)
			}
			sends := s.counts[app.CountSends]
			s.pass(time.Hour)
			// Those of the sweep: at its time, and at the ages of 1, 2, 4, … 32 minutes.
			if n := s.counts[app.CountSends] - sends; n > 8 || len(s.dead) > 0 {
				t.Errorf("%v messages in an hour, %d dead", n, len(s.dead))
			}
			if n := s.counts[app.CountParked]; n != tt.parked {
				t.Errorf("parked %v times, want %v", n, tt.parked)
			}
		})
	}
}
