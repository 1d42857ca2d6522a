package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/core/timetrigger"
)

// Time triggers. The schedule of a workflow is one item, due at its next fire time. It moves with the change of the
// workflow that makes, replaces or ends it, in one transaction, and on its own when it has fired: the runs are started
// first, under ids that follow from the fire times, and the marks move after them (P34). A crash in between repeats starts,
// which are duplicates.

const (
	// firesAtOnce is how many runs are started before the marks move past them.
	firesAtOnce = 10
	// earlyTimer is how much sooner than its fire time a message may come, by clocks that differ, to be sent once more.
	earlyTimer = 2_000
	// timesMargin is by how much clocks may differ, and a change may be missed by the sweep of its own minute.
	timesMargin = 5_000
)

// times is the schedule of a workflow as it was read, with what it depends on.
type times struct {
	item     table.Item
	schedule *timetrigger.Schedule
	ctl      *Ctl
	triggers *timetrigger.Triggers // nil when nothing may be started
}

// readTimes reads the schedule of a workflow, and then whether the workflow is as the schedule has it.
func (a *App) readTimes(ctx context.Context, workflow string) (*times, error) {
	items, err := a.batchGet(ctx, []table.Key{store.TimesKey(workflow), store.CtlKey(workflow)})
	if err != nil {
		return nil, err
	}
	v := &times{item: items[0]}
	if v.schedule, err = timetrigger.Decode(v.item.Data); err != nil {
		return nil, a.park(v.item, err)
	}
	if v.schedule.UUID == "" {
		return v, nil
	}
	if v.ctl, err = a.decodeCtl(items[1]); err != nil {
		return nil, a.park(items[1], err)
	}
	if v.triggers, err = a.scheduled(ctx, v.schedule, v.ctl); err != nil || v.triggers != nil {
		return v, err
	}
	// The two items were read in any order: a change may have come between. This one is read after the schedule.
	if v.ctl, err = a.loadCtl(ctx, workflow); err == nil {
		v.triggers, err = a.scheduled(ctx, v.schedule, v.ctl)
	}
	return v, err
}

// scheduled are the triggers of the active version if the schedule is theirs; nil when it is not, or they are disabled.
func (a *App) scheduled(ctx context.Context, s *timetrigger.Schedule, c *Ctl) (*timetrigger.Triggers, error) {
	if c.Control == nil || c.Control.InternalID != s.Life {
		return nil, nil
	}
	t, err := a.timeTriggersOf(ctx, c.Control, c.Control.ActiveVersion, c.Control.Properties.TimeTriggersDisabled(), nil)
	if err != nil || t == nil || !s.Holds(t) {
		return nil, err
	}
	return t, nil
}

// timeTriggersOf are the time triggers of a version; nil when it has none, there is no version, or they are disabled.
// pushed is the version that a change brings, which is not stored yet.
func (a *App) timeTriggersOf(ctx context.Context, ctl *definition.Control, version int64, disabled bool, pushed *definition.Version) (*timetrigger.Triggers, error) {
	if version == 0 || disabled {
		return nil, nil
	}
	v := pushed
	if v == nil || v.Metadata.VersionID != version {
		var err error
		if v, err = a.Version(ctx, ctl, version); err != nil || v == nil {
			return nil, err
		}
	}
	triggers, err := timetrigger.Of(v.Workflow)
	if err != nil {
		// They were computed when the version was pushed: a zone has gone since, or a rule has come.
		return nil, fault.New(fault.UnprocessableEntity, "%s", err)
	}
	return triggers, nil
}

// lookAtTimes starts what is due. All of it may be repeated, and done by several at once.
func (a *App) lookAtTimes(ctx context.Context, workflow string) ([]task, error) {
	again := task{kind: taskTime, workflow: workflow}
	for range maxTries {
		// The time comes before the schedule: what is due by it was due while the schedule that is read was in force.
		now := a.now()
		v, err := a.readTimes(ctx, workflow)
		if err != nil || v.schedule.UUID == "" {
			return nil, err
		}
		if v.triggers == nil {
			// A deletion leaves it so for a while, and no other change. However it came to be so, the schedule ends.
			a.log.InfoContext(ctx, "the schedule of time triggers is of no active version and ends", "workflow", workflow, "trigger", v.schedule.UUID)
			err = a.put(ctx, v.item, v.item.Key, (&timetrigger.Schedule{Life: v.schedule.Life}).Encode(), 0)
			if err == nil || !lost(err) {
				return nil, err
			}
			a.count(CountConflicts, 1)
			continue
		}
		fires := v.schedule.Due(v.triggers, now, firesAtOnce)
		if len(fires) == 0 {
			next, ok := v.schedule.Next(v.triggers)
			if ok && next <= now+earlyTimer {
				again.delay = next - now
				return []task{again}, nil
			}
			return nil, nil
		}
		started, err := a.startFires(ctx, workflow, v, fires)
		if started > 0 {
			v.schedule.Started(fires[:started])
			due, tasks := a.nextFire(workflow, v.schedule, v.triggers)
			err2 := a.put(ctx, v.item, v.item.Key, v.schedule.Encode(), due)
			if err == nil && err2 == nil {
				return tasks, nil
			}
			err = errors.Join(err, err2)
		}
		if err != nil && !lost(err) {
			return nil, err
		}
		a.count(CountConflicts, 1)
	}
	again.delay = a.jitter()
	return []task{again}, nil
}

// startFires starts runs in the order of their times and returns how many of the fires are dealt with.
func (a *App) startFires(ctx context.Context, workflow string, v *times, fires []timetrigger.Fire) (int, error) {
	for i, f := range fires {
		if i > 0 {
			// Each start is judged by a control item of its own: no run begins long after its workflow was deactivated.
			var err error
			if v.ctl, err = a.loadCtl(ctx, workflow); err != nil {
				return i, err
			}
			t, err := a.scheduled(ctx, v.schedule, v.ctl)
			if err != nil || t == nil {
				return i, err
			}
		}
		_, err := a.startOn(ctx, v.ctl, workflow, "active", "", f.Request(a.now()))
		if err != nil {
			return i, fmt.Errorf("time trigger %d of workflow %s at %d: %w", f.Trigger, workflow, f.Time, err)
		}
	}
	return len(fires), nil
}

// nextFire is when a schedule is due next, and what whoever commits it has to do: send the message for a fire that the
// next sweep would come too late for (P23). The due time is to the millisecond, other than those of heads that wait for
// nothing in particular: the sweep delays its message to it.
func (a *App) nextFire(workflow string, s *timetrigger.Schedule, t *timetrigger.Triggers) (due int64, tasks []task) {
	next, ok := s.Next(t)
	if !ok {
		return 0, nil
	}
	now := a.now()
	if next < (now+timesMargin)/minuteMillis*minuteMillis+2*minuteMillis {
		tasks = []task{{kind: taskTime, workflow: workflow, delay: max(next-now, 0)}}
	}
	if next <= now {
		// More is due. Were the time of it kept, the sweep might take it for something that it has sent a message for.
		next = moveDue(0, now, now)
	}
	return next, tasks
}

// timesChange is what a change of a workflow makes of its schedule.
type timesChange struct {
	writes []table.Write // to be committed with the change
	tasks  []task        // to be done after it
}

// changeTimes makes, replaces or ends the schedule of a workflow with a change of it (time-triggers.md 7). It goes on
// untouched when the triggers in force are the same as before.
func (a *App) changeTimes(ctx context.Context, workflow string, c *Ctl, change *definition.Change) (out timesChange, err error) {
	t := change.Triggers
	if t == nil {
		return out, nil
	}
	next, err := a.timeTriggersOf(ctx, &change.Control, t.ActiveVersion, t.TimeDisabled, change.Version)
	if err != nil {
		return out, err
	}
	var before *timetrigger.Triggers
	had := false
	if c.Control != nil {
		before, err = a.timeTriggersOf(ctx, c.Control, t.PreviousVersion, t.TimeDisabledBefore, nil)
		if err != nil && !userError(err) {
			return out, err
		}
		had = before != nil || err != nil // what cannot be computed any more may be scheduled still
	}
	if next == nil && !had {
		return out, nil
	}
	key := store.TimesKey(workflow)
	item, err := a.get(ctx, key)
	if err != nil {
		return out, err
	}
	s, err := timetrigger.Decode(item.Data)
	if err != nil {
		return out, a.park(item, err)
	}
	life := change.Control.InternalID
	switch {
	case next == nil && s.UUID == "", next != nil && s.Life == life && s.Holds(next):
		return out, nil
	case next == nil:
		out.writes = append(out.writes, a.next(item, key, (&timetrigger.Schedule{Life: life}).Encode(), 0))
	default:
		s = timetrigger.Follow(s, before, next, life, a.now())
		var due int64
		due, out.tasks = a.nextFire(workflow, s, next)
		out.writes = append(out.writes, a.next(item, key, s.Encode(), due))
	}
	return out, nil
}

// deleteTimes ends the schedule of a workflow that is deleted. What is left in its place for a day keeps an invocation
// that read the schedule, and stood still since then, from writing it again, or over that of a workflow with the same id.
func (a *App) deleteTimes(ctx context.Context, d *deletion) error {
	for {
		item, err := a.get(ctx, store.TimesKey(d.Workflow))
		if err != nil || !item.Exists() {
			return err
		}
		s, err := timetrigger.Decode(item.Data)
		if err != nil {
			return a.park(item, err)
		}
		if s.Life != d.InternalID || item.Expires != 0 {
			return nil
		}
		w := a.next(item, item.Key, (&timetrigger.Schedule{Life: s.Life}).Encode(), 0)
		w.Item.Expires = a.now()/1000 + goneSeconds
		if err := a.write(ctx, w); table.CodeOf(err) != table.CodeConflict {
			return err
		}
	}
}
