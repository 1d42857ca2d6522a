package sim

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/events"
)

// What is asked for once the faults have stopped: that everything comes to rest, and what must be true then.

// What came of requests and faults, as it is counted.
const (
	outcomeDuplicated = "outcome: start that was asked for again"
	outcomeDeleted    = "outcome: workflow deleted"
	outcomeRetry      = "outcome: attempt after the first"
	outcomeDead       = "outcome: message in a dead-letter queue"
	outcomePoisoned   = "outcome: step failed, since processes died at it"
	outcomeLeftover   = "outcome: page of a decision that lost its race"
	outcomeFired      = "outcome: run started by a time trigger"
	outcomeAsked      = "outcome: ask of permits left for others to serve"
	outcomeServed     = "outcome: asks of permits served by another"
	outcomePassed     = "outcome: permit passed on to an attempt that queued"
)

var outcomeKinds = []string{outcomeDuplicated, outcomeDeleted, outcomeRetry, outcomeDead, outcomePoisoned, outcomeLeftover, outcomeFired, outcomeAsked, outcomeServed, outcomePassed}

// patience is how long a system without faults may need to come to rest, in milliseconds.
const patience = 24 * 3600_000

// comeToRest runs on without faults until everything is at rest, and checks what must be true then.
func (s *system) comeToRest() {
	w := s.w
	s.changed, s.closing = true, true
	if !s.endTimes() {
		return
	}
	s.owner(0)
	if !s.run(s.atRest, w.now+patience) {
		if w.failure == nil {
			w.fail("not at rest %d minutes after the faults stopped: %s", patience/60_000, s.unrest())
		}
		return
	}
	s.checkPermitsFree()
	if w.failure == nil {
		s.checkEnd()
	}
}

// owner does what the owners of workflows do now and then: lets go on what waits for a user's word.
func (s *system) owner(round int) {
	s.w.after(int64(min(round, 1))*10*60_000, func() {
		for _, tag := range sharedTags {
			if round == 0 {
				s.limit(tag, 2) // 0 would hold up for ever
			}
		}
		for _, wf := range s.ids {
			for i := range maxSteps {
				if s.hasBreakpoint(wf, stepName(i)) {
					s.deleteBreakpoint(wf, stepName(i), nil)
				}
			}
			for _, uuid := range s.pausedAttempts(wf) {
				s.resume(s.attempts[uuid])
			}
			if len(s.blockingInstances(wf)) > 0 {
				s.put(wf, "/workflows/"+wf+"/actions/unblock")
			}
		}
		for _, uuid := range sortedKeys(s.attempts) {
			if at := s.attempts[uuid]; at.status == engine.StepWaitingForSignals && s.heads[at.run] != nil {
				s.put(at.run.Workflow, fmt.Sprintf("/workflows/%s/instances/%d/steps/%s/actions/bypass", at.run.Workflow, at.run.Instance, at.step))
			}
		}
		for _, id := range s.runIDs() {
			if s.heads[id].Run.Status == engine.InstancePaused {
				s.put(id.Workflow, fmt.Sprintf("/workflows/%s/instances/%d/actions/resume", id.Workflow, id.Instance))
			}
		}
		s.owner(round + 1)
	})
}

func (s *system) hasBreakpoint(workflow, step string) bool {
	list, err := s.reader.Breakpoints(background, workflow, step)
	return err == nil && len(list) > 0
}

// runIDs are the runs that exist, in order.
func (s *system) runIDs() []store.RunID {
	byName := make(map[string]store.RunID, len(s.heads))
	for id := range s.heads {
		byName[id.String()] = id
	}
	ids := make([]store.RunID, 0, len(byName))
	for _, name := range sortedKeys(byName) {
		ids = append(ids, byName[name])
	}
	return ids
}

// atRest: every head that exists is terminal, every answered start has one, no lane is busy, nobody works.
func (s *system) atRest() bool {
	if s.open > 0 {
		return false
	}
	for _, b := range s.busy {
		if b > 0 {
			return false
		}
	}
	// Whether the heads are at rest changes with a write alone.
	if s.changed {
		s.changed, s.rest = false, s.unrest() == ""
	}
	return s.rest
}

// unrest tells what is not at rest, "" when all is.
func (s *system) unrest() string {
	for _, uuid := range sortedKeys(s.answered) {
		if id := s.answered[uuid]; s.heads[id] == nil && !s.deleted[id] {
			return fmt.Sprintf("start %s was answered with %s, which does not exist", uuid, id)
		}
	}
	for _, id := range s.runIDs() {
		h := s.heads[id]
		if !h.Run.Status.Terminal() {
			return fmt.Sprintf("run %s is %s", id, h.Run.Status)
		}
		if s.due[id] != 0 {
			// An ended head is due until its end has been told to the world.
			return fmt.Sprintf("run %s is %s and still due", id, h.Run.Status)
		}
	}
	for _, wf := range s.ids {
		l := s.lanes[wf].last
		for _, o := range l.Orders {
			// A start that was refused is in no list: its order alone tells that its run is still to be made.
			id := store.RunID{Workflow: wf, Instance: o.Instance, Run: o.Run}
			if s.heads[id] == nil && !s.deleted[id] {
				return fmt.Sprintf("run %s was ordered and does not exist", id)
			}
		}
		if l.NonTerminal() > 0 {
			return fmt.Sprintf("lane of %s still lists %v %v", wf, queuedOf(l), runningOf(l))
		}
		if s.beingDeleted(wf) {
			return fmt.Sprintf("workflow %s is still being deleted", wf)
		}
		if l.Deleting {
			return fmt.Sprintf("lane of %s refuses starts and nobody deletes the workflow", wf)
		}
	}
	if s.poison > 0 {
		return fmt.Sprintf("%d messages that nobody can read are neither in their queue's way nor in a dead-letter queue", s.poison)
	}
	if n := len(s.queues[queue.Trigger]); n > 0 {
		// Also of a start that was refused: a copy of its message may come when the workflow is there.
		return fmt.Sprintf("%d messages may start runs", n)
	}
	for _, uuid := range sortedKeys(s.triggered) {
		if wf := s.triggered[uuid]; !s.refused[uuid] && !s.settled(wf, uuid) {
			return fmt.Sprintf("the event's start %s of %s has no number", uuid, wf)
		}
	}
	return ""
}

// settled tells whether a start has a number, or had one before its workflow was deleted.
func (s *system) settled(workflow, uuid string) bool {
	it, _, err := s.table.Get(background, store.NumberKey(workflow, uuid))
	if err == nil && it.Exists() {
		return true
	}
	return s.gone[uuid] || s.inDoubt[uuid]
}

// checkPermitsFree: once all is at rest and each head was looked at after its lease time, nobody holds a permit.
func (s *system) checkPermitsFree() {
	w := s.w
	names := map[string]bool{}
	for _, at := range s.attempts {
		for _, t := range at.tags {
			names[t.Name] = true
		}
	}
	heads := map[string]events.Poke{}
	for tag := range names {
		p := events.Poke{Kind: events.PokePermit, Tag: tag}
		if rest, derived := strings.CutPrefix(tag, "maestro_"); derived {
			wf, _, _ := strings.Cut(rest, ":")
			p = events.Poke{Kind: events.PokePermit, Workflow: wf}
		} else {
			p.Tag = "tag#" + tag
		}
		heads[string(p.Encode())] = p
	}
	w.after(6*60_000, func() {
		for _, body := range sortedKeys(heads) {
			s.place(queue.Advance, &message{body: []byte(body), at: w.now})
		}
	})
	// The pokes are handled within the next minutes; nothing else tells when.
	s.run(nil, w.now+10*60_000)
	for _, body := range sortedKeys(heads) {
		p := heads[body]
		name := p.Tag
		if p.Workflow != "" {
			name = "wf#" + p.Workflow
		}
		h, ok := s.permitHead(store.PermitKey(name))
		if ok && len(h.Holders) > 0 {
			w.fail("all is at rest and %s still lists %d holders of permits, the first is attempt %s of run %s", name, len(h.Holders), h.Holders[0].UUID, h.Holders[0].Run)
		}
		if ok && len(h.Waiters) > 0 {
			w.fail("all is at rest and %s still lists %d waiters for permits", name, len(h.Waiters))
		}
	}
}

// checkEnd: numbers are dense and unique, versions are consecutive, attempts are numbered without gaps, and what was
// published tells all of it.
func (s *system) checkEnd() {
	w := s.w
	byStart := map[string]store.RunID{}
	for _, id := range s.runIDs() {
		h := s.heads[id]
		if other, dup := byStart[h.UUID]; dup {
			w.fail("start %s became two runs, %s and %s", h.UUID, other, id)
		}
		byStart[h.UUID] = id
	}
	for _, uuid := range sortedKeys(s.answered) {
		if id := s.answered[uuid]; s.heads[id] != nil && byStart[uuid] != id {
			w.fail("start %s was answered with %s and is %s", uuid, id, byStart[uuid])
		}
	}
	for _, uuid := range sortedKeys(s.promised) {
		if _, ok := byStart[uuid]; !ok && !s.gone[uuid] {
			w.fail("start %s was said to be numbered and no run has it", uuid)
		}
	}
	for _, wf := range s.ids {
		for i := int64(1); i <= s.lanes[wf].last.Latest; i++ {
			newest := s.newest[store.RunID{Workflow: wf, Instance: i}]
			if newest == 0 {
				w.fail("number %d of %s was given and no run has it", i, wf)
			}
			for r := int64(1); r <= newest; r++ {
				id := store.RunID{Workflow: wf, Instance: i, Run: r}
				if s.heads[id] == nil && !s.deleted[id] {
					w.fail("run %s is missing, the newest of its instance is %d", id, newest)
				}
			}
		}
		s.checkVersions(wf)
	}
	named := map[table.Key]bool{}
	for _, id := range s.runIDs() {
		for _, p := range s.heads[id].Pages {
			named[store.PageKey(id, p)] = true
		}
		s.checkRun(id)
	}
	for key := range s.pages {
		if !named[key] {
			w.counts[outcomeLeftover]++
		}
	}
	if s.publish {
		s.checkPublished()
	}
}

// checkVersions: all versions of a workflow up to the newest can be read, and none above is stored.
func (s *system) checkVersions(workflow string) {
	ctl, err := s.reader.Control(background, workflow)
	if err != nil || ctl == nil {
		return
	}
	page, _, err := s.table.Query(background, table.Query{PK: store.VersionPK(workflow, ctl.InternalID)})
	if err != nil {
		s.w.fail("versions of %s: %v", workflow, err)
		return
	}
	if n := int64(len(page.Items)); n != ctl.LatestVersion {
		s.w.fail("%d versions of %s are stored, the newest is %d", n, workflow, ctl.LatestVersion)
	}
	for n := int64(1); n <= ctl.LatestVersion; n++ {
		if v, err := s.reader.Version(background, ctl, n); err != nil || v == nil {
			s.w.fail("version %d of %s cannot be read: %v", n, workflow, err)
		}
	}
	for n := range s.pushes {
		if n[0] == ctl.InternalID && n[1] > ctl.LatestVersion {
			s.w.fail("version %d of %s was answered, the newest is %d", n[1], workflow, ctl.LatestVersion)
		}
	}
}

// checkRun reads a finished run as a reader does and checks its attempts.
func (s *system) checkRun(id store.RunID) {
	w := s.w
	v, err := s.reader.StoredRun(background, id)
	if err != nil {
		w.fail("finished run %s cannot be read: %v", id, err)
		return
	}
	uuids := map[string]bool{}
	last := map[string]int64{}
	for _, at := range v.Attempts() {
		if uuids[at.UUID] {
			w.fail("step uuid %s is used twice in run %s", at.UUID, id)
		}
		uuids[at.UUID] = true
		if at.AttemptID != last[at.StepID]+1 {
			w.fail("run %s: attempt %d of step %s follows attempt %d", id, at.AttemptID, at.StepID, last[at.StepID])
		}
		last[at.StepID] = at.AttemptID
		if !at.Status.Terminal() {
			w.fail("run %s is over and attempt %d of step %s is %s", id, at.AttemptID, at.StepID, at.Status)
		}
		if at.HoldsPermit {
			w.fail("run %s is over and attempt %d of step %s holds a permit", id, at.AttemptID, at.StepID)
		}
	}
}

// change is a status change as an event tells it.
type change struct {
	Old string `json:"old_status"`
	New string `json:"new_status"`
}

// checkPublished: the events of each attempt and of each run lead from its beginning to its end, and tell each status in
// which it was committed (P35).
func (s *system) checkPublished() {
	chains := map[string]map[string]change{} // by name and old status
	told := map[string]map[string]bool{}     // by name and new status
	changes := map[string]map[change]bool{}  // by name
	for _, raw := range s.published {
		var e struct {
			Type     string   `json:"type"`
			UUID     string   `json:"workflow_uuid"`
			StepUUID string   `json:"step_uuid"`
			Records  []change `json:"status_change_records"`
			change
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			s.w.fail("published event is not JSON: %v", err)
			return
		}
		name, list := e.UUID, []change{e.change}
		switch e.Type {
		case "STEP_INSTANCE_STATUS_CHANGE_EVENT":
			name, list = e.StepUUID, e.Records
		case "WORKFLOW_INSTANCE_STATUS_CHANGE_EVENT":
		default:
			continue
		}
		if chains[name] == nil {
			chains[name], told[name], changes[name] = map[string]change{}, map[string]bool{}, map[change]bool{}
		}
		for _, c := range list {
			chains[name][c.Old] = c
			told[name][c.New] = true
			changes[name][c] = true
		}
	}
	for _, uuid := range sortedKeys(s.attempts) {
		at := s.attempts[uuid]
		for st := range s.seen[uuid] {
			if !told[uuid][st.String()] {
				s.w.fail("attempt %d of step %s of run %s was committed as %s, which no event tells", at.number, at.step, at.run, st)
			}
		}
		if end := follow(chains[uuid], engine.StepNotCreated.String()); end != at.status.String() {
			s.w.fail("events of attempt %d of step %s of run %s lead to %s, it is %s", at.number, at.step, at.run, end, at.status)
		}
	}
	for _, id := range s.runIDs() {
		h := s.heads[id]
		for st := range s.runSeen[id] {
			if st != engine.InstanceCreated && !told[h.UUID][st.String()] {
				s.w.fail("run %s was committed as %s, which no event tells", id, st)
			}
		}
		if s.runSeen[id][engine.InstancePaused] {
			// It may have been paused more than once: its changes are no chain, but lead from one status to the next.
			if !leads(changes[h.UUID], engine.InstanceCreated.String(), h.Run.Status.String()) {
				s.w.fail("events of run %s do not lead to %s: %v", id, h.Run.Status, changes[h.UUID])
			}
		} else if end := follow(chains[h.UUID], engine.InstanceCreated.String()); end != h.Run.Status.String() {
			s.w.fail("events of run %s lead to %s, it is %s", id, end, h.Run.Status)
		}
	}
}

// leads tells whether changes, in any order and some told twice, are a way from one status to another that leaves none out.
func leads(changes map[change]bool, from, to string) bool {
	reached := map[string]bool{from: true}
	for range changes {
		for c := range changes {
			if reached[c.Old] {
				reached[c.New] = true
			}
		}
	}
	for c := range changes {
		if !reached[c.Old] {
			return false
		}
	}
	return reached[to]
}

// follow goes along changes from a status to the last one.
func follow(chain map[string]change, at string) string {
	for range 20 {
		c, ok := chain[at]
		if !ok {
			break
		}
		at = c.New
	}
	return at
}
