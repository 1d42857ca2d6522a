package definition

import (
	"slices"
	"strings"

	"github.com/downbeat/downbeat/core/dag"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/wire"
)

// Reading of JSON. Errors stick to the document and are looked at once it is read.

// each hands every member of an object to read, which is false for one that it does not know. Anything
// but an object is an error, null included.
func each(v wire.Node, read func(name string, m wire.Node) bool) {
	if v.IsNull() {
		v.Fail("expected an object, found null")
	}
	for _, m := range v.Members() {
		if v.Err() != nil {
			return
		}
		if !read(m.Name, m.Node) {
			m.Node.Fail("Unrecognized field %q, not marked as ignorable", m.Name)
		}
	}
}

// objectOf reads an object member by member: nil for null.
func objectOf[T any](v wire.Node, read func(o *T, name string, m wire.Node) bool) *T {
	if v.IsNull() {
		return nil
	}
	o := new(T)
	each(v, func(name string, m wire.Node) bool { return read(o, name, m) })
	return o
}

// listOf reads the elements of an array: nil for null, empty for an empty one.
func listOf[T any](v wire.Node, read func(wire.Node) T) []T {
	nodes := v.List()
	if nodes == nil {
		return nil
	}
	out := make([]T, len(nodes))
	for i, n := range nodes {
		if v.Err() != nil {
			return nil
		}
		out[i] = read(n)
	}
	return out
}

func isKind(v wire.Node, k wire.Kind) bool { return v.Value().Kind() == k }

func readWorkflow(v wire.Node) *Workflow {
	w := &Workflow{}
	each(v, func(name string, m wire.Node) bool {
		switch name {
		case "id":
			w.ID = m.Str()
		case "name":
			w.Name = m.StrOpt()
		case "description":
			w.Description = m.StrOpt()
		case "tags":
			w.Tags = param.ReadTags(m)
			uniqueTags(m, w.Tags)
		case "timeout":
			w.Timeout = readParsable(m)
		case "time_triggers":
			w.TimeTriggers = listOf(m, readTimeTrigger)
		case "signal_triggers":
			w.SignalTriggers = listOf(m, readSignalTrigger)
		case "criticality":
			w.Criticality = Criticality(m.Enum(criticalities))
		case "instance_step_concurrency":
			w.InstanceStepConcurrency = m.LongOpt()
		case "params":
			w.Params = param.ReadDefinitions(m, true)
		case "steps":
			w.Steps = readSteps(m)
		default:
			return false
		}
		return true
	})
	return w
}

func readSteps(v wire.Node) []*Step {
	return listOf(v, readStep)
}

// step reads a wrapper with exactly one form.
func readStep(v wire.Node) *Step {
	s := &Step{}
	n := 0
	each(v, func(name string, m wire.Node) bool {
		n++
		form, ok := parseForm(name)
		if !ok {
			v.Fail("Could not resolve type id '%s': known are [foreach, step, subworkflow, template, while]", name)
			return true
		}
		if n > 1 {
			v.Fail("a step has more than one form: [%s] and [%s]", s.Form, form)
			return true
		}
		s.Form = form
		readStepBody(s, m)
		return true
	})
	if v.Err() == nil && n != 1 {
		v.Fail("a step must be an object with one key: its form")
	}
	return s
}

func readStepBody(s *Step, v wire.Node) {
	switch s.Form {
	case ForeachForm:
		s.Type = Foreach
	case WhileForm:
		s.Type = While
	case SubworkflowForm:
		s.Type = Subworkflow
	case TemplateForm:
		s.Type = Template
	}
	typed, loop := s.Form == TypedForm, s.Form == ForeachForm || s.Form == WhileForm
	each(v, func(name string, m wire.Node) bool {
		switch {
		case name == "id":
			s.ID = m.Str()
		case name == "name":
			s.Name = m.StrOpt()
		case name == "description":
			s.Description = m.StrOpt()
		case name == "transition":
			s.Transition = readTransition(m)
		case name == "failure_mode":
			s.FailureMode = FailureMode(m.Enum(failureModes))
		case name == "tags":
			s.Tags = param.ReadTags(m)
		case name == "timeout":
			s.Timeout = readParsable(m)
		case name == "signal_dependencies":
			s.SignalDependencies = listOf(m, readDependency)
		case name == "signal_outputs":
			s.SignalOutputs = listOf(m, readOutput)
		case name == "params":
			s.Params = param.ReadDefinitions(m, true)
		case name == "type" && typed:
			if text := m.StrOpt(); text != nil {
				t, ok := ParseStepType(*text)
				if !ok {
					v.Fail("unknown step type [%s]", *text)
				}
				s.Type = t
			}
		case name == "sub_type" && (typed || s.Form == TemplateForm):
			s.SubType = m.StrOpt()
		case name == "sub_type_version" && typed:
			s.SubTypeVersion = m.StrOpt()
		case name == "retry_policy" && typed:
			s.RetryPolicy = readRetryPolicy(m)
		case name == "concurrency" && s.Form == ForeachForm:
			s.Concurrency = m.LongOpt()
		case name == "strict_ordering" && s.Form == ForeachForm:
			s.StrictOrdering = m.BoolOpt()
		case name == "condition" && s.Form == WhileForm:
			s.Condition = m.StrOpt()
		case name == "steps" && loop:
			s.Steps = readSteps(m)
		case name == "sync" && s.Form == SubworkflowForm:
			s.Sync = m.BoolOpt()
		case name == "explicit_params" && s.Form == SubworkflowForm:
			s.ExplicitParams = m.BoolOpt()
		case (name == "type" || name == "retryPolicy") && !typed: // ignored whatever they hold
		default:
			return false
		}
		return true
	})
}

func readTransition(v wire.Node) dag.Transition {
	var t dag.Transition
	if v.IsNull() {
		v.Fail("transition cannot be null")
		return t
	}
	each(v, func(name string, m wire.Node) bool {
		switch name {
		case "predecessors":
			t.Predecessors = readTexts(m)
			seen := make(map[string]bool, len(t.Predecessors))
			for _, p := range t.Predecessors {
				if seen[p] {
					v.Fail("Invalid successor list as there are duplicate step ids: [%s]", strings.Join(t.Predecessors, ", "))
				}
				seen[p] = true
			}
		case "successors":
			t.Successors = nil
			if m.IsNull() {
				return true
			}
			each(m, func(to string, c wire.Node) bool {
				e := dag.Edge{To: to}
				if text := c.StrOpt(); text != nil {
					e.Condition = *text
				} else {
					e.Null = true
				}
				t.Successors = append(t.Successors, e)
				return true
			})
		default:
			return false
		}
		return true
	})
	return t
}

func readRetryPolicy(v wire.Node) *RetryPolicy {
	return objectOf(v, func(p *RetryPolicy, name string, m wire.Node) bool {
		switch name {
		case "error_retry_limit":
			p.ErrorRetryLimit = readParsable(m)
		case "platform_retry_limit":
			p.PlatformRetryLimit = readParsable(m)
		case "timeout_retry_limit":
			p.TimeoutRetryLimit = readParsable(m)
		case "backoff":
			p.Backoff = readBackoff(m)
		default:
			return false
		}
		return true
	})
}

func readBackoff(v wire.Node) *Backoff {
	if v.IsNull() {
		return nil
	}
	b := &Backoff{}
	exponential := ""
	each(v, func(name string, m wire.Node) bool {
		switch name {
		case "type":
			text := m.Str()
			t, ok := parseBackoffType(text)
			if !ok {
				v.Fail("Could not resolve type id '%s': known are [EXPONENTIAL_BACKOFF, FIXED_BACKOFF]", text)
			}
			b.Type = t
		case "error_retry_backoff_in_secs":
			b.ErrorRetryBackoffInSecs = readParsable(m)
		case "platform_retry_backoff_in_secs":
			b.PlatformRetryBackoffInSecs = readParsable(m)
		case "timeout_retry_backoff_in_secs":
			b.TimeoutRetryBackoffInSecs = readParsable(m)
		default:
			into := map[string]**ParsableLong{
				"error_retry_exponent": &b.ErrorRetryExponent, "error_retry_limit_in_secs": &b.ErrorRetryLimitInSecs,
				"platform_retry_exponent": &b.PlatformRetryExponent, "platform_retry_limit_in_secs": &b.PlatformRetryLimitInSecs,
				"timeout_retry_exponent": &b.TimeoutRetryExponent, "timeout_retry_limit_in_secs": &b.TimeoutRetryLimitInSecs,
			}[name]
			if into == nil {
				return false
			}
			exponential = name
			*into = readParsable(m)
		}
		return true
	})
	if v.Err() == nil && b.Type == "" {
		v.Fail("backoff: missing type id property 'type'")
	}
	if b.Type == FixedBackoff && exponential != "" {
		v.Fail("Unrecognized field %q in a backoff of type FIXED_BACKOFF", exponential)
	}
	return b
}

func readTimeTrigger(v wire.Node) TimeTrigger {
	var t TimeTrigger
	kind := ""
	each(v, func(name string, m wire.Node) bool {
		if name == "type" {
			kind = strings.ToUpper(m.Str())
		}
		return true
	})
	t.Type = TriggerType(kind)
	switch t.Type {
	case CronTrigger, PredefinedTrigger, IntervalTrigger:
	case "":
		v.Fail("time trigger: missing type id property 'type'")
	default:
		v.Fail("Could not resolve type id '%s': known are [CRON, INTERVAL, PREDEFINED]", kind)
	}
	each(v, func(name string, m wire.Node) bool {
		switch {
		case name == "type":
		case name == "fuzzy_max_delay":
			t.FuzzyMaxDelay = readParsable(m)
		case name == "cron" && t.Type == CronTrigger:
			t.Cron = m.StrOpt()
		case name == "timezone" && t.Type != IntervalTrigger:
			t.Timezone = m.StrOpt()
		case name == "expression" && t.Type == PredefinedTrigger:
			t.Expression = ""
			if text := m.StrOpt(); text != nil {
				expr, ok := parsePredefined(*text)
				if !ok {
					v.Fail("unknown predefined expression [%s]", *text)
				}
				t.Expression = expr
			}
		case name == "interval" && t.Type == IntervalTrigger:
			t.Interval = m.StrOpt()
		case name == "start" && t.Type == IntervalTrigger:
			// Only its presence matters: such a trigger is refused by validation whatever it says.
			m.StrOpt()
		default:
			return false
		}
		return true
	})
	return t
}

func readSignalTrigger(v wire.Node) SignalTrigger {
	var t SignalTrigger
	if v.IsNull() {
		v.Fail("a signal trigger cannot be null")
	}
	each(v, func(name string, m wire.Node) bool {
		switch name {
		case "definitions":
			t.Definitions, t.HasDefinitions = nil, !m.IsNull()
			if m.IsNull() {
				return true
			}
			each(m, func(signal string, e wire.Node) bool {
				t.Definitions = append(t.Definitions, NamedSignalEntry{Name: signal, Entry: readSignalEntry(e)})
				return true
			})
		case "params":
			t.Params = param.ReadDefinitions(m, false)
		case "condition":
			t.Condition = m.Str()
		case "dedup_expr":
			t.DedupExpr = m.Str()
		default:
			return false
		}
		return true
	})
	return t
}

func readSignalEntry(v wire.Node) *SignalEntry {
	return objectOf(v, func(e *SignalEntry, name string, m wire.Node) bool {
		switch name {
		case "match_params":
			e.MatchParams = nil
			if m.IsNull() {
				return true
			}
			each(m, func(signalParam string, c wire.Node) bool {
				e.MatchParams = append(e.MatchParams, readSignalMatch(signalParam, c))
				return true
			})
		case "join_keys":
			e.JoinKeys = listOf(m, wire.Node.StrOpt)
		default:
			return false
		}
		return true
	})
}

func readSignalMatch(signalParam string, v wire.Node) NamedSignalMatch {
	out := NamedSignalMatch{Name: signalParam}
	each(v, func(name string, m wire.Node) bool {
		switch name {
		case "value":
			out.Value = readSignalValue(m)
		case "operator":
			out.Operator = readOperator(m)
		default:
			return false
		}
		return true
	})
	return out
}

func readSignalValue(v wire.Node) *SignalValue {
	switch {
	case v.IsNull():
		return nil
	case isKind(v, wire.KindString):
		return &SignalValue{IsText: true, Text: v.Str()}
	case isKind(v, wire.KindNumber):
		if n := v.LongOpt(); n != nil {
			return &SignalValue{Long: *n}
		}
		return nil
	}
	v.Fail("SignalParamValue value only supports Long or String. It does not support the type: %s", v.Value().Kind())
	return nil
}

func readOperator(v wire.Node) Operator {
	code := v.StrOpt()
	if code == nil {
		return ""
	}
	o, ok := parseOperator(*code)
	if !ok {
		v.Fail("Invalid operator code: %s", *code)
	}
	return o
}

func readDependency(v wire.Node) *SignalDependency {
	return objectOf(v, func(dep *SignalDependency, name string, m wire.Node) bool {
		switch name {
		case "name":
			dep.Name = m.StrOpt()
		case "match_params":
			dep.MatchParams = nil
			if m.IsNull() {
				return true
			}
			each(m, func(signalParam string, c wire.Node) bool {
				dep.MatchParams = append(dep.MatchParams, readMatchParam(signalParam, c))
				return true
			})
		default:
			return false
		}
		return true
	})
}

func readMatchParam(signalParam string, v wire.Node) NamedMatchParam {
	out := NamedMatchParam{Name: signalParam}
	given := false
	each(v, func(name string, m wire.Node) bool {
		switch name {
		case "param":
			if given = !m.IsNull(); given {
				out.Param = param.ReadDefinition(m, signalParam, false)
				if d := out.Param; d != nil && d.Type != sel.ParamLong && d.Type != sel.ParamString {
					m.Fail("SignalMatchParamDef param [%s]'s type must be either LONG or STRING", signalParam)
				}
			}
		case "operator":
			out.Operator = readOperator(m)
		default:
			return false
		}
		return true
	})
	if v.Err() == nil && (!given || out.Operator == "") {
		v.Fail("The param and the operator in SignalMatchParamDef must be set")
	}
	return out
}

func readOutput(v wire.Node) *SignalOutput {
	return objectOf(v, func(o *SignalOutput, name string, m wire.Node) bool {
		switch name {
		case "name":
			o.Name = m.StrOpt()
		case "params":
			o.Params = param.ReadDefinitions(m, true)
			for name, p := range present(o.Params).All() {
				if p.Type != sel.ParamLong && p.Type != sel.ParamString {
					m.Fail("SignalOutputDefinition params [%s] only support param typ LONG or STRING", name)
				}
			}
		case "payload":
			o.Payload = param.ReadDefinitions(m, false)
		default:
			return false
		}
		return true
	})
}

func readProperties(v wire.Node) *Properties {
	p := &Properties{}
	each(v, func(name string, m wire.Node) bool {
		if name == "tags" {
			p.Tags = param.ReadTags(m)
			return true
		}
		return readProperty(p, name, m)
	})
	return p
}

// property reads a member of properties other than tags; false is an unknown one.
func readProperty(p *Properties, name string, m wire.Node) bool {
	switch name {
	case "owner":
		p.Owner = ReadUser(m)
	case "access_control":
		if !m.IsNull() {
			m.Fail("access_control is not supported")
		}
	case "run_strategy":
		p.RunStrategy = readRunStrategy(m)
	case "step_concurrency":
		p.StepConcurrency = m.LongOpt()
	case "alerting":
		p.Alerting = readAlerting(m)
	case "alerting_disabled":
		p.AlertingDisabled = m.BoolOpt()
	case "signal_trigger_disabled":
		p.SignalTriggerDisabled = m.BoolOpt()
	case "time_trigger_disabled":
		p.TimeTriggerDisabled = m.BoolOpt()
	case "description":
		p.Description = m.StrOpt()
	default:
		return false
	}
	return true
}

func readRunStrategy(v wire.Node) *RunStrategy {
	var rule string
	var concurrency *int64
	switch {
	case v.IsNull():
		return nil
	case isKind(v, wire.KindString):
		rule = v.Str()
	case v.Value().IsInteger():
		rule, concurrency = string(Parallel), v.LongOpt()
	case isKind(v, wire.KindObject):
		each(v, func(name string, m wire.Node) bool {
			switch name {
			case "rule":
				rule = m.Str()
			case "workflow_concurrency":
				concurrency = m.LongOpt()
			default:
				return false
			}
			return true
		})
		if v.Err() == nil && rule == "" {
			v.Fail("rule in run strategy cannot be null")
		}
	default:
		v.Fail("run_strategy only supports a rule name, a number or an object, not the type: %s", v.Value().Kind())
	}
	if v.Err() != nil {
		return nil
	}
	r, ok := ParseRule(rule)
	if !ok {
		v.Fail("unknown run strategy rule [%s]", rule)
		return nil
	}
	s, err := NewRunStrategy(r, concurrency)
	if err != nil {
		v.Check(err)
		return nil
	}
	return &s
}

// ReadUser reads a user: a text, or an object with a name; nil for null.
func ReadUser(v wire.Node) *User {
	switch {
	case v.IsNull():
		return nil
	case isKind(v, wire.KindString):
		return &User{Name: v.Str()}
	case isKind(v, wire.KindObject):
		u := &User{IsObject: true}
		named := false
		each(v, func(name string, m wire.Node) bool {
			switch {
			case m.IsNull():
			case name == "name":
				if !isKind(m, wire.KindString) {
					v.Fail("User name field only supports StringNode: %s", m.Value().Kind())
					return true
				}
				u.Name, named = m.Str(), true
			default:
				u.Extras = append(u.Extras, wire.Field{Name: name, Value: m.Value()})
			}
			return true
		})
		if v.Err() == nil && !named {
			v.Fail("the user name cannot be null")
		}
		return u
	}
	v.Fail("User value only supports String and JsonNode: %s", v.Value().Kind())
	return nil
}

// ReadGitInfo reads the object strictly; nil for null.
func ReadGitInfo(v wire.Node) *GitInfo {
	return objectOf(v, func(g *GitInfo, name string, m wire.Node) bool {
		switch name {
		case "origin":
			g.Origin = m.StrOpt()
		case "branch":
			g.Branch = m.StrOpt()
		case "sha":
			g.SHA = m.StrOpt()
		case "path":
			g.Path = m.StrOpt()
		case "author":
			g.Author = m.StrOpt()
		case "timestamp":
			g.Timestamp = m.LongOpt()
		case "uncommitted_changes":
			g.UncommittedChanges = m.BoolOpt()
		default:
			return false
		}
		return true
	})
}

func readParsable(v wire.Node) *ParsableLong {
	switch {
	case v.IsNull():
		return nil
	case isKind(v, wire.KindString):
		return &ParsableLong{IsText: true, Text: v.Str()}
	case isKind(v, wire.KindNumber):
		n := v.LongOpt()
		if n == nil {
			return nil
		}
		if *n < 0 {
			v.Fail("ParsableLong long value must be non-negative")
		}
		return &ParsableLong{Number: *n}
	}
	v.Fail("ParsableLong value only supports Long or String. It does not support the type: %s", v.Value().Kind())
	return nil
}

// readTexts reads a list of texts; null is no list and null elements are refused.
func readTexts(v wire.Node) []string {
	return listOf(v, func(e wire.Node) string {
		if e.IsNull() {
			e.Fail("an element cannot be null")
		}
		return e.Str()
	})
}

// readSet reads a set of texts: equal ones collapse.
func readSet(v wire.Node) []string {
	all := readTexts(v)
	if all == nil {
		return nil
	}
	out := []string{}
	for _, s := range all {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
