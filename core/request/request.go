// Package request reads the bodies of starts and restarts, wherever they come from: a call of the API, or an event that
// starts a workflow.
package request

import (
	"regexp"
	"slices"
	"strings"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/wire"
)

// Object reads a JSON body as an object. Nothing, or a bare null, is a missing body.
func Object(body []byte) (*wire.Object, error) {
	missing := fault.New(fault.BadRequest, "Required request body is missing")
	if len(strings.TrimSpace(string(body))) == 0 {
		return nil, missing
	}
	v, err := wire.Parse(body)
	if err != nil {
		return nil, err
	}
	if v.IsNull() {
		return nil, missing
	}
	return wire.Open(v, "")
}

// uuidText is the canonical form of a UUID; the parser also takes the 24 characters of its Base64 form, which no client
// is known to send and we do not.
var uuidText = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

// requestID reads a UUID; absent, null and empty give "".
func requestID(o *wire.Object) string {
	n := o.Get("request_id")
	s := n.StrOpt()
	if s == nil || *s == "" {
		return ""
	}
	if !uuidText.MatchString(*s) {
		n.Fail("request_id must be a UUID in its canonical form, not %q", *s)
		return ""
	}
	return strings.ToLower(*s)
}

// requestTime reads request_time: absent is now, null is 0.
func requestTime(o *wire.Object, now int64) int64 {
	if !o.Has("request_time") {
		return now
	}
	return o.Long("request_time")
}

// checkRunParams applies the rules for params of requests (parameters.md 17); problems are listed together.
func checkRunParams(field string, defs *param.Definitions) []string {
	var wrong []string
	for _, text := range param.CheckRunParams(defs) {
		wrong = append(wrong, field+" "+text)
	}
	return append(wrong, definition.CheckParams(field, defs)...)
}

func checkTags(field string, tags param.Tags) []string {
	var wrong []string
	for _, t := range tags {
		if msg := definition.CheckName(t.Name); msg != "" {
			wrong = append(wrong, field+" "+msg)
		}
	}
	if tags.DuplicateName() != "" {
		wrong = append(wrong, field+" [tag list definition] cannot contain duplicate tag names")
	}
	return wrong
}

// violated is the error that lists violations of the rules for a body.
func violated(wrong []string) error {
	if len(wrong) == 0 {
		return nil
	}
	return fault.New(fault.BadRequest, `400 BAD_REQUEST "Validation failure"`).With(wrong...)
}

// Start reads the body of a start.
func Start(body []byte, now int64) (*engine.StartRequest, error) {
	return readStart(body, false, now)
}

// CustomizedStart reads the body of a start that runs some of the steps: that of Start, with the sets of steps.
func CustomizedStart(body []byte, now int64) (*engine.StartRequest, error) {
	return readStart(body, true, now)
}

// readSelection reads the sets of steps of a customized run. At least one must name a step: all empty would be a run of
// everything, which has calls of its own.
func readSelection(o *wire.Object) (engine.Selection, []string) {
	s := engine.Selection{Start: o.Strs("start_steps"), End: o.Strs("end_steps"), Skip: o.Strs("skip_steps")}
	if len(s.Start)+len(s.End)+len(s.Skip) == 0 {
		return s, []string{"at least one of start_steps, end_steps and skip_steps must name a step"}
	}
	return s, nil
}

func readStart(body []byte, customized bool, now int64) (*engine.StartRequest, error) {
	o, err := Object(body)
	if err != nil {
		return nil, err
	}
	r := &engine.StartRequest{}
	var wrong []string
	if n := o.Get("initiator"); n.IsNull() {
		wrong = append(wrong, "initiator [initiator] must be given")
	} else {
		r.Initiator, wrong = readInitiator(n.Object())
	}
	r.RequestID = requestID(o)
	r.RequestTime = requestTime(o, now)
	r.RuntimeTags = param.ReadTags(o.Get("runtime_tags"))
	r.RunParams = param.ReadDefinitions(o.Get("run_params"), true)
	r.Artifacts = readArtifacts(o.Get("artifacts"))
	r.PersistFailedRun = o.Bool("persist_failed_run")
	if customized {
		var missing []string
		r.Policy = engine.StartCustomizedRun
		r.Selection, missing = readSelection(o)
		wrong = append(wrong, missing...)
	}
	if err := o.Close(); err != nil {
		return nil, err
	}
	wrong = append(wrong, checkTags("runtimeTags", r.RuntimeTags)...)
	wrong = append(wrong, checkRunParams("runParams", r.RunParams)...)
	return r, violated(wrong)
}

var initiatorTypes = []string{
	string(engine.Manual), string(engine.TimeTriggered), string(engine.Signalled), string(engine.BySubworkflow), string(engine.ByForeach),
	string(engine.ByWhile), string(engine.ByTemplate),
}

func readInitiator(o *wire.Object) (engine.Initiator, []string) {
	if o == nil {
		return engine.Initiator{}, nil
	}
	in := engine.Initiator{Type: engine.InitiatorType(o.Type("type", initiatorTypes))}
	var wrong []string
	require := func(name string, missing bool) {
		if missing {
			wrong = append(wrong, "initiator."+name+" may not be null")
		}
	}
	in.Depth = o.Long("depth")
	switch in.Type {
	case engine.Manual:
		o.Ignore("user")
	case engine.TimeTriggered:
		in.TriggerUUID = o.Str("trigger_uuid")
		in.TriggerTime = o.Long("trigger_time")
		in.Timezone = o.StrOpt("timezone")
		require("triggerUuid", in.TriggerUUID == "")
		require("triggerTime", o.Get("trigger_time").IsNull())
		require("timezone", in.Timezone == nil)
	case engine.Signalled:
		in.TriggerUUID = o.Str("trigger_uuid")
		require("triggerUuid", in.TriggerUUID == "")
		for _, m := range o.Members("signal_id_map") {
			in.SignalIDs = append(in.SignalIDs, engine.SignalID{Name: m.Name, ID: m.Long()})
		}
		in.Params = param.ReadParams(o.Get("params"), true)
	default:
		for _, n := range o.List("ancestors") {
			a := n.Object()
			if a == nil {
				n.Fail("an ancestor must be an object")
				break
			}
			in.Ancestors = append(in.Ancestors, engine.Ancestor{
				WorkflowID: a.Str("workflow_id"), InstanceID: a.Long("instance_id"), RunID: a.Long("run_id"), StepID: a.Str("step_id"),
				AttemptID: a.Long("step_attempt_id"), Sync: a.BoolOpt("sync"),
			})
			o.Node().Check(a.Close())
		}
		in.Depth = int64(len(in.Ancestors))
		require("ancestors", len(in.Ancestors) == 0)
	}
	o.Node().Check(o.Close())
	return in, wrong
}

// readArtifacts reads a map of artifacts. The type DEFAULT is what an artifact without one has, and is not kept.
func readArtifacts(n wire.Node) step.Artifacts {
	if n.IsNull() {
		return nil
	}
	var out step.Artifacts
	for _, m := range n.Members() {
		v := m.Value()
		if v.Kind() != wire.KindObject {
			m.Fail("artifact [%s] must be an object", m.Name)
			return nil
		}
		if t := v.Get("type"); t.Kind() == wire.KindString && strings.EqualFold(t.Text(), "DEFAULT") {
			v = wire.ObjectOf(slices.DeleteFunc(slices.Clone(v.Fields()), func(f wire.Field) bool { return f.Name == "type" }))
		}
		out = append(out, step.Artifact{Key: m.Name, JSON: v.AppendJSON(nil)})
	}
	return out
}

// Restart reads the body of a restart of an instance, or, with ofStep, of a step. The text is upstream_restart_mode.
func Restart(body []byte, ofStep bool, now int64) (*engine.RestartRequest, string, error) {
	o, err := Object(body)
	if err != nil {
		return nil, "", err
	}
	r := &engine.RestartRequest{}
	// A number counts in this order: 1 is RESTART_FROM_BEGINNING.
	policy := o.EnumExact("restart_policy", []string{string(engine.RestartFromIncomplete), string(engine.RestartFromBeginning)})
	upstream := ""
	r.RequestID = requestID(o)
	r.RequestTime = requestTime(o, now)
	field, defs := "runParams", (*param.Definitions)(nil)
	if ofStep {
		field, defs = "stepRunParams", param.ReadDefinitions(o.Get("step_run_params"), true)
		upstream = o.EnumExact("upstream_restart_mode", []string{"RESTART_FROM_INLINE_ROOT", "RESTART_FROM_STEP"})
		r.Policy, r.DownstreamPolicy, r.StepParams = engine.RestartFromSpecific, engine.RunPolicy(policy), defs
	} else {
		defs = param.ReadDefinitions(o.Get("run_params"), true)
		r.Policy, r.Params = engine.RunPolicy(policy), defs
	}
	if err := o.Close(); err != nil {
		return nil, "", err
	}
	var wrong []string
	if policy == "" {
		wrong = append(wrong, "restartPolicy must be RESTART_FROM_INCOMPLETE or RESTART_FROM_BEGINNING")
	}
	return r, upstream, violated(append(wrong, checkRunParams(field, defs)...))
}

// CustomizedRestart reads the body of a restart of an instance that runs some of the steps.
func CustomizedRestart(body []byte, now int64) (*engine.RestartRequest, error) {
	o, err := Object(body)
	if err != nil {
		return nil, err
	}
	r := &engine.RestartRequest{Policy: engine.RestartCustomizedRun, RequestID: requestID(o), RequestTime: requestTime(o, now)}
	r.Params = param.ReadDefinitions(o.Get("run_params"), true)
	var wrong []string
	r.Selection, wrong = readSelection(o)
	if err := o.Close(); err != nil {
		return nil, err
	}
	return r, violated(append(wrong, checkRunParams("runParams", r.Params)...))
}
