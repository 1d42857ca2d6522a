package definition

import (
	"slices"

	"github.com/downbeat/downbeat/core/dag"
	"github.com/downbeat/downbeat/core/wire"
)

// Writing of JSON, in Maestro's order of members. Absent members are left out.

// AppendJSON writes the request as Maestro would write it again: its size is limited.
func (r *CreateRequest) AppendJSON(out []byte) []byte {
	w := newWriter(out)
	if r.Properties != nil {
		w.Append("properties", r.Properties)
	}
	if r.Workflow != nil {
		w.Append("workflow", r.Workflow)
	}
	if !r.NoIsActive {
		w.Bool("is_active", r.IsActive)
	}
	if r.GitInfo != nil {
		w.Append("git_info", r.GitInfo)
	}
	w.members(r.Extras)
	w.Close()
	return w.Bytes()
}

// AppendJSON writes the definition as it was parsed.
func (d *Workflow) AppendJSON(out []byte) []byte {
	w := newWriter(slices.Grow(out, d.size))
	w.Str("id", d.ID)
	w.StrOpt("name", d.Name)
	w.StrOpt("description", d.Description)
	w.tags("tags", d.Tags)
	w.parsable("timeout", d.Timeout)
	if d.TimeTriggers != nil {
		w.List("time_triggers")
		for i := range d.TimeTriggers {
			w.AppendItem(&d.TimeTriggers[i])
		}
		w.CloseList()
	}
	if d.SignalTriggers != nil {
		w.List("signal_triggers")
		for i := range d.SignalTriggers {
			w.AppendItem(&d.SignalTriggers[i])
		}
		w.CloseList()
	}
	w.StrIf("criticality", string(d.Criticality))
	w.LongOpt("instance_step_concurrency", d.InstanceStepConcurrency)
	w.params("params", d.Params)
	w.steps(d.Steps)
	w.Close()
	return w.Bytes()
}

func (w writer) steps(steps []*Step) {
	if steps == nil {
		return
	}
	w.List("steps")
	for _, s := range steps {
		w.AppendItem(s)
	}
	w.CloseList()
}

// AppendJSON writes the step in the wrapper of its form.
func (s *Step) AppendJSON(out []byte) []byte {
	w := newWriter(out)
	w.Object(string(s.Form))
	if s.Form == TemplateForm {
		s.writeTemplate(w)
		w.Close()
		w.Close()
		return w.Bytes()
	}
	w.Str("id", s.ID)
	w.StrOpt("name", s.Name)
	w.StrOpt("description", s.Description)
	w.Append("transition", transition{s.Transition})
	if s.Form == TypedForm {
		w.StrIf("type", string(s.Type))
		w.StrOpt("sub_type", s.SubType)
		w.StrOpt("sub_type_version", s.SubTypeVersion)
	}
	w.StrIf("failure_mode", string(s.FailureMode))
	if s.RetryPolicy != nil {
		w.Append("retry_policy", s.RetryPolicy)
	}
	w.tags("tags", s.Tags)
	w.parsable("timeout", s.Timeout)
	s.signals(w)
	w.LongOpt("concurrency", s.Concurrency)
	w.BoolOpt("strict_ordering", s.StrictOrdering)
	w.StrOpt("condition", s.Condition)
	w.BoolOpt("sync", s.Sync)
	w.BoolOpt("explicit_params", s.ExplicitParams)
	w.params("params", s.Params)
	w.steps(s.Steps)
	w.Close()
	w.Close()
	return w.Bytes()
}

// writeTemplate writes a template step, whose members are in alphabetical order.
func (s *Step) writeTemplate(w writer) {
	w.StrOpt("description", s.Description)
	w.StrIf("failure_mode", string(s.FailureMode))
	w.Str("id", s.ID)
	w.StrOpt("name", s.Name)
	w.params("params", s.Params)
	s.signals(w)
	w.StrOpt("sub_type", s.SubType)
	w.tags("tags", s.Tags)
	w.parsable("timeout", s.Timeout)
	w.Append("transition", transition{s.Transition})
}

func (s *Step) signals(w writer) {
	if s.SignalDependencies != nil {
		w.List("signal_dependencies")
		for _, d := range s.SignalDependencies {
			w.AppendItem(d)
		}
		w.CloseList()
	}
	if s.SignalOutputs != nil {
		w.List("signal_outputs")
		for _, o := range s.SignalOutputs {
			w.AppendItem(o)
		}
		w.CloseList()
	}
}

// transition is a transition that writes itself.
type transition struct{ t dag.Transition }

func (t transition) AppendJSON(out []byte) []byte { return AppendTransition(out, t.t) }

// AppendTransition writes a transition without its empty members; a null condition stays null. It is
// the form of definitions and of each step of a runtime DAG.
func AppendTransition(out []byte, t dag.Transition) []byte {
	w := newWriter(out)
	if len(t.Predecessors) > 0 {
		w.Strs("predecessors", t.Predecessors)
	}
	if len(t.Successors) > 0 {
		w.Object("successors")
		for _, e := range t.Successors {
			if e.Null {
				w.Null(e.To)
			} else {
				w.Str(e.To, e.Condition)
			}
		}
		w.Close()
	}
	w.Close()
	return w.Bytes()
}

// AppendRuntimeDAG writes a runtime DAG: a map of step id to transition, in the graph's order.
func AppendRuntimeDAG(out []byte, g *dag.Graph) []byte {
	w := newWriter(out)
	for i := range g.Nodes {
		w.Append(g.Nodes[i].ID, transition{g.Nodes[i].Transition})
	}
	w.Close()
	return w.Bytes()
}

// AppendJSON writes the policy as it was given.
func (p *RetryPolicy) AppendJSON(out []byte) []byte {
	w := newWriter(out)
	w.parsable("error_retry_limit", p.ErrorRetryLimit)
	w.parsable("platform_retry_limit", p.PlatformRetryLimit)
	w.parsable("timeout_retry_limit", p.TimeoutRetryLimit)
	if b := p.Backoff; b != nil {
		w.Object("backoff")
		w.parsable("error_retry_backoff_in_secs", b.ErrorRetryBackoffInSecs)
		w.parsable("error_retry_exponent", b.ErrorRetryExponent)
		w.parsable("error_retry_limit_in_secs", b.ErrorRetryLimitInSecs)
		w.parsable("platform_retry_backoff_in_secs", b.PlatformRetryBackoffInSecs)
		w.parsable("platform_retry_exponent", b.PlatformRetryExponent)
		w.parsable("platform_retry_limit_in_secs", b.PlatformRetryLimitInSecs)
		w.parsable("timeout_retry_backoff_in_secs", b.TimeoutRetryBackoffInSecs)
		w.parsable("timeout_retry_exponent", b.TimeoutRetryExponent)
		w.parsable("timeout_retry_limit_in_secs", b.TimeoutRetryLimitInSecs)
		w.Str("type", string(b.Type))
		w.Close()
	}
	w.Close()
	return w.Bytes()
}

// AppendJSON writes the trigger as it was given.
func (t *TimeTrigger) AppendJSON(out []byte) []byte {
	w := newWriter(out)
	w.StrOpt("cron", t.Cron)
	w.StrIf("expression", t.Expression)
	w.StrOpt("interval", t.Interval)
	w.parsable("fuzzy_max_delay", t.FuzzyMaxDelay)
	w.StrOpt("timezone", t.Timezone)
	w.Str("type", string(t.Type))
	w.Close()
	return w.Bytes()
}

// AppendJSON writes the trigger without its empty members. Equal triggers give equal bytes.
func (t *SignalTrigger) AppendJSON(out []byte) []byte {
	w := newWriter(out)
	if len(t.Definitions) > 0 {
		w.Object("definitions")
		for _, d := range t.Definitions {
			if d.Entry == nil {
				w.Null(d.Name)
				continue
			}
			w.Append(d.Name, d.Entry)
		}
		w.Close()
	}
	w.someParams("params", t.Params)
	w.StrIf("condition", t.Condition)
	w.StrIf("dedup_expr", t.DedupExpr)
	w.Close()
	return w.Bytes()
}

// AppendJSON writes the entry without its empty members.
func (e *SignalEntry) AppendJSON(out []byte) []byte {
	w := newWriter(out)
	if len(e.MatchParams) > 0 {
		w.Object("match_params")
		for _, m := range e.MatchParams {
			w.Object(m.Name)
			if m.Value != nil {
				if m.Value.IsText {
					w.Str("value", m.Value.Text)
				} else {
					w.Long("value", m.Value.Long)
				}
			}
			w.StrIf("operator", string(m.Operator))
			w.Close()
		}
		w.Close()
	}
	if len(e.JoinKeys) > 0 {
		w.List("join_keys")
		for _, k := range e.JoinKeys {
			if k == nil {
				w.NullItem()
			} else {
				w.StrItem(*k)
			}
		}
		w.CloseList()
	}
	w.Close()
	return w.Bytes()
}

// AppendJSON writes the dependency without its empty members.
func (d *SignalDependency) AppendJSON(out []byte) []byte {
	if d == nil {
		return append(out, "null"...)
	}
	w := newWriter(out)
	w.StrOpt("name", d.Name)
	if len(d.MatchParams) > 0 {
		w.Object("match_params")
		for _, m := range d.MatchParams {
			w.Object(m.Name)
			w.Append("param", m.Param)
			w.Str("operator", string(m.Operator))
			w.Close()
		}
		w.Close()
	}
	w.Close()
	return w.Bytes()
}

// AppendJSON writes the output without its empty members.
func (o *SignalOutput) AppendJSON(out []byte) []byte {
	if o == nil {
		return append(out, "null"...)
	}
	w := newWriter(out)
	w.StrOpt("name", o.Name)
	w.someParams("params", o.Params)
	w.someParams("payload", o.Payload)
	w.Close()
	return w.Bytes()
}

// AppendJSON writes the user in the form in which it was given.
func (u User) AppendJSON(out []byte) []byte {
	if !u.IsObject {
		return wire.AppendString(out, u.Name)
	}
	w := newWriter(out)
	w.Str("name", u.Name)
	w.members(u.Extras)
	w.Close()
	return w.Bytes()
}

// AppendJSON writes what is known.
func (g *GitInfo) AppendJSON(out []byte) []byte {
	w := newWriter(out)
	w.StrOpt("origin", g.Origin)
	w.StrOpt("branch", g.Branch)
	w.StrOpt("sha", g.SHA)
	w.StrOpt("path", g.Path)
	w.StrOpt("author", g.Author)
	w.LongOpt("timestamp", g.Timestamp)
	w.BoolOpt("uncommitted_changes", g.UncommittedChanges)
	w.Close()
	return w.Bytes()
}

// AppendJSON writes the properties that are set.
func (p *Properties) AppendJSON(out []byte) []byte {
	w := newWriter(out)
	p.write(w)
	w.Close()
	return w.Bytes()
}

func (p *Properties) write(w writer) {
	if p.Owner != nil {
		w.Append("owner", p.Owner)
	}
	if s := p.RunStrategy; s != nil {
		w.Object("run_strategy")
		w.Str("rule", string(s.Rule))
		w.Long("workflow_concurrency", s.WorkflowConcurrency)
		w.Close()
	}
	w.LongOpt("step_concurrency", p.StepConcurrency)
	if p.Alerting != nil {
		w.Append("alerting", p.Alerting)
	}
	w.BoolOpt("alerting_disabled", p.AlertingDisabled)
	w.BoolOpt("signal_trigger_disabled", p.SignalTriggerDisabled)
	w.BoolOpt("time_trigger_disabled", p.TimeTriggerDisabled)
	w.StrOpt("description", p.Description)
	w.tags("tags", p.Tags)
}

// AppendJSON writes the snapshot: the answer to an update of properties.
func (s *Snapshot) AppendJSON(out []byte) []byte {
	w := newWriter(out)
	w.Str("workflow_id", s.WorkflowID)
	w.Long("create_time", s.CreateTime)
	w.Append("author", s.Author)
	s.Properties.write(w)
	w.Close()
	return w.Bytes()
}

// AppendJSON writes the alerting as it was given.
func (a *Alerting) AppendJSON(out []byte) []byte {
	w := newWriter(out)
	w.set("emails", a.Emails)
	w.set("pagerduties", a.Pagerduties)
	a.Slack.write(w)
	if b := a.BypassDigestConfig; b != nil {
		w.Object("bypass_digest_config")
		w.set("steps", b.Steps)
		w.Bool("workflow", b.Workflow)
		w.Close()
	}
	if t := a.TCT; t != nil {
		w.Object("tct")
		w.LongOpt("completed_by_hour", t.CompletedByHour)
		w.LongOpt("duration_minutes", t.DurationMinutes)
		w.LongOpt("completed_by_ts", t.CompletedByTS)
		w.StrOpt("tz", t.TZ)
		w.Close()
	}
	if a.HasTypeConfigs {
		w.Object("type_configs")
		for _, c := range a.TypeConfigs {
			w.Append(c.Type, c.Config)
		}
		w.Close()
	}
	if p := a.PagerdutyConfig; p != nil {
		w.Object("pagerduty_config")
		w.StrIf("severity", p.Severity)
		w.BoolOpt("always_page", p.AlwaysPage)
		w.Close()
	}
	w.Close()
	return w.Bytes()
}

func (s *Slack) write(w writer) {
	if s == nil {
		return
	}
	w.Object("slack")
	w.set("users", s.Users)
	w.set("channels", s.Channels)
	w.set("mention_users", s.MentionUsers)
	w.Close()
}

// AppendJSON writes the configuration as it was given; nil is null.
func (a *AlertType) AppendJSON(out []byte) []byte {
	if a == nil {
		return append(out, "null"...)
	}
	w := newWriter(out)
	w.set("emails", a.Emails)
	w.set("pagerduties", a.Pagerduties)
	a.Slack.write(w)
	w.set("actions", a.Actions)
	w.Bool("disabled", a.Disabled)
	w.StrIf("granularity", a.Granularity)
	w.LongOpt("duration_minutes", a.DurationMinutes)
	w.Close()
	return w.Bytes()
}

// AppendJSON writes the metadata of a version, extras flattened.
func (m *Metadata) AppendJSON(out []byte) []byte {
	w := newWriter(out)
	w.Str("workflow_id", m.WorkflowID)
	w.Long("workflow_version_id", m.VersionID)
	if m.CreateTime != 0 { // nobody pushed the body of a loop by itself
		w.Long("create_time", m.CreateTime)
		w.Append("version_author", m.VersionAuthor)
	}
	if m.GitInfo != nil {
		w.Append("git_info", m.GitInfo)
	}
	w.members(m.Extras)
	w.Close()
	return w.Bytes()
}

// AppendJSON writes the record of a version as it is stored; ReadVersion reads it.
func (v *Version) AppendJSON(out []byte) []byte {
	w := newWriter(out)
	w.Append("metadata", &v.Metadata)
	w.Append("workflow", v.Workflow)
	w.Close()
	return w.Bytes()
}
