package api

import (
	"net/http"
	"sort"
	"strconv"
	"strings"

	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/view"
)

const (
	base      = "/api/v3"
	instances = base + "/workflows/{workflowId}/instances"
	instance  = instances + "/{workflowInstanceId}"
	run       = instance + "/runs/{workflowRunId}"
)

func (a *API) readRoutes() []route {
	get := func(path string, h func(*call) (answer, error)) route {
		return route{method: http.MethodGet, path: path, handle: h}
	}
	return []route{
		get(base+"/workflows/instances/action-map", func(*call) (answer, error) { return ok(view.AppendInstanceActionMap(nil)) }),
		get(base+"/workflows/steps/instances/action-map", func(*call) (answer, error) { return ok(view.AppendStepActionMap(nil)) }),
		get(instances, (*call).listInstances),
		get(instance, (*call).readInstance),
		get(instance+"/runs", (*call).listRuns),
		get(run, (*call).readRun),
		get(instance+"/steps", (*call).listNewestSteps),
		get(instance+"/steps/{stepId}", (*call).readNewestStep),
		get(run+"/steps", (*call).listRunSteps),
		get(run+"/steps/{stepId}/attempts/{attempt}", (*call).readAttempt),
	}
}

// textLong reads a path value whose defects are the application's (family A): `latest`, where it is allowed, gives 0.
func textLong(name, text string) (int64, error) {
	if strings.EqualFold(text, "latest") {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fault.New(fault.BadRequest, "For input string: %q (%s)", text, name)
	}
	return n, nil
}

func (c *call) readInstance() (answer, error) {
	n, err := c.pathLong("workflowInstanceId")
	if err != nil {
		return answer{}, err
	}
	enriched, err := c.queryBool("enriched", true)
	if err != nil {
		return answer{}, err
	}
	return c.writeRun(store.RunID{Workflow: c.PathValue("workflowId"), Instance: n}, enriched, view.AggregateComputed)
}

func (c *call) readRun() (answer, error) {
	n, err := c.pathLong("workflowInstanceId")
	if err != nil {
		return answer{}, err
	}
	enriched, err := c.queryBool("enriched", true)
	if err != nil {
		return answer{}, err
	}
	aggregated, err := c.queryBool("aggregated", false)
	if err != nil {
		return answer{}, err
	}
	r, err := textLong("workflowRun", c.PathValue("workflowRunId"))
	if err != nil {
		return answer{}, err
	}
	how := view.AggregateNone
	if aggregated {
		how = view.AggregateComputed
	}
	return c.writeRun(store.RunID{Workflow: c.PathValue("workflowId"), Instance: n, Run: r}, enriched, how)
}

func (c *call) writeRun(id store.RunID, enriched bool, how view.Aggregation) (answer, error) {
	v, err := c.api.app.Run(c.Context(), id)
	if err != nil {
		return answer{}, err
	}
	body, err := c.appendRun(v, view.InstanceOptions{Enriched: enriched, Aggregate: how})
	if err != nil {
		return answer{}, err
	}
	return ok(body)
}

// appendRun shows a run, with what nested steps of earlier runs count.
func (c *call) appendRun(v *app.RunView, o view.InstanceOptions) ([]byte, error) {
	var err error
	if o.Expanded, err = c.api.app.Expanded(c.Context(), v); err != nil {
		return nil, err
	}
	return view.AppendInstance(nil, v.State(), o)
}

// pageSize reads first and last.
func (c *call) pageSize() (view.PageRequest, error) {
	var p view.PageRequest
	first, err := c.queryLong("first")
	if err != nil {
		return p, err
	}
	last, err := c.queryLong("last")
	if err != nil {
		return p, err
	}
	if first != nil {
		p.First, p.HasFirst = *first, true
	}
	if last != nil {
		p.Last, p.HasLast = *last, true
	}
	return p, p.Check()
}

// pageRequest reads first, last and a cursor that is a number.
func (c *call) pageRequest() (view.PageRequest, error) {
	p, err := c.pageSize()
	if err != nil {
		return p, err
	}
	if text, has := c.query("cursor"); has && text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return p, fault.New(fault.BadRequest, "For input string: %q (cursor)", text)
		}
		p.Cursor, p.HasCursor = n, true
	}
	return p, nil
}

func (c *call) listInstances() (answer, error) {
	p, err := c.pageRequest()
	if err != nil {
		return answer{}, err
	}
	aggregated, err := c.queryBool("aggregated", true)
	if err != nil {
		return answer{}, err
	}
	wf := c.PathValue("workflowId")
	latest, err := c.api.app.LatestInstance(c.Context(), wf)
	if err != nil {
		return answer{}, err
	}
	first, err := c.api.app.FirstInstance(c.Context(), wf)
	if err != nil {
		return answer{}, err
	}
	exist := view.Span{Low: first, High: latest}
	if exist.Empty() {
		return ok(view.AppendPage(nil, view.Span{Low: 1, High: 0}, nil))
	}
	how := view.AggregateStored
	if aggregated {
		how = view.AggregateComputed
	}
	var elements []view.Element
	if w := p.Window(exist); !w.Empty() {
		views, err := c.api.app.Instances(c.Context(), wf, w.Low, w.High)
		if err != nil {
			return answer{}, err
		}
		size := 0
		for _, v := range views {
			body, err := c.appendRun(v, view.InstanceOptions{Aggregate: how})
			if err != nil {
				return answer{}, err
			}
			elements = append(elements, view.Element{ID: v.ID().Instance, JSON: body})
			size += len(body)
		}
		elements = fit(elements, size, p.HasFirst)
	}
	return ok(view.AppendPage(nil, exist, elements))
}

// maxAnswer is after how many bytes a list answer has no more elements: Lambda answers at 6 MB (P36, P37).
const maxAnswer = 5 << 20

// fit drops elements from the far end of a page until it is small enough; they are in rising order.
func fit(elements []view.Element, size int, fromHigh bool) []view.Element {
	for size > maxAnswer && len(elements) > 1 {
		if fromHigh {
			size -= len(elements[0].JSON)
			elements = elements[1:]
		} else {
			size -= len(elements[len(elements)-1].JSON)
			elements = elements[:len(elements)-1]
		}
	}
	return elements
}

func (c *call) listRuns() (answer, error) {
	n, err := c.pathLong("workflowInstanceId")
	if err != nil {
		return answer{}, err
	}
	p, err := c.pageRequest()
	if err != nil {
		return answer{}, err
	}
	wf := c.PathValue("workflowId")
	latest, err := c.api.app.LatestRunNumber(c.Context(), wf, n)
	if err != nil {
		return answer{}, err
	}
	exist := view.Span{Low: 1, High: latest}
	if exist.Empty() {
		return ok(view.AppendPage(nil, exist, nil))
	}
	var elements []view.Element
	if w := p.Window(exist); !w.Empty() {
		views, err := c.api.app.Runs(c.Context(), wf, n, w.Low, w.High)
		if err != nil {
			return answer{}, err
		}
		for i := len(views) - 1; i >= 0; i-- {
			body, err := c.appendRun(views[i], view.InstanceOptions{Aggregate: view.AggregateStored})
			if err != nil {
				return answer{}, err
			}
			elements = append(elements, view.Element{ID: views[i].ID().Run, JSON: body})
		}
	}
	return ok(view.AppendPage(nil, exist, elements))
}

func noStep(c *call, n int64) error {
	return fault.New(fault.NotFound, "workflow instance [%s][%d] has no attempt of step [%s]", c.PathValue("workflowId"), n, c.PathValue("stepId"))
}

func (c *call) readNewestStep() (answer, error) {
	n, err := c.pathLong("workflowInstanceId")
	if err != nil {
		return answer{}, err
	}
	enriched, err := c.queryBool("enriched", true)
	if err != nil {
		return answer{}, err
	}
	newest, bodies, err := c.api.app.NewestAttempts(c.Context(), c.PathValue("workflowId"), n)
	if err != nil {
		return answer{}, err
	}
	step := c.PathValue("stepId")
	at := newest[step]
	if at == nil {
		return answer{}, noStep(c, n)
	}
	body, err := view.AppendStep(nil, bodies[step], at, enriched)
	if err != nil {
		return answer{}, err
	}
	return ok(body)
}

func (c *call) readAttempt() (answer, error) {
	n, err := c.pathLong("workflowInstanceId")
	if err != nil {
		return answer{}, err
	}
	r, err := c.pathLong("workflowRunId")
	if err != nil {
		return answer{}, err
	}
	enriched, err := c.queryBool("enriched", true)
	if err != nil {
		return answer{}, err
	}
	text := c.PathValue("attempt")
	number, err := textLong("attempt", text)
	if err != nil {
		return answer{}, err
	}
	latest := strings.EqualFold(text, "latest")
	if r < 1 || n < 1 || !latest && number < 1 {
		return answer{}, noStep(c, n)
	}
	v, err := c.api.app.Run(c.Context(), store.RunID{Workflow: c.PathValue("workflowId"), Instance: n, Run: r})
	if err != nil {
		return answer{}, err
	}
	var found *engine.Attempt
	for _, at := range v.Attempts() {
		if at.StepID != c.PathValue("stepId") || !latest && at.AttemptID != number {
			continue
		}
		if found == nil || at.AttemptID > found.AttemptID {
			found = at
		}
	}
	if found == nil {
		return answer{}, noStep(c, n)
	}
	body, err := view.AppendStep(nil, v.Body(), found, enriched)
	if err != nil {
		return answer{}, err
	}
	return ok(body)
}

func (c *call) listNewestSteps() (answer, error) {
	n, err := c.pathLong("workflowInstanceId")
	if err != nil {
		return answer{}, err
	}
	newest, bodies, err := c.api.app.NewestAttempts(c.Context(), c.PathValue("workflowId"), n)
	if err != nil {
		return answer{}, err
	}
	var list []view.RunAttempt
	for _, id := range sortedSteps(newest) {
		list = append(list, view.RunAttempt{Body: bodies[id], Attempt: newest[id]})
	}
	body, err := view.AppendSteps(nil, list)
	if err != nil {
		return answer{}, err
	}
	return ok(body)
}

func (c *call) listRunSteps() (answer, error) {
	n, err := c.pathLong("workflowInstanceId")
	if err != nil {
		return answer{}, err
	}
	r, err := c.pathLong("workflowRunId")
	if err != nil {
		return answer{}, err
	}
	id := store.RunID{Workflow: c.PathValue("workflowId"), Instance: n, Run: r}
	none := fault.New(fault.NotFound, "workflow instance run %s has no step", id)
	if n < 1 || r < 1 {
		return answer{}, none
	}
	v, err := c.api.app.Run(c.Context(), id)
	if err != nil {
		return answer{}, err
	}
	list := view.Created(v.State())
	if len(list) == 0 {
		return answer{}, none
	}
	body, err := view.AppendSteps(nil, list)
	if err != nil {
		return answer{}, err
	}
	return ok(body)
}

func sortedSteps[V any](m map[string]V) []string {
	ids := make([]string, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids
}
