package app_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/signal"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/core/timetrigger"
	"github.com/downbeat/downbeat/events"
)

// pushTimed pushes a version with time triggers, given as crons in UTC.
func (s *system) pushTimed(id, properties string, active bool, crons ...string) {
	s.t.Helper()
	if err := s.tryPushTimed(id, properties, active, chain, crons...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *system) tryPushTimed(id, properties string, active bool, steps string, crons ...string) error {
	s.t.Helper()
	var list []string
	for _, c := range crons {
		list = append(list, fmt.Sprintf(`{"type": "CRON", "cron": %q}`, c))
	}
	req, err := definition.ReadCreate(fmt.Appendf(nil, `{"properties": %s, "is_active": %v, "workflow": {"id": %q, "time_triggers": [%s], "steps": [%s]}}`,
		properties, active, id, strings.Join(list, ", "), steps))
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = s.proc.Push(s.t.Context(), req, definition.NamedUser("ann"))
	return err
}

// change changes a workflow.
func (s *system) change(id string, decide func(c *app.Ctl) (*definition.Change, error)) error {
	_, err := s.proc.ChangeWorkflow(s.t.Context(), id, decide)
	return err
}

func (s *system) deactivate(id string) error {
	return s.change(id, func(c *app.Ctl) (*definition.Change, error) {
		change, _, err := definition.ApplyDeactivate(c.Control, id, definition.NamedUser("ann"), s.proc.ChangeTime(c))
		return change, err
	})
}

func (s *system) activate(id string, version int64) error {
	return s.change(id, func(c *app.Ctl) (*definition.Change, error) {
		v, err := s.proc.Version(s.t.Context(), c.Control, version)
		if err != nil {
			return nil, err
		}
		change, _, err := definition.ApplyActivate(c.Control, id, version, v, definition.NamedUser("ann"), s.proc.ChangeTime(c))
		return change, err
	})
}

// fired are the fire times of all runs of a workflow after the start of the test, with their versions, in the order of the
// instances.
func (s *system) fired(workflow string) string {
	s.t.Helper()
	latest, err := s.proc.LatestInstance(s.t.Context(), workflow)
	if err != nil {
		s.t.Fatal(err)
	}
	first, err := s.proc.FirstInstance(s.t.Context(), workflow)
	if err != nil {
		s.t.Fatal(err)
	}
	var list []string
	for i := first; i <= latest; i++ {
		b := s.run(workflow, i).Body()
		list = append(list, fmt.Sprintf("%s v%d", time.UnixMilli(b.Initiator.TriggerTime).UTC().Format("15:04"), b.VersionID))
	}
	return strings.Join(list, ", ")
}

func (s *system) wantFired(when, workflow, want string) {
	s.t.Helper()
	if got := s.fired(workflow); got != want {
		s.t.Errorf("%s: %s fired at %q, want %q", when, workflow, got, want)
	}
}

// until lets time pass until a time of the day of the test, which begins at midnight.
func (s *system) until(clock string) {
	s.t.Helper()
	at, err := time.Parse("15:04:05", clock)
	if err != nil {
		s.t.Fatal(err)
	}
	s.pass(time.Duration(epoch+int64(at.Hour()*3600+at.Minute()*60+at.Second())*1000-s.now) * time.Millisecond)
}

// TestTimesFire: a run starts at each fire time, not before it and within a second, with what the trigger hands to it.
func TestTimesFire(t *testing.T) {
	s := newSystem(t)
	s.until("00:00:30")
	s.pushTimed("w", parallel, true, "*/2 * * * *", "0 30 0 ? * *", "0 0 30 2 *")
	s.until("00:01:59")
	s.wantFired("before", "w", "")
	s.until("00:02:00")
	s.wantFired("at its time", "w", "00:02 v1")
	b := s.run("w", 1).Body()
	if b.Initiator.Type != "TIME" || b.Initiator.TriggerTime != epoch+120_000 || b.Initiator.Timezone != nil || b.Initiator.TriggerUUID == "" {
		t.Errorf("initiator: %+v", b.Initiator)
	}
	if ts, ok := b.Params.Result("RUN_TS"); !ok || ts.AsLong() != epoch+120_000 {
		t.Errorf("RUN_TS is %v", ts)
	}
	s.until("00:30:00")
	var want []string
	for m := 2; m <= 30; m += 2 {
		want = append(want, fmt.Sprintf("00:%02d v1", m))
	}
	s.wantFired("half an hour later", "w", strings.Join(append(want, "00:30 v1"), ", "))
}

// TestTimesFireToTheSecond: fires that do not lie at a full minute, among them two in one minute and the first that comes
// sooner than any sweep could find it.
func TestTimesFireToTheSecond(t *testing.T) {
	s := newSystem(t)
	s.until("00:00:07")
	s.pushTimed("w", parallel, true, "12 */3 * * * ?", "52 */3 * * * ?")
	for _, step := range []struct {
		clock string
		runs  int64
	}{{"00:00:11", 0}, {"00:00:12", 1}, {"00:00:51", 1}, {"00:00:52", 2}, {"00:03:11", 2}, {"00:03:12", 3}, {"00:03:52", 4}} {
		s.until(step.clock)
		if n, err := s.proc.LatestInstance(t.Context(), "w"); n != step.runs || err != nil {
			t.Errorf("%s: %d runs, want %d, %v", step.clock, n, step.runs, err)
		}
	}
}

// TestTimesCatchUp: every fire that was missed starts its run, in time order and each with its own time
// (time-triggers.md 8).
func TestTimesCatchUp(t *testing.T) {
	s := newSystem(t)
	s.pushTimed("w", parallel, true, "0 * * * *", "30 2 * * *")
	s.until("00:10:00")
	s.now += 3 * 3600_000 // nobody sweeps
	s.lose()
	s.pass(70 * time.Minute)
	s.wantFired("afterwards", "w", "01:00 v1, 02:00 v1, 02:30 v1, 03:00 v1, 04:00 v1")
}

// TestTimesCatchUpMany: more than are started at once.
func TestTimesCatchUpMany(t *testing.T) {
	s := newSystem(t)
	s.pushTimed("w", `{"owner": "ann", "run_strategy": {"rule": "LAST_ONLY"}}`, true, "*/2 * * * *")
	s.now += 100 * 60_000
	s.lose()
	s.restart()
	if _, err := s.proc.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.pass(time.Minute)
	if got := strings.Count(s.fired("w"), ","); got != 49 {
		t.Errorf("%d runs, want 50", got+1)
	}
	if got := s.fired("w"); !strings.HasPrefix(got, "00:02 v1, 00:04 v1, ") || !strings.HasSuffix(got, ", 01:38 v1, 01:40 v1") {
		t.Errorf("in another order: %s", got)
	}
}

// TestTimesFollowTheWorkflow: the table of time-triggers.md 11.
func TestTimesFollowTheWorkflow(t *testing.T) {
	disabled := func(v bool) string { return fmt.Sprintf(`{"owner": "ann", "time_trigger_disabled": %v}`, v) }
	for _, tt := range []struct {
		name string
		do   func(s *system)
		want string
	}{
		{"new steps and the same triggers", func(s *system) {
			s.until("08:00:00")
			s.pushTimed("w", sequential, true, "0 9 * * *")
		}, "09:00 v2"},
		{"other triggers", func(s *system) {
			s.until("08:00:00")
			s.pushTimed("w", sequential, true, "0 10 * * *")
		}, "10:00 v2"},
		{"an inactive version", func(s *system) {
			s.until("08:00:00")
			s.pushTimed("w", sequential, false, "0 10 * * *")
		}, "09:00 v1"},
		{"deactivated over the fire time", func(s *system) {
			s.until("08:00:00")
			must(s, s.deactivate("w"))
			s.until("10:00:00")
			must(s, s.activate("w", 1))
		}, ""},
		{"deactivated between fire times", func(s *system) {
			s.until("08:50:00")
			must(s, s.deactivate("w"))
			s.until("08:55:00")
			must(s, s.activate("w", 1))
		}, "09:00 v1"},
		{"disabled over the fire time", func(s *system) {
			s.until("08:00:00")
			s.pushTimed("w", disabled(true), true, "0 9 * * *")
			s.until("10:00:00")
			s.pushTimed("w", disabled(false), true, "0 9 * * *")
		}, ""},
		{"disabled and enabled before it", func(s *system) {
			s.until("08:00:00")
			s.pushTimed("w", disabled(true), true, "0 9 * * *")
			s.until("08:30:00")
			s.pushTimed("w", disabled(false), true, "0 9 * * *")
		}, "09:00 v3"},
		{"triggers taken away", func(s *system) {
			s.until("08:00:00")
			s.pushTimed("w", sequential, true)
		}, ""},
		{"another version activated", func(s *system) {
			s.until("08:00:00")
			s.pushTimed("w", sequential, true, "0 10 * * *")
			must(s, s.activate("w", 1))
		}, "09:00 v1"},
		{"due, and another trigger is changed before it is handled", func(s *system) {
			s.until("08:59:00")
			s.now += 90_000
			s.lose()
			s.pushTimed("w", sequential, true, "0 9 * * *", "0 10 * * *")
		}, "09:00 v2, 10:00 v2"},
		{"due, and the trigger is changed before it is handled", func(s *system) {
			s.until("08:59:00")
			s.now += 90_000
			s.lose()
			s.pushTimed("w", sequential, true, "0 10 * * *")
		}, "10:00 v2"},
		{"deleted", func(s *system) {
			s.until("08:00:00")
			_, err := s.proc.Delete(s.t.Context(), "w", definition.NamedUser("ann"))
			must(s, err)
		}, ""},
		{"deleted and pushed again", func(s *system) {
			s.until("08:00:00")
			_, err := s.proc.Delete(s.t.Context(), "w", definition.NamedUser("ann"))
			must(s, err)
			s.until("08:10:00")
			s.pushTimed("w", sequential, true, "0 9 * * *")
		}, "09:00 v1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSystem(t)
			s.pushTimed("w", sequential, true, "0 9 * * *")
			tt.do(s)
			s.until("12:00:00")
			s.wantFired("at noon", "w", tt.want)
			s.until("23:00:00")
			if len(s.dead) > 0 {
				t.Errorf("%d messages are dead", len(s.dead))
			}
		})
	}
}

func must(s *system, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestTimesSurviveCrashes: whoever dies at any call while runs are started loses none and starts none twice, however often
// the message is delivered (P34).
func TestTimesSurviveCrashes(t *testing.T) {
	everyDeath(t, func(s *system, arm func()) {
		s.pushTimed("w", parallel, true, "0 * * * *", "30 1 * * *", "0 1 * * *")
		s.until("00:10:00")
		s.now += 2 * 3600_000
		s.lose()
		arm()
		s.poke(events.PokeTime, "w", 0, 0)
		s.poke(events.PokeTime, "w", 0, 0)
		s.handle()
		s.lose()
		s.restart()
		s.pass(2 * time.Hour)
		s.poke(events.PokeTime, "w", 0, 0)
		s.pass(time.Hour)
		s.wantFired("afterwards", "w", "01:00 v1, 01:00 v1, 01:30 v1, 02:00 v1, 03:00 v1, 04:00 v1, 05:00 v1")
	})
}

// TestChangesOfTimesSurviveCrashes: whoever dies at any call while it activates, or deactivates, leaves the schedule as the
// workflow is.
func TestChangesOfTimesSurviveCrashes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(s *system)
		do     func(s *system) error
		done   func(c *definition.Control) bool
		want   map[bool]string // fired, by whether the change has happened
	}{
		{"push", func(s *system) {}, func(s *system) error { return s.tryPushTimed("w", parallel, true, chain, "30 1 * * *") },
			func(c *definition.Control) bool { return c.LatestVersion == 2 }, map[bool]string{true: "01:30 v2", false: "01:00 v1"}},
		{"deactivate", func(s *system) {}, func(s *system) error { return s.deactivate("w") },
			func(c *definition.Control) bool { return c.ActiveVersion == 0 }, map[bool]string{true: "", false: "01:00 v1"}},
		{"activate", func(s *system) { must(s, s.deactivate("w")) }, func(s *system) error { return s.activate("w", 1) },
			func(c *definition.Control) bool { return c.ActiveVersion == 1 }, map[bool]string{true: "01:00 v1", false: ""}},
		{"delete", func(s *system) {}, func(s *system) error {
			_, err := s.proc.Delete(s.t.Context(), "w", definition.NamedUser("ann"))
			return err
		}, func(c *definition.Control) bool { return c == nil }, map[bool]string{true: "", false: "01:00 v1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			everyDeath(t, func(s *system, arm func()) {
				s.pushTimed("w", parallel, true, "0 1 * * *")
				tt.before(s)
				s.until("00:10:00")
				arm()
				_ = tt.do(s)
				s.handle()
				s.lose()
				s.restart()
				s.until("00:40:00")
				c, err := s.proc.Control(s.t.Context(), "w")
				must(s, err)
				s.until("03:00:00")
				s.wantFired("afterwards", "w", tt.want[tt.done(c)])
				if len(s.dead) > 0 {
					s.t.Errorf("%d messages are dead", len(s.dead))
				}
			})
		})
	}
}

// TestOneMessageForAFire: however many messages there are about a schedule, they do not multiply, and the sweep's is the
// only one where it comes in time. What a fire costs beside its run is what the schedule's item costs, with its entry of
// the due index.
func TestOneMessageForAFire(t *testing.T) {
	s := newSystem(t)
	s.pushTimed("w", parallel, true, "*/2 * * * *", "1-59/2 * * * *")
	s.until("00:10:30")
	for range 20 {
		s.poke(events.PokeTime, "w", 0, 0)
	}
	s.until("00:12:30")
	sends := s.counts[app.CountSends]
	s.until("00:32:30")
	// One of the sweep a minute, one of whoever fired for the minute that this sweep came too early for; the lane and the
	// runs have none.
	if n := s.counts[app.CountSends] - sends; n > 40 {
		t.Errorf("%v messages for 20 fires a minute apart", n)
	}

	s = newSystem(t)
	s.pushTimed("w", parallel, true, "0 * * * *")
	s.until("00:30:00")
	s.mustStart("w", request1)
	s.until("00:59:00")
	before := s.counts[app.CountWriteUnits]
	s.mustStart("w", request2)
	s.handle()
	run := s.counts[app.CountWriteUnits] - before
	s.until("01:58:59")
	before, sends = s.counts[app.CountWriteUnits], s.counts[app.CountSends]
	s.until("02:00:00")
	if fire := s.counts[app.CountWriteUnits] - before; fire != run+3 {
		t.Errorf("a fire costs %v write units, a start by hand %v", fire, run)
	}
	if n := s.counts[app.CountSends] - sends; n != 1 {
		t.Errorf("%v messages for a fire", n)
	}
}

// TestTimesKeepFailedStarts: a run whose params cannot be evaluated is there, and failed; the next one is not kept back by
// it.
func TestTimesKeepFailedStarts(t *testing.T) {
	s := newSystem(t)
	req, err := definition.ReadCreate([]byte(`{"properties": {"owner": "ann"}, "is_active": true, "workflow": {"id": "w",
		"time_triggers": [{"type": "CRON", "cron": "0 1,2 * * *"}], "steps": [` + chain + `],
		"params": {"n": {"type": "LONG", "expression": "if (params.getFromInstance('INITIATOR_TYPE') == 'TIME' && RUN_TS < 1735695000000L) throw 'too early'; return 1;"}}}}`))
	must(s, err)
	_, err = s.proc.Push(t.Context(), req, definition.NamedUser("ann"))
	must(s, err)
	s.until("03:00:00")
	if got := s.statuses("w"); got != "FAILED SUCCEEDED" {
		t.Errorf("the runs are %s", got)
	}
	s.wantFired("at last", "w", "01:00 v1, 02:00 v1")
}

// TestManyTimesAtOnce: what fires of many workflows at one second cost grows with their number and no faster: one message,
// and as many write units for each as a fire of its own.
func TestManyTimesAtOnce(t *testing.T) {
	cost := func(n int) (messages, units float64) {
		s := newSystem(t)
		for i := range n {
			s.pushTimed(fmt.Sprintf("w%d", i), sequential, true, "0 1 * * *")
		}
		s.until("00:58:30")
		messages, units = s.counts[app.CountSends], s.counts[app.CountWriteUnits]
		s.until("01:00:00")
		messages, units = s.counts[app.CountSends]-messages, s.counts[app.CountWriteUnits]-units
		for i := range n {
			s.wantFired("at its time", fmt.Sprintf("w%d", i), "01:00 v1")
		}
		return messages, units
	}
	messages, units := cost(1)
	if m, u := cost(300); m != 300*messages || u != 300*units || messages != 1 {
		t.Errorf("300 fires take %v messages and %v write units, one takes %v and %v", m, u, messages, units)
	}
}

// TestReadsOfAFire: a fire reads its schedule beside what its run reads.
func TestReadsOfAFire(t *testing.T) {
	const n, sweeps = 50, 32 * 0.5
	s := newSystem(t)
	for i := range n {
		s.pushTimed(fmt.Sprintf("w%d", i), sequential, true, "0 1,2 * * *")
	}
	s.until("01:59:00")
	before := s.counts[app.CountReadUnits]
	s.until("02:00:00")
	fires := s.counts[app.CountReadUnits] - before - sweeps
	before = s.counts[app.CountReadUnits]
	for i := range n {
		s.mustStart(fmt.Sprintf("w%d", i), request1)
	}
	s.handle()
	if starts := s.counts[app.CountReadUnits] - before; fires != starts+n {
		t.Errorf("%d fires read %v units, %d starts %v", n, fires, n, starts)
	}
}

// TestTimesOfALifeThatIsOver: an invocation that read the schedule of a workflow, and goes on after the workflow was
// deleted and pushed again, starts nothing in its name.
func TestTimesOfALifeThatIsOver(t *testing.T) {
	s := newSystem(t)
	s.pushTimed("w", parallel, true, "0 * * * *")
	s.until("00:50:00")
	stale, _, err := s.table.Get(t.Context(), store.TimesKey("w"))
	must(s, err)
	_, err = s.proc.Delete(t.Context(), "w", definition.NamedUser("ann"))
	must(s, err)
	s.pass(time.Minute)
	gone, _, err := s.table.Get(t.Context(), store.TimesKey("w"))
	must(s, err)
	if gone.Expires == 0 || gone.Due != 0 || gone.Rev <= stale.Rev {
		t.Errorf("what is left of the schedule expires at %d, is due at %d and has revision %d after %d", gone.Expires, gone.Due, gone.Rev, stale.Rev)
	}
	s.pushTimed("w", parallel, true, "0 * * * *")
	now, _, err := s.table.Get(t.Context(), store.TimesKey("w"))
	must(s, err)
	before, err := timetrigger.Decode(stale.Data)
	must(s, err)
	after, err := timetrigger.Decode(now.Data)
	must(s, err)
	if now.Expires != 0 || now.Rev <= gone.Rev || after.UUID != before.UUID || after.Life == before.Life {
		t.Errorf("the schedule of the new life: %+v, revision %d, expires %d", after, now.Rev, now.Expires)
	}
	// A schedule of the life before, as it would be if nobody had ended it, is replaced by the next change, and ends by
	// itself.
	put := func(data []byte, rev int64) {
		_, err := s.table.BatchPut(t.Context(), []table.Item{{Key: stale.Key, Data: data, Rev: rev, Due: s.now}})
		must(s, err)
	}
	put(stale.Data, now.Rev+1)
	s.pushTimed("w", parallel, true, "0 * * * *")
	now, _, err = s.table.Get(t.Context(), store.TimesKey("w"))
	must(s, err)
	if got, err := timetrigger.Decode(now.Data); err != nil || got.Life != after.Life {
		t.Errorf("after a push the schedule is that of life %d, %v", got.Life, err)
	}
	put(stale.Data, now.Rev+1)
	s.now += 20 * 60_000
	if fate := s.proc.Handle(t.Context(), queue.Advance, queue.Delivery{Receipt: "r", Body: events.Poke{Kind: events.PokeTime, Workflow: "w"}.Encode(), Receives: 1}); fate != app.Done {
		t.Errorf("the message is %s", fate)
	}
	if n, err := s.proc.LatestInstance(t.Context(), "w"); n != 0 || err != nil {
		t.Errorf("%d runs, %v", n, err)
	}
	// So does one of triggers that are not in force.
	other := timetrigger.Schedule{Life: after.Life, UUID: request1, Marks: []int64{epoch, epoch}}
	put(other.Encode(), now.Rev+3)
	s.poke(events.PokeTime, "w", 0, 0)
	s.handle()
	now, _, err = s.table.Get(t.Context(), store.TimesKey("w"))
	must(s, err)
	if got, err := timetrigger.Decode(now.Data); err != nil || got.UUID != "" || now.Due != 0 {
		t.Errorf("the schedule is %+v, due at %d, %v", got, now.Due, err)
	}
}

// dueOnly is the table as the function that sweeps may see it.
type dueOnly struct {
	table.Table
	t *testing.T
}

func (d dueOnly) refuse(what string) error {
	d.t.Errorf("the sweep makes a %s", what)
	return errGone
}

func (d dueOnly) Get(context.Context, table.Key) (table.Item, table.Units, error) {
	return table.Item{}, table.Units{}, d.refuse("get")
}

func (d dueOnly) BatchGet(context.Context, []table.Key) ([]table.Item, table.Units, error) {
	return nil, table.Units{}, d.refuse("batch get")
}

func (d dueOnly) Query(context.Context, table.Query) (table.Page, table.Units, error) {
	return table.Page{}, table.Units{}, d.refuse("query")
}

func (d dueOnly) Write(context.Context, table.Write) (table.Units, error) {
	return table.Units{}, d.refuse("write")
}

// TestSweepReadsTheIndexAlone: the function that sweeps may read the due index and nothing else. What it finds of each kind
// is carried out by who handles its messages, also where the key does not tell the name.
func TestSweepReadsTheIndexAlone(t *testing.T) {
	s := newSystem(t)
	s.push("waiter", parallel, waits)
	s.mustStart("waiter", request1)
	s.pushTimed("timed", sequential, true, "0 0 * * *", "4 0 * * *")
	s.handle()
	if _, _, err := s.proc.Announce(t.Context(), signal.Instance{Name: "go", ID: "one"}); err != nil { // and nobody passes it on
		t.Fatal(err)
	}
	s.lose()
	sweeper, err := app.New(app.Config{Table: dueOnly{s.table, t}, Queue: s.proc, Blob: &blobs{s.proc}, Clock: s.proc, IDs: s.proc})
	must(s, err)
	for range 10 {
		s.now += 60_000
		must(s, sweeper.Sweep(t.Context(), s.now))
		s.handle()
	}
	if got := s.statuses("waiter"); got != "SUCCEEDED" {
		t.Errorf("the step that waits: %s", got)
	}
	s.wantFired("at last", "timed", "00:04 v1")
}
