package engine

import (
	"slices"

	"github.com/downbeat/downbeat/core/dag"
	"github.com/downbeat/downbeat/core/fault"
)

// RestartRequest is a request for a new run of an instance.
type RestartRequest struct {
	// Policy is one of the restart policies; RESTART_FROM_SPECIFIC needs StepID, the others have none.
	Policy RunPolicy
	StepID string
	// DownstreamPolicy is for what StepID starts below itself; "" is RESTART_FROM_INCOMPLETE. For a restart of the whole
	// instance it is Policy.
	DownstreamPolicy RunPolicy
	Params           ParamDefs // of the run; only without StepID
	StepParams       ParamDefs // of StepID
	// Overrides are params of steps for a restart of the whole instance that was asked for on one of its steps
	// (RESTART_FROM_INLINE_ROOT). There are no Params then, and readers see none.
	Overrides []StepParams
	Skip      bool // StepID is to be SKIPPED
	// Selection is for RESTART_CUSTOMIZED_RUN.
	Selection Selection

	// For runs above and below the restarted entity: Config is what is restarted and how, its last node that of this run;
	// the members before but Policy and StepID do not count then.
	Config *RestartConfig
	// For runs that a parent restarts: who, and the params that it hands down. nil: a user.
	Initiator *Initiator
	RunParams ParamDefs

	RequestID   string
	RequestTime int64 // 0 for a run made by a skip
	User        string
}

// Selection chooses the steps of a customized run, which Maestro declares but never built: those on a path from one of
// Start to one of End, both included. Empty Start means the roots, empty End every end. Steps of Skip are SKIPPED
// instead of run. Nothing outside of the selection runs, so a completed step there keeps its result.
//
// A step of the selection does not wait for predecessors outside of it. A step of Start runs whatever they chose; for
// any other the choice that one of them made in an earlier run counts beside those of its predecessors inside.
type Selection struct {
	Start, End, Skip []string
}

// PlanRestart makes the body of a new run from the latest one, which must be terminal. The body has no numbers yet: the
// lane gives the run id (Body.Number). Errors are *fault.Error, or a *NeedError.
func PlanRestart(prev *State, request RestartRequest, env PlanEnv) (*Body, error) {
	old := prev.Body
	if !prev.Run.Status.Terminal() {
		return nil, fault.New(fault.BadRequest, "run %d of the instance is %s: only a terminal run can be restarted", old.RunID, prev.Run.Status)
	}
	views := Views(prev)
	b := &Body{
		WorkflowID: old.WorkflowID, InternalID: old.InternalID, VersionID: old.VersionID, InstanceID: old.InstanceID,
		UUID: request.RequestID, CorrelationID: old.CorrelationID, GroupInfo: old.GroupInfo,
		Policy: request.Policy, Initiator: manual(request.User),
		RequestTime: request.RequestTime, CreateTime: env.Now(),
		Properties: old.Properties, Workflow: old.Workflow, Concurrency: old.Concurrency,
		Baseline: &Baseline{Status: prev.Run.Status, Views: views},
	}
	if request.Initiator != nil {
		b.Initiator, b.RuntimeTags, b.RunParams = *request.Initiator, old.RuntimeTags, request.RunParams
	}
	b.RestartConfig = request.Config
	if b.RestartConfig == nil && request.Initiator == nil {
		b.RestartConfig = configOf(old, request)
	}
	graph, err := restartGraph(b, request, views)
	if err != nil {
		return nil, err
	}
	b.DAG = graph
	b.SignalMatches = matchesOf(prev)
	if err := restartParams(b, old, env); err != nil {
		return nil, err
	}
	return b, nil
}

// configOf is the restart config of the restarted entity itself.
func configOf(old *Body, request RestartRequest) *RestartConfig {
	node := PathNode{WorkflowID: old.WorkflowID, InstanceID: old.InstanceID, StepID: request.StepID}
	config := &RestartConfig{Path: []PathNode{node}, Policy: request.Policy, DownstreamPolicy: request.DownstreamPolicy}
	if request.StepID == "" {
		if config.DownstreamPolicy == "" {
			config.DownstreamPolicy = request.Policy
			if request.Policy == RestartCustomizedRun {
				config.DownstreamPolicy = RestartFromBeginning // the choice of steps is this run's; what runs, runs whole
			}
		}
		config.StepRestartParams = request.Overrides
		if config.HasParams = request.Overrides == nil; config.HasParams {
			config.Params = request.Params
		}
	} else {
		if config.DownstreamPolicy == "" {
			config.DownstreamPolicy = RestartFromIncomplete
		}
		config.StepRestartParams = []StepParams{{StepID: request.StepID, Params: request.StepParams}}
		if request.Skip {
			config.SkipSteps = []string{request.StepID}
		}
	}
	return config
}

// Above is the request for the run above one that is restarted: of the step that started it.
func Above(old *Body, request RestartRequest) (parent Ancestor, above RestartRequest) {
	config := request.Config
	if config == nil {
		config = configOf(old, request)
	}
	list := old.Initiator.Ancestors
	parent = list[len(list)-1]
	up := *config
	up.Path = append(append(make([]PathNode, 0, len(config.Path)+1), config.Path...),
		PathNode{WorkflowID: parent.WorkflowID, InstanceID: parent.InstanceID, StepID: parent.StepID})
	above = request
	above.Policy, above.StepID, above.Config = RestartFromSpecific, parent.StepID, &up
	return parent, above
}

// Below is how a step of a run that restarts something restarts a child (engine-runs-and-actions.md 3.5). instance is
// that of the child. The config is nil for a child that lies downstream of what is restarted; body are the steps of a
// loop's body, nil for a subworkflow.
func Below(config *RestartConfig, stepID, child string, instance int64, body []*Step) (RunPolicy, *RestartConfig, error) {
	if config == nil {
		return RestartFromIncomplete, nil, nil
	}
	n := len(config.Path)
	if n > 1 && config.Path[n-1].StepID == stepID {
		next := config.Path[n-2]
		if next.WorkflowID != child || body == nil && next.InstanceID != instance {
			return "", nil, fault.New(fault.BadRequest, "the restart path names [%s][%d] below step [%s], which is not its child", next.WorkflowID, next.InstanceID, stepID)
		}
		if next.InstanceID != instance {
			return config.DownstreamPolicy, nil, nil
		}
		down := *config
		down.Path = config.Path[:n-1]
		if n == 2 {
			return config.Policy, &down, nil
		}
		return RestartFromSpecific, &down, nil
	}
	if n == 1 && config.Path[0].StepID == "" && overrides(config.StepRestartParams, body) {
		return config.DownstreamPolicy, config, nil // the params are for whatever iteration has the step
	}
	return config.DownstreamPolicy, nil, nil
}

// overrides tells whether params are given for a step of a body, at any depth.
func overrides(list []StepParams, body []*Step) bool {
	for _, s := range body {
		if slices.ContainsFunc(list, func(p StepParams) bool { return p.StepID == s.ID }) || overrides(list, s.Steps) {
			return true
		}
	}
	return false
}

// ConfigOf is the restart config that an attempt follows: its own, or that of its run. nil in a fresh run.
func ConfigOf(b *Body, a *Attempt) *RestartConfig {
	if a.RestartConfig != nil {
		return a.RestartConfig
	}
	return b.RestartConfig
}

// restartGraph is the runtime DAG of a restart (engine.md 5.1).
func restartGraph(b *Body, request RestartRequest, views []StepView) (*dag.Graph, error) {
	nodes := b.Workflow.Nodes()
	var start []string
	for _, v := range views {
		if v.Status == StepNotCreated || v.Status.Terminal() && !v.Status.Complete() {
			start = append(start, v.StepID)
		}
	}
	var g *dag.Graph
	var err error
	switch request.Policy {
	case RestartFromBeginning:
		g, err = dag.Fresh(b.WorkflowID, nodes)
		if err != nil {
			return nil, fault.New(fault.BadRequest, "%s", err.Error())
		}
		return ordered(g, true), nil
	case RestartFromIncomplete:
		g, err = dag.Restart(b.WorkflowID, nodes, start)
	case RestartFromSpecific:
		k := slices.IndexFunc(views, func(v StepView) bool { return v.StepID == request.StepID })
		if k < 0 || views[k].Status == StepNotCreated {
			return nil, fault.New(fault.BadRequest, "step [%s] was not created in any run of the instance", request.StepID)
		}
		if !slices.Contains(start, request.StepID) {
			start = append(start, request.StepID)
		}
		g, err = dag.Restart(b.WorkflowID, nodes, start)
	case RestartCustomizedRun:
		return selected(b, request.Selection)
	default:
		return nil, fault.New(fault.BadRequest, "[%s] is no restart policy", request.Policy)
	}
	if err != nil {
		return nil, fault.New(fault.BadRequest, "%s", err.Error())
	}
	return ordered(g, false), nil
}

// selected is the runtime DAG of a customized run; the selection goes into the body's restart config.
func selected(b *Body, s Selection) (*dag.Graph, error) {
	g, err := dag.Fresh(b.WorkflowID, b.Workflow.Nodes())
	if err != nil {
		return nil, fault.New(fault.BadRequest, "%s", err.Error())
	}
	for _, set := range []struct {
		name string
		ids  []string
	}{{"start_steps", s.Start}, {"end_steps", s.End}, {"skip_steps", s.Skip}} {
		for i, id := range set.ids {
			if g.Node(id) == nil {
				return nil, fault.New(fault.BadRequest, "%s: step [%s] is not in the definition", set.name, id)
			}
			if slices.Contains(set.ids[:i], id) {
				return nil, fault.New(fault.BadRequest, "%s: step [%s] is named twice", set.name, id)
			}
		}
	}
	below := reach(g, s.Start, func(n *dag.Node, visit func(string)) {
		for _, e := range n.Successors {
			visit(e.To)
		}
	})
	above := reach(g, s.End, func(n *dag.Node, visit func(string)) {
		for _, p := range n.Predecessors {
			visit(p)
		}
	})
	inside := func(id string) bool { return below[id] && above[id] }
	for _, id := range s.Start {
		if !inside(id) {
			return nil, fault.New(fault.BadRequest, "start_steps: no end step is reached from step [%s]", id)
		}
	}
	for _, id := range s.End {
		if !inside(id) {
			return nil, fault.New(fault.BadRequest, "end_steps: step [%s] is not reached from a start step", id)
		}
	}
	for _, id := range s.Skip {
		if !inside(id) {
			return nil, fault.New(fault.BadRequest, "skip_steps: step [%s] does not lie between the start and the end steps", id)
		}
	}
	var nodes []dag.Node
	for i := range g.Nodes {
		n := g.Nodes[i]
		if !inside(n.ID) {
			continue
		}
		if b.Policy.Fresh() || slices.Contains(s.Start, n.ID) {
			n.Predecessors = nil
		}
		n.Successors = slices.DeleteFunc(slices.Clone(n.Successors), func(e dag.Edge) bool { return !inside(e.To) })
		nodes = append(nodes, n)
	}
	if g, err = dag.Fresh(b.WorkflowID, nodes); err != nil {
		return nil, fault.New(fault.BadRequest, "%s", err.Error())
	}
	b.RestartConfig.StartSteps, b.RestartConfig.EndSteps, b.RestartConfig.SkipSteps = s.Start, s.End, s.Skip
	return ordered(g, b.Policy.Fresh()), nil
}

// reach is the set of steps that next leads to from those given, themselves included; all steps when none are given.
func reach(g *dag.Graph, from []string, next func(*dag.Node, func(string))) map[string]bool {
	seen := make(map[string]bool, g.Len())
	if len(from) == 0 {
		for i := range g.Nodes {
			seen[g.Nodes[i].ID] = true
		}
		return seen
	}
	var visit func(id string)
	visit = func(id string) {
		if n := g.Node(id); n != nil && !seen[id] {
			seen[id] = true
			next(n, visit)
		}
	}
	for _, id := range from {
		visit(id)
	}
	return seen
}

// matchesOf are the signal dependencies of a run's steps, which its restart takes over with their matches.
func matchesOf(prev *State) []SignalMatch {
	var list []SignalMatch
	for i := range prev.Steps {
		if a := prev.Steps[i].Latest; a != nil && a.SignalDependencies != nil {
			list = append(list, SignalMatch{StepID: a.StepID, Dependencies: a.SignalDependencies.clone()})
		}
	}
	return list
}
