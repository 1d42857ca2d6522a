package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/events"
)

// request is a kind of request that clients make. weight is how often it is drawn, in proportion to the others.
type request struct {
	name   string
	weight int
	make   func(s *system, workflow string)
	silent bool // it is no call, and nobody answers it
	timed  bool // it is made where workflows have time triggers
	// then are kinds of which one follows in most cases.
	then []string
}

// requests are all kinds. They are made as REST calls, but for the starts that come by event.
var requests = []request{
	{name: "start", weight: 30, make: func(s *system, wf string) { s.start(wf, "start", `{"initiator":{"type":"manual"}}`, 1) }},
	{name: "start asked for twice at once", weight: 4, make: func(s *system, wf string) { s.start(wf, "start", `{"initiator":{"type":"manual"}}`, 2) }},
	{name: "start of chosen steps", weight: 3, make: func(s *system, wf string) {
		s.start(wf, "start-customized", `{"initiator":{"type":"manual"},`+s.selection()+`}`, 1)
	}},
	{name: "starts by events, in a batch", weight: 4, make: (*system).startByEvents, silent: true},
	{name: "stop run", weight: 3, make: func(s *system, wf string) { s.actOnRun(wf, "stop", isAlive) }},
	{name: "kill run", weight: 2, make: func(s *system, wf string) { s.actOnRun(wf, "kill", isAlive) }},
	{name: "kill queued run", weight: 2, make: func(s *system, wf string) { s.actOnRun(wf, "kill", isQueued) }},
	{name: "pause run", weight: 4, make: func(s *system, wf string) { s.actOnRun(wf, "pause", isRunning) }, then: []string{"resume run", "stop run", "stop step", "restart step in its run"}},
	{name: "resume run", weight: 4, make: func(s *system, wf string) { s.actOnRun(wf, "resume", isPaused) }},
	{name: "unblock run", weight: 2, make: func(s *system, wf string) { s.actOnRun(wf, "unblock", isFailed) }},
	{name: "stop step", weight: 3, make: func(s *system, wf string) { s.actOnStep(wf, "stop", liveStep) }},
	{name: "kill step", weight: 3, make: func(s *system, wf string) { s.actOnStep(wf, "kill", liveStep) }},
	{name: "skip step", weight: 3, make: func(s *system, wf string) { s.actOnStep(wf, "skip", liveStep) }},
	{name: "restart step in its run", weight: 3, make: func(s *system, wf string) { s.restartStep(wf, isAlive) }},
	{name: "restart from a step", weight: 3, make: func(s *system, wf string) { s.restartStep(wf, isOver) }},
	{name: "bypass step", weight: 3, make: func(s *system, wf string) { s.actOnStep(wf, "bypass", waitingStep) }},
	{name: "stop all runs", weight: 2, make: func(s *system, wf string) { s.put(wf, "/workflows/"+wf+"/actions/stop") }},
	{name: "kill all runs", weight: 2, make: func(s *system, wf string) { s.put(wf, "/workflows/"+wf+"/actions/kill") }},
	{name: "unblock all runs", weight: 2, make: func(s *system, wf string) { s.put(wf, "/workflows/"+wf+"/actions/unblock") }},
	{name: "restart from the beginning", weight: 4, make: func(s *system, wf string) { s.restart(wf, "restart", `"restart_policy":"RESTART_FROM_BEGINNING"`) }},
	{name: "restart from incomplete", weight: 4, make: func(s *system, wf string) { s.restart(wf, "restart", `"restart_policy":"RESTART_FROM_INCOMPLETE"`) }},
	{name: "restart of chosen steps", weight: 3, make: func(s *system, wf string) { s.restart(wf, "restart-customized", s.selection()) }},
	{name: "change strategy", weight: 4, make: (*system).changeStrategy},
	{name: "push version", weight: 4, make: func(s *system, wf string) { s.push(wf, nil) }},
	{name: "push two versions at once", weight: 4, make: func(s *system, wf string) { s.push(wf, nil); s.push(wf, nil) }},
	{name: "activate version", weight: 2, make: (*system).activate},
	{name: "deactivate", weight: 1, make: func(s *system, wf string) { s.put(wf, "/workflows/"+wf+"/actions/deactivate") }},
	{name: "delete and push again", weight: 3, make: (*system).deleteWorkflow},
	{name: "set permit limit", weight: 4, make: (*system).setLimit},
	{name: "delete permit limit", weight: 2, make: func(s *system, wf string) {
		s.call(wf, http.MethodDelete, "/tag-permits/"+sharedTags[s.w.rng.IntN(len(sharedTags))], "", nil)
	}},
	{name: "set breakpoint", weight: 4, make: (*system).setBreakpoint, then: []string{"delete breakpoint", "resume attempt", "start"}},
	{name: "delete breakpoint", weight: 3, make: func(s *system, wf string) { s.whenBreakpoint(wf, 1) }},
	{name: "resume attempt", weight: 3, make: func(s *system, wf string) { s.whenPaused(wf, 1) }},
	{name: "read instance", weight: 3, make: (*system).read},
	{name: "poison message", weight: 2, make: (*system).sendPoison, silent: true},
	{name: "disable time triggers", weight: 6, make: func(s *system, wf string) { s.disableTimes(wf, true) }, then: []string{"enable time triggers"}, timed: true},
	{name: "enable time triggers", weight: 3, make: func(s *system, wf string) { s.disableTimes(wf, false) }, timed: true},
	{name: "deactivate and activate again", weight: 8, make: (*system).reactivate, timed: true},
}

// kindOf is how a request is counted.
func kindOf(name string) string { return "request: " + name }

// acceptedOf is how an answer that accepts a request is counted.
func acceptedOf(name string) string { return "accepted: " + name }

// answer is what a REST call came to: status 0 when nothing is known, since it crashed.
type answer struct {
	status int
	body   []byte
}

// unknown tells whether asking again may bring another answer.
func (a answer) unknown() bool { return a.status == 0 || a.status >= 500 }

// writer is a response as a client gets it.
type writer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *writer) Header() http.Header { return w.header }
func (w *writer) WriteHeader(n int) {
	if w.status == 0 {
		w.status = n
	}
}
func (w *writer) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// call makes a REST call, below /api/v3. done is told the answer, in the world's own time.
func (s *system) call(workflow, method, path, body string, done func(a answer)) {
	w := s.w
	s.open++
	kind := s.making
	var a answer
	s.invoke(clientName, func(ctx context.Context, in *instance, p *proc) {
		u := &url.URL{Path: "/api/v3" + path}
		if at := strings.IndexByte(path, '?'); at >= 0 {
			u.Path, u.RawQuery = "/api/v3"+path[:at], path[at+1:]
		}
		r := (&http.Request{
			Method: method, URL: u, Header: http.Header{"User": {"sim"}, "Content-Type": {"application/json"}},
			Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		}).WithContext(ctx)
		resp := &writer{header: http.Header{}}
		s.restOf(in).ServeHTTP(resp, r)
		p.alive()
		a = answer{resp.status, resp.body.Bytes()}
	}, func(crashed bool) {
		w.logf("%s %s: %d", method, path, int64(a.status))
		if w.verbose && a.status >= 300 {
			w.logf("  %s", string(a.body))
		}
		if kind != "" && a.status >= 200 && a.status < 300 {
			w.counts[acceptedOf(kind)]++
		}
		s.making = kind
		if done != nil {
			done(a)
		}
		s.making = ""
		s.open--
	})
}

// put makes a call about a workflow that is asked once and whatever the answer.
func (s *system) put(workflow, path string) { s.call(workflow, http.MethodPut, path, "", nil) }

// later has a client ask again after a while.
func (s *system) later(do func()) { s.in(500+s.w.rng.Int64N(5000), do) }

// in has a client go on after some milliseconds.
func (s *system) in(d int64, do func()) {
	kind := s.making
	s.open++
	s.w.after(d, func() {
		s.open--
		s.making = kind
		do()
		s.making = ""
	})
}

// maxAsked is how often a client asks before it is a violation that nobody answers.
const maxAsked = 200

// started is the answer to a start or a restart.
type started struct {
	Workflow string `json:"workflow_id"`
	Instance int64  `json:"workflow_instance_id"`
	Run      int64  `json:"workflow_run_id"`
	UUID     string `json:"workflow_uuid"`
	Status   string `json:"status"`
}

// ask makes a start or restart until it is answered. body holds the request id.
func (s *system) ask(workflow, method, path, body, uuid string, asked int) {
	s.call(workflow, method, path, body, func(a answer) {
		if a.unknown() {
			if asked >= maxAsked {
				s.w.fail("%s of %s is not answered after %d tries: %d %s", path, uuid, asked, a.status, a.body)
				return
			}
			s.later(func() { s.ask(workflow, method, path, body, uuid, asked+1) })
			return
		}
		if a.status != http.StatusOK {
			return
		}
		var st started
		if err := json.Unmarshal(a.body, &st); err != nil {
			s.w.fail("answer to a start is not JSON: %v: %s", err, a.body)
			return
		}
		if st.Status == "DUPLICATED" {
			s.w.counts[outcomeDuplicated]++
			s.promised[uuid] = workflow
			return
		}
		// What a step has started is restarted through the run above: the answer names that one.
		id := store.RunID{Workflow: st.Workflow, Instance: st.Instance, Run: st.Run}
		if st.Instance < 1 || st.Run < 1 {
			s.w.fail("start %s was answered without numbers: %s", uuid, a.body)
		}
		if h := s.heads[id]; strings.Contains(path, "/steps/") && (h != nil && h.UUID != uuid || h == nil && s.deleted[id]) {
			return // the restart of a step inside its run made an attempt, no run
		}
		if st.UUID != "" && st.UUID != uuid {
			return // it was given to a step of a run that goes on
		}
		if other, dup := s.answered[uuid]; dup && other != id && !s.deleted[other] {
			s.w.fail("start %s was answered with %s and with %s", uuid, other, id)
		}
		for u, other := range s.answered {
			if other == id && u != uuid {
				s.w.fail("run %s was given to start %s and to start %s", id, u, uuid)
			}
		}
		s.answered[uuid] = id
	})
}

// start asks for a run, by as many callers at once under one request id.
func (s *system) start(workflow, action, body string, callers int) {
	uuid := s.w.newUUID()
	body = body[:len(body)-1] + fmt.Sprintf(`,"request_id":%q}`, uuid)
	version := []string{"active", "active", "active", "latest", "1"}[s.w.rng.IntN(5)]
	for range callers {
		s.ask(workflow, http.MethodPost, "/workflows/"+workflow+"/versions/"+version+"/actions/"+action, body, uuid, 1)
	}
}

// startByEvents puts messages that ask for starts into their queue: some at once, one of them twice.
func (s *system) startByEvents(workflow string) {
	n := 2 + s.w.rng.IntN(4)
	for i := range n {
		uuid := s.w.newUUID()
		m := events.Start{
			Workflow: workflow, Version: "active", RequestID: uuid, Body: json.RawMessage(`{"initiator":{"type":"manual"}}`), Source: events.SourceBus,
		}
		body, err := m.Encode()
		if err != nil {
			s.w.fail("start by event: %v", err)
			return
		}
		if s.enqueue(queue.Trigger, queue.Message{Body: body}) {
			s.triggered[uuid] = workflow
			if i == 0 {
				s.enqueue(queue.Trigger, queue.Message{Body: body})
			}
		}
	}
}

// anInstance is one that exists, 0 when there is none.
func (s *system) anInstance(workflow string) int64 {
	latest := s.lanes[workflow].last.Latest
	if latest == 0 {
		return 0
	}
	// The newest are those where something happens.
	return max(1, latest-s.w.rng.Int64N(3))
}

// fit tells whether the newest run of an instance is one that an action is meant for.
type fit func(h *store.RunHead) bool

func isQueued(h *store.RunHead) bool  { return !h.Run.Executed && !h.Run.Status.Terminal() }
func isAlive(h *store.RunHead) bool   { return !h.Run.Status.Terminal() }
func isRunning(h *store.RunHead) bool { return h.Run.Status == engine.InstanceInProgress }
func isPaused(h *store.RunHead) bool  { return h.Run.Status == engine.InstancePaused }
func isFailed(h *store.RunHead) bool  { return h.Run.Failed == engine.FailedBlocking }
func isOver(h *store.RunHead) bool    { return h.Run.Status.Terminal() }

// whenRun has do act on an instance whose newest run fits. While there is none the client waits, for a few minutes; then
// it takes any, and will be refused.
func (s *system) whenRun(workflow string, f fit, do func(instance int64)) {
	s.whenRunTry(workflow, f, do, 1)
}

func (s *system) whenRunTry(workflow string, f fit, do func(instance int64), tries int) {
	var found []int64
	for i := int64(1); i <= s.lanes[workflow].last.Latest; i++ {
		id := store.RunID{Workflow: workflow, Instance: i}
		id.Run = s.newest[id]
		if h := s.heads[id]; h != nil && f(h) {
			found = append(found, i)
		}
	}
	switch {
	case len(found) > 0:
		do(found[s.w.rng.IntN(len(found))])
	case tries < waits:
		s.in(s.w.rng.Int64N(30_000), func() { s.whenRunTry(workflow, f, do, tries+1) })
	default:
		if i := s.anInstance(workflow); i > 0 {
			do(i)
		}
	}
}

// waits is how often a client looks for something to act on.
const waits = 12

func (s *system) actOnRun(workflow, action string, f fit) {
	s.whenRun(workflow, f, func(i int64) {
		s.put(workflow, fmt.Sprintf("/workflows/%s/instances/%d/actions/%s", workflow, i, action))
	})
}

// aStep is a step of the newest run of an instance that is fit for an action, "" when none is.
func (s *system) aStep(workflow string, instance int64, f func(at *engine.Attempt) bool) string {
	id := store.RunID{Workflow: workflow, Instance: instance}
	id.Run = s.newest[id]
	if s.heads[id] == nil {
		return ""
	}
	v, err := s.reader.StoredRun(background, id)
	if err != nil {
		s.w.fail("run %s cannot be read: %v", id, err)
		return ""
	}
	var found []string
	for _, at := range v.Attempts() {
		if f(at) {
			found = append(found, at.StepID)
		}
	}
	if len(found) == 0 {
		return ""
	}
	return found[s.w.rng.IntN(len(found))]
}

func liveStep(at *engine.Attempt) bool    { return !at.Status.Terminal() }
func failedStep(at *engine.Attempt) bool  { return at.Status.Terminal() && !at.Status.Complete() }
func waitingStep(at *engine.Attempt) bool { return at.Status == engine.StepWaitingForSignals }

// whenStep has do act on a step that fits, of a run that fits; see whenRun.
func (s *system) whenStep(workflow string, f fit, g func(at *engine.Attempt) bool, do func(instance int64, step string)) {
	s.whenStepTry(workflow, f, g, do, 1)
}

func (s *system) whenStepTry(workflow string, f fit, g func(at *engine.Attempt) bool, do func(instance int64, step string), tries int) {
	s.whenRun(workflow, f, func(i int64) {
		step := s.aStep(workflow, i, g)
		if step == "" && tries < waits {
			s.in(s.w.rng.Int64N(30_000), func() { s.whenStepTry(workflow, f, g, do, tries+1) })
			return
		}
		if step == "" {
			step = stepName(s.w.rng.IntN(maxSteps))
		}
		do(i, step)
	})
}

func (s *system) actOnStep(workflow, action string, g func(at *engine.Attempt) bool) {
	s.whenStep(workflow, isAlive, g, func(i int64, step string) {
		s.put(workflow, fmt.Sprintf("/workflows/%s/instances/%d/steps/%s/actions/%s", workflow, i, step, action))
	})
}

// restartStep makes, inside a run that goes on, an attempt, and of one that has ended a new run from this step on.
func (s *system) restartStep(workflow string, f fit) {
	s.whenStep(workflow, f, failedStep, func(i int64, step string) {
		uuid := s.w.newUUID()
		s.ask(workflow, http.MethodPost, fmt.Sprintf("/workflows/%s/instances/%d/steps/%s/actions/restart", workflow, i, step), fmt.Sprintf(`{"restart_policy":"RESTART_FROM_INCOMPLETE","request_id":%q}`, uuid), uuid, 1)
	})
}

func (s *system) restart(workflow, action, policy string) {
	s.whenRun(workflow, isOver, func(i int64) {
		uuid := s.w.newUUID()
		s.ask(workflow, http.MethodPost, fmt.Sprintf("/workflows/%s/instances/%d/actions/%s", workflow, i, action), fmt.Sprintf(`{%s,"request_id":%q}`, policy, uuid), uuid, 1)
	})
}

// selection draws the members that choose the steps of a customized run.
func (s *system) selection() string {
	name := func() string { return stepName(s.w.rng.IntN(4)) }
	switch s.w.rng.IntN(4) {
	case 0:
		return fmt.Sprintf(`"start_steps":[%q]`, name())
	case 1:
		return fmt.Sprintf(`"end_steps":[%q]`, name())
	case 2:
		return fmt.Sprintf(`"skip_steps":[%q]`, name())
	}
	return fmt.Sprintf(`"start_steps":[%q],"end_steps":[%q]`, stepName(0), name())
}

func (s *system) aStrategy() string { return strategies[s.w.rng.IntN(len(strategies))] }

func (s *system) changeStrategy(workflow string) {
	s.call(workflow, http.MethodPost, "/workflows/"+workflow+"/properties", fmt.Sprintf(`{"run_strategy":%s}`, s.aStrategy()), nil)
}

// push stores a version. A client whose push was not answered does not know whether it happened, and lets it be.
func (s *system) push(workflow string, done func(a answer)) {
	s.call(workflow, http.MethodPost, "/workflows", s.definitionOf(workflow, s.aStrategy()), func(a answer) {
		if a.status == http.StatusOK || a.status == http.StatusCreated {
			s.pushed(workflow, a.body)
		}
		if done != nil {
			done(a)
		}
	})
}

// pushed: no version was given to two pushes.
func (s *system) pushed(workflow string, body []byte) {
	var answer struct {
		Definition struct {
			Life     int64 `json:"internal_id"`
			Metadata struct {
				Version int64 `json:"workflow_version_id"`
			} `json:"metadata"`
		} `json:"workflow_definition"`
	}
	err := json.Unmarshal(body, &answer)
	v := answer.Definition
	if err != nil || v.Metadata.Version == 0 {
		s.w.fail("answer to a push has no version: %v: %s", err, body)
		return
	}
	n := [2]int64{v.Life, v.Metadata.Version}
	if s.pushes[n] {
		s.w.fail("version %d of %s was given to two pushes", v.Metadata.Version, workflow)
	}
	s.pushes[n] = true
}

func (s *system) activate(workflow string) {
	n := max(1, s.flows[workflow].latest)
	s.put(workflow, fmt.Sprintf("/workflows/%s/versions/%d/actions/activate", workflow, 1+s.w.rng.Int64N(n)))
}

// deleteWorkflow ends what runs, deletes the workflow as soon as that is accepted, and pushes it again until it exists.
func (s *system) deleteWorkflow(workflow string) {
	s.call(workflow, http.MethodPut, "/workflows/"+workflow+"/actions/kill", "", func(answer) { s.tryDelete(workflow, 1) })
}

func (s *system) tryDelete(workflow string, tries int) {
	s.call(workflow, http.MethodDelete, "/workflows/"+workflow, "", func(a answer) {
		switch {
		case a.status == http.StatusOK || a.unknown():
			if a.status == http.StatusOK {
				s.w.counts[outcomeDeleted]++
			}
			s.later(func() { s.pushAgain(workflow, 1) })
		case tries < 12:
			s.in(30_000, func() { s.tryDelete(workflow, tries+1) })
		}
	})
}

func (s *system) pushAgain(workflow string, tries int) {
	s.push(workflow, func(a answer) {
		if (a.unknown() || a.status == http.StatusConflict) && tries < maxAsked {
			s.in(20_000+s.w.rng.Int64N(60_000), func() { s.pushAgain(workflow, tries+1) })
		}
	})
}

func (s *system) setLimit(workflow string) {
	s.limit(sharedTags[s.w.rng.IntN(len(sharedTags))], s.w.rng.IntN(4))
}

func (s *system) limit(tag string, limit int) {
	s.call("", http.MethodPost, "/tag-permits", fmt.Sprintf(`{"tag":%q,"max_allowed":%d}`, tag, limit), nil)
}

func (s *system) setBreakpoint(workflow string) {
	s.call(workflow, http.MethodPost, "/workflows/steps/breakpoints", fmt.Sprintf(`{"workflow_id":%q,"step_id":%q}`, workflow, stepName(s.w.rng.IntN(4))), nil)
}

func (s *system) deleteBreakpoint(workflow, step string, done func(a answer)) {
	s.call(workflow, http.MethodDelete, fmt.Sprintf("/workflows/steps/breakpoints?workflowId=%s&stepId=%s&resume=true", workflow, step), "", done)
}

// whenBreakpoint deletes a breakpoint as soon as there is one.
func (s *system) whenBreakpoint(workflow string, tries int) {
	step := stepName(s.w.rng.IntN(maxSteps))
	for i := range maxSteps {
		if s.hasBreakpoint(workflow, stepName(i)) {
			step, tries = stepName(i), waits
		}
	}
	if tries < waits {
		s.in(s.w.rng.Int64N(30_000), func() { s.whenBreakpoint(workflow, tries+1) })
		return
	}
	s.deleteBreakpoint(workflow, step, nil)
}

// whenPaused lets one attempt go on that paused at a breakpoint, as soon as there is one.
func (s *system) whenPaused(workflow string, tries int) {
	uuids := s.pausedAttempts(workflow)
	switch {
	case len(uuids) > 0:
		s.resume(s.attempts[uuids[s.w.rng.IntN(len(uuids))]])
	case tries < waits:
		s.in(s.w.rng.Int64N(30_000), func() { s.whenPaused(workflow, tries+1) })
	}
}

func (s *system) resume(at attempt) {
	s.call(at.run.Workflow, http.MethodPut, fmt.Sprintf("/workflows/steps/breakpoints/%s/instances/%d/runs/%d/steps/%s/attempts/%d/actions/resume",
		at.run.Workflow, at.run.Instance, at.run.Run, at.step, at.number), "{}", nil)
}

// pausedAttempts are the attempts of a workflow that are PAUSED, by uuid.
func (s *system) pausedAttempts(workflow string) []string {
	var out []string
	for _, uuid := range sortedKeys(s.attempts) {
		if at := s.attempts[uuid]; at.status == engine.StepPaused && at.run.Workflow == workflow && s.heads[at.run] != nil {
			out = append(out, uuid)
		}
	}
	return out
}

// read reads an instance that was numbered: it must be there, unless its workflow was deleted.
func (s *system) read(workflow string) {
	i := s.anInstance(workflow)
	if i == 0 {
		return
	}
	life := s.flows[workflow].internalID
	s.call(workflow, http.MethodGet, fmt.Sprintf("/workflows/%s/instances/%d", workflow, i), "", func(a answer) {
		if a.status == http.StatusNotFound && s.flows[workflow].internalID == life && !s.deletedInstance(workflow, i) && !s.beingDeleted(workflow) {
			s.w.fail("instance %d of %s was numbered and reads %d: %s", i, workflow, a.status, a.body)
		}
	})
}

func (s *system) beingDeleted(workflow string) bool {
	it, _, err := s.table.Get(background, store.DeletionKey(workflow))
	return err != nil || it.Exists()
}

func (s *system) deletedInstance(workflow string, i int64) bool {
	return s.deleted[store.RunID{Workflow: workflow, Instance: i, Run: 1}]
}

// sendPoison puts a message that nobody can read into a queue. It must end in the dead-letter queue and hinder nobody.
func (s *system) sendPoison(workflow string) {
	names := queue.Names()
	name := names[s.w.rng.IntN(len(names))]
	bodies := []string{
		"", "null", "{", `{"v":99,"kind":"run","wf":"alpha","i":1,"r":1}`, `{"v":1,"kind":"what"}`, `{"v":1,"kind":"run","wf":"alpha","i":-1,"r":1}`,
		"\x00\xff", `[1,2]`, `{"v":1,"op":"start"}`,
	}
	s.w.counts[faultPoison]++
	s.poison++
	s.place(name, &message{body: []byte(bodies[s.w.rng.IntN(len(bodies))]), at: s.w.now, poison: true})
}

// setUp pushes a definition for each workflow of the seed, without faults, and sets limits of the shared tags.
func (s *system) setUp() {
	w := s.w
	s.ids = append([]string(nil), workflowIDs...)
	w.rng.Shuffle(len(s.ids), func(i, j int) { s.ids[i], s.ids[j] = s.ids[j], s.ids[i] })
	s.ids = s.ids[:1+w.rng.IntN(len(s.ids))]
	for _, id := range s.ids {
		s.push(id, func(a answer) {
			if a.status != http.StatusOK && a.status != http.StatusCreated {
				w.fail("push of %s: %d %s", id, a.status, a.body)
			}
		})
		s.run(func() bool { return s.open == 0 }, w.now+3600_000)
	}
	for _, tag := range sharedTags {
		if w.rng.IntN(3) != 0 {
			s.limit(tag, 1+w.rng.IntN(2))
		}
	}
	s.run(func() bool { return s.open == 0 }, w.now+3600_000)
}

// clients lets users make requests, spread over a few minutes, half of them in bursts, where they meet.
func (s *system) clients() {
	w := s.w
	n := s.opts.Requests
	if n == 0 {
		n = 4 + w.rng.IntN(8)
	}
	total := 0
	for _, r := range requests {
		if s.makes(r) {
			total += r.weight
		}
	}
	for i := range n {
		workflow := s.ids[w.rng.IntN(len(s.ids))]
		at := w.rng.Int64N(240_000)
		if w.rng.IntN(2) == 0 {
			at = at/60_000*60_000 + w.rng.Int64N(200)
		}
		if w.rng.IntN(10) == 0 {
			at *= 6
		}
		r := requests[0] // there must be something to talk of
		if i > 1 {
			for k, j := w.rng.IntN(total), 0; ; j++ {
				if !s.makes(requests[j]) {
					continue
				}
				if k -= requests[j].weight; k < 0 {
					r = requests[j]
					break
				}
			}
		}
		s.plan(r, workflow, at)
		if len(r.then) > 0 && w.rng.IntN(4) != 0 {
			name := r.then[w.rng.IntN(len(r.then))]
			for _, next := range requests {
				if next.name == name {
					s.plan(next, workflow, at+w.rng.Int64N(120_000))
				}
			}
		}
	}
}

// makes tells whether clients of this seed make requests of a kind.
func (s *system) makes(r request) bool { return !r.timed || s.times != nil }

// plan has a request made at a time.
func (s *system) plan(r request, workflow string, at int64) {
	s.open++
	s.w.after(at, func() {
		s.open--
		s.w.counts[kindOf(r.name)]++
		s.making = r.name
		r.make(s, workflow)
		s.making = ""
	})
}
