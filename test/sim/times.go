package sim

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/core/timetrigger"
)

// Time triggers: what workflows have, what clients do with them, and what must be true of the runs that they start.

// crons are what triggers are drawn from: often enough to fire while clients are busy, at full minutes, at other seconds,
// twice within a minute, and never.
var crons = []string{"*/2 * * * *", "*/2 * * * *", "1-59/2 * * * *", "*/3 * * * *", "40 */2 * * * ?", "7 1/3 * * * ?", "0 0 30 2 *"}

// timesModel is what is remembered of the schedules of time triggers.
type timesModel struct {
	flows map[string]*scheduleModel
	// fired are the runs of fires, by start.
	fired map[string]store.RunID
}

// scheduleModel is what is remembered of a workflow's schedule.
type scheduleModel struct {
	last     *timetrigger.Schedule
	triggers *timetrigger.Triggers // of last, nil when nothing is scheduled
	periods  []period
}

// period is a time through which one list of triggers was in force.
type period struct {
	life     int64
	uuid     string
	workflow *definition.Workflow
	marks    []int64 // at its beginning, by trigger
	end      int64   // 0: not yet
}

func newTimesModel() *timesModel {
	m := &timesModel{flows: map[string]*scheduleModel{}, fired: map[string]store.RunID{}}
	for _, wf := range workflowIDs {
		m.flows[wf] = &scheduleModel{last: &timetrigger.Schedule{}}
	}
	return m
}

// timeTriggersOf draws the time triggers of a definition: none in some, two equal ones among them.
func (s *system) timeTriggersOf() string {
	if s.times == nil {
		return ""
	}
	var list []string
	for range s.w.rng.IntN(4) {
		zone := ""
		if s.w.rng.IntN(3) == 0 {
			zone = `,"timezone":"Asia/Kathmandu"`
		}
		list = append(list, fmt.Sprintf(`{"type":"CRON","cron":%q%s}`, crons[s.w.rng.IntN(len(crons))], zone))
	}
	return fmt.Sprintf(`"time_triggers":[%s],`, strings.Join(list, ","))
}

// letTimesPass keeps the clients there for long enough to see time triggers fire.
func (s *system) letTimesPass() {
	if s.times != nil {
		s.in(4*60_000+s.w.rng.Int64N(12*60_000), func() {})
	}
}

func (s *system) disableTimes(workflow string, disabled bool) {
	s.call(workflow, http.MethodPost, "/workflows/"+workflow+"/properties", fmt.Sprintf(`{"time_trigger_disabled":%v}`, disabled), nil)
}

// reactivate deactivates a workflow and activates its newest version some time later.
func (s *system) reactivate(workflow string) {
	s.call(workflow, http.MethodPut, "/workflows/"+workflow+"/actions/deactivate", "", func(answer) {
		s.in(s.w.rng.Int64N(300_000), func() {
			s.put(workflow, fmt.Sprintf("/workflows/%s/versions/%d/actions/activate", workflow, max(1, s.flows[workflow].latest)))
		})
	})
}

// activeTriggers are the triggers that the control item puts in force; nil for none.
func (s *system) activeTriggers(workflow string) (*definition.Control, *definition.Workflow, *timetrigger.Triggers) {
	ctl, err := s.reader.Control(background, workflow)
	if err != nil {
		s.w.fail("control of %s: %v", workflow, err)
	}
	if err != nil || ctl == nil || ctl.ActiveVersion == 0 || ctl.Properties.TimeTriggersDisabled() {
		return ctl, nil, nil
	}
	v, err := s.reader.Version(background, ctl, ctl.ActiveVersion)
	if err != nil || v == nil {
		s.w.fail("version %d of %s is active and cannot be read: %v", ctl.ActiveVersion, workflow, err)
		return ctl, nil, nil
	}
	t, err := timetrigger.Of(v.Workflow)
	if err != nil {
		s.w.fail("%v", err)
	}
	return ctl, v.Workflow, t
}

// checkScheduled: with every change of a workflow its schedule is that of the triggers which are in force from then on.
func (s *system) checkScheduled(workflow string) {
	if s.times == nil {
		return
	}
	it, _, err := s.table.Get(background, store.TimesKey(workflow))
	if err != nil {
		s.w.fail("schedule of %s: %v", workflow, err)
		return
	}
	stored, err := timetrigger.Decode(it.Data)
	if err != nil {
		s.w.fail("schedule of %s: %v", workflow, err)
		return
	}
	ctl, _, t := s.activeTriggers(workflow)
	switch {
	case ctl == nil:
		s.endPeriod(workflow) // what is left of the schedule starts nothing any more
	case t == nil && stored.UUID != "" && stored.Life == ctl.InternalID:
		s.w.fail("no time triggers of %s are in force and %s is scheduled", workflow, stored.UUID)
	case t != nil && (stored.Life != ctl.InternalID || !stored.Holds(t)):
		s.w.fail("time triggers %s of %s are in force and %q is scheduled", t.UUID, workflow, stored.UUID)
	}
}

func (s *system) endPeriod(workflow string) {
	m := s.times.flows[workflow]
	if n := len(m.periods); n > 0 && m.periods[n-1].end == 0 {
		m.periods[n-1].end = s.w.now
	}
	m.triggers = nil
}

// checkTimes: a schedule belongs to the triggers in force; its marks move only forward, over fires whose starts are
// stored; triggers that stay as they were keep their marks; and it is due when it fires next.
func (s *system) checkTimes(old, now table.Item) {
	workflow, ok := store.ParseTimesKey(now.Key)
	if !ok || s.times == nil {
		return
	}
	next, err := timetrigger.Decode(now.Data)
	if err != nil {
		s.w.fail("schedule of %s: %v", workflow, err)
		return
	}
	m := s.times.flows[workflow]
	last := m.last
	m.last = next
	if next.UUID == "" {
		s.endPeriod(workflow)
		return
	}
	ctl, def, t := s.activeTriggers(workflow)
	if ctl == nil && last != nil && last.Life == next.Life {
		return // the workflow is gone, and its deletion has yet to come here: who stood still starts nothing with it
	}
	if t == nil || ctl.InternalID != next.Life || !next.Holds(t) {
		s.w.fail("schedule %s of %s is written and its triggers are not in force", next.UUID, workflow)
		return
	}
	if at, ok := next.Next(t); ok && (now.Due == 0 || now.Due > max(at, s.w.now+30_000)) && s.opts.Break != "time-due" {
		s.w.fail("schedule of %s fires next at %d and is due at %d", workflow, at, now.Due)
	}
	if m.triggers == nil || last.Life != next.Life || last.UUID != next.UUID {
		s.endPeriod(workflow)
		m.periods = append(m.periods, period{life: next.Life, uuid: next.UUID, workflow: def, marks: append([]int64(nil), next.Marks...)})
		m.triggers = t
		for i, mark := range next.Marks {
			if mark > s.w.now+2*maxSkew {
				s.w.fail("trigger %d of %s begins at %d, in the future", i, workflow, mark)
			}
		}
		return
	}
	for i, mark := range next.Marks {
		if mark < last.Marks[i] {
			s.w.fail("mark of trigger %d of %s was %d and is %d", i, workflow, last.Marks[i], mark)
		}
	}
	for _, f := range last.Due(t, s.w.now+2*maxSkew, 1000) {
		if f.Time > next.Marks[f.Trigger] {
			continue
		}
		it, _, err := s.table.Get(background, store.StartKey(workflow, f.RequestID))
		if err == nil && !it.Exists() && !s.gone[f.RequestID] {
			s.w.fail("the fire of trigger %d of %s at %d is marked as handled and no start is stored for it", f.Trigger, workflow, f.Time)
		}
	}
}

// maxSkew is how much a clock may differ from the world's.
const maxSkew = 1000

// checkFired: a run that a time trigger starts is the only one of its fire; it begins not before its time, with a version
// that has the trigger; and the trigger was in force at that time.
func (s *system) checkFired(id store.RunID) {
	if s.times == nil || id.Run != 1 || definition.IsInlineID(id.Workflow) {
		return
	}
	v, err := s.reader.StoredRun(background, id)
	if err != nil {
		return // checkAttempts tells
	}
	b := v.Body()
	if b.Initiator.Type != engine.TimeTriggered {
		return
	}
	s.w.counts[outcomeFired]++
	fire := b.Initiator.TriggerTime
	if fire > s.w.now+maxSkew {
		s.w.fail("run %s of the fire at %d is made at %d", id, fire, s.w.now)
	}
	key := fmt.Sprintf("%d %s", b.InternalID, b.UUID)
	if other, twice := s.times.fired[key]; twice && other != id {
		s.w.fail("the fire at %d of %s started %s and %s", fire, id.Workflow, other, id)
	}
	s.times.fired[key] = id
	uuid := b.Initiator.TriggerUUID
	if ids := definition.TriggerUUIDs(b.Workflow, true); len(ids) != 1 || ids[0] != uuid {
		s.w.fail("run %s is one of trigger %s and its version has %q", id, uuid, ids)
	}
	for _, p := range s.times.flows[id.Workflow].periods {
		if p.life != b.InternalID || p.uuid != uuid || p.end != 0 && fire > p.end+maxSkew {
			continue
		}
		for i := range p.workflow.TimeTriggers {
			timer, err := p.workflow.TimeTriggers[i].Timer(id.Workflow)
			if err != nil {
				s.w.fail("%v", err)
				return
			}
			if at, ok := timer.Next(fire - 1); ok && at == fire && fire > p.marks[i] && p.workflow.TimeTriggers[i].StartID(id.Workflow, fire) == b.UUID {
				return
			}
		}
	}
	s.w.fail("run %s was started for %d by trigger %s, which was not in force then", id, fire, uuid)
}

// timesLate is how long after its time a fire may be missing once nothing fails any more and its schedule was looked at.
const timesLate = 10_000

// lateTimes tells of a workflow whose time triggers are behind, "" when none is.
func (s *system) lateTimes() string {
	for _, wf := range s.ids {
		m := s.times.flows[wf]
		if m.triggers == nil {
			continue
		}
		if at, ok := m.last.Next(m.triggers); ok && at < s.w.now-timesLate {
			return fmt.Sprintf("time triggers of %s are due since %d, and it is %d", wf, at, s.w.now)
		}
	}
	return ""
}

// endTimes waits until every time trigger has started what it missed, and then has the owners deactivate the workflows,
// without which the system would never come to rest.
func (s *system) endTimes() bool {
	if s.times == nil {
		return true
	}
	w := s.w
	if !s.run(func() bool { return s.lateTimes() == "" }, w.now+patience) {
		if w.failure == nil {
			w.fail("%d minutes after the faults stopped: %s", patience/60_000, s.lateTimes())
		}
		return false
	}
	for _, wf := range s.ids {
		s.put(wf, "/workflows/"+wf+"/actions/deactivate")
	}
	return s.run(func() bool { return s.open == 0 }, w.now+patience)
}

// markFires is the defect that moves the marks of a schedule which is read to be acted on before its starts are stored.
func (s *system) markFires(p *proc, items []table.Item) {
	for _, it := range items {
		workflow, ok := store.ParseTimesKey(it.Key)
		if !ok || !it.Exists() || it.Due == 0 || it.Due > s.w.now {
			continue
		}
		m := s.times
		sched, err := timetrigger.Decode(it.Data)
		if m == nil || err != nil || m.flows[workflow].triggers == nil {
			continue
		}
		t := m.flows[workflow].triggers
		sched.Started(sched.Due(t, s.w.now, 10))
		now := it
		now.Data, now.Rev = sched.Encode(), it.Rev+1
		now.Due, _ = sched.Next(t)
		if _, err := s.table.Write(background, table.Write{Item: now, Cond: table.RevIs(it.Rev)}); err == nil {
			s.wrote(p, []table.Item{it}, []table.Write{{Item: now}})
		}
	}
}
