package definition

import (
	"errors"
	"fmt"
	"strings"

	"github.com/downbeat/downbeat/core/dag"
	"github.com/downbeat/downbeat/core/definition/cron"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/param"
)

// The limits of a definition (workflow-definition.md 11).
const (
	MaxRequestBytes       = 262144 // of the create request, written again as compact JSON
	MaxSteps              = 300    // all levels together
	MaxForeachConcurrency = 500
	MaxSignalNames        = 8 // of one signal trigger
)

// minTriggerGapMillis is the smallest distance between the next two fire times of a time trigger.
const minTriggerGapMillis = 120_000

// violations collects what is wrong, each as `<path> <text>`. Paths are those of Maestro's Java
// properties, with list and map indexes.
type violations struct {
	list []string
}

func (v *violations) add(path, text string) {
	if text != "" {
		v.list = append(v.list, path+" "+text)
	}
}

func (v *violations) err(path string, err error) {
	if err != nil {
		v.add(path, err.Error())
	}
}

func (v *violations) fault() error {
	if len(v.list) == 0 {
		return nil
	}
	return &fault.Error{Code: fault.BadRequest, Message: `400 BAD_REQUEST "Validation failure"`, Errors: v.list}
}

// Validate applies all rules that need nothing but the request and the time, and lists all violations
// (workflow-definition.md 10.2). It returns nil or a *fault.Error.
//
// Not looked at, as in Maestro: expressions, references between params, cycles and unknown successors in
// loop bodies, the existence of subworkflows and signals.
func (r *CreateRequest) Validate(now int64) error {
	var v violations
	if n := len(r.AppendJSON(nil)); n > MaxRequestBytes {
		return fault.New(fault.BadRequest, `400 BAD_REQUEST "Validation failure": `+"Size of class com.netflix.maestro.models.api.WorkflowCreateRequest is %d bytes which is larger than limit of %d bytes", n, MaxRequestBytes)
	}
	if r.Properties != nil {
		v.properties("properties", r.Properties)
	}
	if r.Workflow == nil {
		v.add("workflow", "[workflow definition] cannot be null")
	} else {
		v.workflow(r.Workflow, now)
	}
	return v.fault()
}

// Validate applies the rules for properties to an update.
func (u *PropertiesUpdate) Validate() error {
	var v violations
	v.properties("properties", &u.Properties)
	return v.fault()
}

func (v *violations) properties(path string, p *Properties) {
	switch {
	case p.RunStrategy != nil && (p.RunStrategy.WorkflowConcurrency < 1 || p.RunStrategy.WorkflowConcurrency > 1000):
		v.add(path+".runStrategy.workflowConcurrency", fmt.Sprintf("[workflow properties run_strategy] workflow_concurrency should be positive and no greater than 1000 - rejected value is [%d]", p.RunStrategy.WorkflowConcurrency))
	case p.StepConcurrency != nil && (*p.StepConcurrency < 1 || *p.StepConcurrency > 1000):
		v.add(path+".stepConcurrency", fmt.Sprintf("[workflow properties] step_concurrency should be positive and no greater than 1000 - rejected value is [%d]", *p.StepConcurrency))
	}
	if p.Description != nil {
		v.add(path+".description", checkText(*p.Description))
	}
	v.tags(path+".tags", p.Tags)
	if p.Alerting != nil && p.Alerting.TCT != nil {
		v.err(path+".alerting.tct", p.Alerting.TCT.check())
	}
}

func (v *violations) workflow(w *Workflow, now int64) {
	v.add("workflow.id", CheckWorkflowID(w.ID))
	v.described("workflow", w.Name, w.Description)
	v.tagNames("workflow.tags", w.Tags)
	v.timeout("workflow.timeout", w.Timeout)
	for i := range w.TimeTriggers {
		v.timeTrigger(fmt.Sprintf("workflow.timeTriggers[%d]", i), &w.TimeTriggers[i], w.ID, now)
	}
	for i := range w.SignalTriggers {
		v.signalTrigger(fmt.Sprintf("workflow.signalTriggers[%d]", i), &w.SignalTriggers[i])
	}
	v.params("workflow.params", w.Params)
	v.steps("workflow.steps", w.Steps)

	// One chain of rules, of which the first failure is reported.
	path, err := "workflow.steps", checkSteps(w.Steps)
	if err == nil && w.InstanceStepConcurrency != nil && (*w.InstanceStepConcurrency < 1 || *w.InstanceStepConcurrency > 999) {
		path = "workflow.instanceStepConcurrency"
		err = fmt.Errorf("[workflow definitions] instance_step_concurrency should be positive and less than 1000 - rejected value is [%d]", *w.InstanceStepConcurrency)
	}
	if err == nil {
		err = checkLoops(w.Steps, nil)
	}
	v.err(path, err)
}

func checkSteps(steps []*Step) error {
	if len(steps) == 0 {
		return errors.New("[workflow step definitions] cannot be null or empty")
	}
	ids := map[string]bool{}
	n, duplicate, miscast := 0, false, ""
	eachStep(steps, func(s *Step) {
		n++
		duplicate = duplicate || ids[s.ID]
		ids[s.ID] = true
		if s.Form == TypedForm && (s.Type == Foreach || s.Type == While) && miscast == "" {
			miscast = s.ID
		}
	})
	switch {
	case miscast != "":
		return fmt.Errorf("[workflow step definitions] typed step [%s] cannot be of the type of a loop", miscast)
	case n > MaxSteps:
		return fmt.Errorf("[workflow step list] is too large [%d] and over the size limit [%d]", n, MaxSteps)
	case duplicate:
		return errors.New("[workflow step definitions] contain duplicate step ids")
	}
	return dag.CheckTransitions(Nodes(steps))
}

func eachStep(steps []*Step, f func(*Step)) {
	for _, s := range steps {
		f(s)
		eachStep(s.Steps, f)
	}
}

// checkLoops looks for loop params: a loop must have them as a literal, and no name may come again in a
// loop inside it.
func checkLoops(steps []*Step, outer []string) error {
	for _, s := range steps {
		if s.Form != ForeachForm && s.Form != WhileForm {
			continue
		}
		members := s.LoopParams()
		if members == nil {
			return fmt.Errorf("[workflow step definitions] step [%s] must have loop_params as a literal MAP", s.ID)
		}
		names := append([]string(nil), outer...)
		for _, name := range members.Names() {
			for _, o := range outer {
				if o == name {
					return fmt.Errorf("[workflow step definitions] contain duplicate loop param name [%s]", name)
				}
			}
			names = append(names, name)
		}
		if err := checkLoops(s.Steps, names); err != nil {
			return err
		}
	}
	return nil
}

func (v *violations) described(path string, name, description *string) {
	if name != nil {
		v.add(path+".name", checkDisplayName(*name))
	}
	if description != nil {
		v.add(path+".description", checkText(*description))
	}
}

func (v *violations) tags(path string, tags param.Tags) {
	v.tagNames(path, tags)
	if tags.DuplicateName() != "" {
		v.add(path, "[tag list definition] cannot contain duplicate tag names")
	}
}

func (v *violations) tagNames(path string, tags param.Tags) {
	for i, t := range tags {
		v.add(fmt.Sprintf("%s[%d].name", path, i), CheckName(t.Name))
	}
}

func (v *violations) timeout(path string, t *ParsableLong) {
	if t == nil || t.HasParams() {
		return
	}
	_, err := t.TimeoutMillis()
	v.err(path, err)
}

func (v *violations) steps(path string, steps []*Step) {
	for i, s := range steps {
		v.step(fmt.Sprintf("%s[%d]", path, i), s)
	}
}

func (v *violations) step(path string, s *Step) {
	v.add(path+".id", CheckReference(s.ID))
	v.described(path, s.Name, s.Description)
	v.tags(path+".tags", s.Tags)
	v.timeout(path+".timeout", s.Timeout)
	v.params(path+".params", s.Params)
	v.err(path+".retryPolicy", s.RetryPolicy.Check())
	v.err(path+".signalDependencies", checkDependencies(s.SignalDependencies))
	v.err(path+".signalOutputs", checkOutputs(s.SignalOutputs))
	switch s.Form {
	case TypedForm:
		if s.Type == "" {
			v.add(path+".type", "may not be null")
		}
	case ForeachForm:
		if s.Concurrency != nil && *s.Concurrency > MaxForeachConcurrency {
			v.add(path+".concurrency", fmt.Sprintf("must be less than or equal to %d", MaxForeachConcurrency))
		}
	case WhileForm:
		if s.Condition == nil {
			v.add(path+".condition", "may not be null")
		}
	}
	if (s.Form == ForeachForm || s.Form == WhileForm) && s.Steps == nil {
		v.add(path+".steps", "[workflow step definitions] cannot be null")
	}
	v.steps(path+".steps", s.Steps)
}

// checkDependencies: nil is no list, which is fine.
func checkDependencies(list []*SignalDependency) error {
	if list == nil {
		return nil
	}
	if len(list) == 0 {
		return errors.New("signal dependencies definitions cannot be null or empty or contain null elements")
	}
	for _, d := range list {
		if d == nil {
			return errors.New("signal dependencies definitions cannot be null or empty or contain null elements")
		}
		if d.Name == nil || *d.Name == "" {
			return errors.New("Signal step dependency definition doesn't contain mandatory name field")
		}
		ranged := ""
		for _, m := range d.MatchParams {
			if !m.Operator.IsRange() {
				continue
			}
			if ranged != "" {
				return fmt.Errorf("Invalid signal dependency for signal [%s] with more than one range params: [%s] and [%s]", *d.Name, ranged, m.Name)
			}
			ranged = m.Name
		}
	}
	return nil
}

func checkOutputs(list []*SignalOutput) error {
	if list == nil {
		return nil
	}
	if len(list) == 0 {
		return errors.New("Signal step outputs definitions cannot be null or empty or contain null elements")
	}
	for _, o := range list {
		if o == nil {
			return errors.New("Signal step outputs definitions cannot be null or empty or contain null elements")
		}
		if o.Name == nil || *o.Name == "" {
			return errors.New("Signal step outputs definition doesn't contain mandatory name field")
		}
	}
	return nil
}

func (v *violations) signalTrigger(path string, t *SignalTrigger) {
	if n := len(t.Definitions); n > MaxSignalNames {
		v.add(path, fmt.Sprintf("[signal-trigger] the signal names within the signal triggers are more than the limit [%d]", MaxSignalNames))
		return
	}
	for i, d := range t.Definitions {
		if d.Entry == nil {
			v.add(path, fmt.Sprintf("[signal-trigger] the definition of signal [%s] cannot be null", d.Name))
			return
		}
		if i > 0 && len(d.Entry.JoinKeys) != len(t.Definitions[0].Entry.JoinKeys) {
			v.add(path, "[signal-trigger] the join_keys lengths between signals in the signal triggers must be the same")
			return
		}
		for _, key := range d.Entry.JoinKeys {
			for _, m := range d.Entry.MatchParams {
				if key != nil && *key == m.Name {
					v.add(path, fmt.Sprintf("[signal-trigger] the join_key [%s] cannot be used in match_params at the same time", *key))
					return
				}
			}
		}
	}
}

func (v *violations) timeTrigger(path string, t *TimeTrigger, workflowID string, now int64) {
	if t.FuzzyMaxDelay != nil {
		v.timeout(path+".fuzzyMaxDelay", t.FuzzyMaxDelay)
	}
	if t.Type == PredefinedTrigger && t.Expression == "" {
		v.add(path+".expression", "may not be null")
		return
	}
	if t.Type == CronTrigger {
		if t.Cron == nil || *t.Cron == "" {
			v.add(path+".cron", "[cron expression] cannot be null or empty")
			return
		}
		if _, err := cron.Parse(*t.Cron); err != nil {
			v.add(path+".cron", fmt.Sprintf("[cron expression] is not valid - rejected value is [%s] - error: [%s]", *t.Cron, err))
			return
		}
	}
	if t.Timezone != nil {
		if _, err := cron.Zone(*t.Timezone); err != nil {
			v.add(path+".timezone", fmt.Sprintf("[timezone expression] is not valid: %s", err))
			return
		}
	}
	timer, err := t.Timer(workflowID)
	if err != nil {
		v.add(path, fmt.Sprintf("[time-trigger] is not valid - rejected value is [%s] - error: [%s]", t, err))
		return
	}
	first, ok := timer.Next(now)
	if !ok {
		return
	}
	if second, ok := timer.Next(first); ok && second-first < minTriggerGapMillis {
		v.add(path, fmt.Sprintf("[time-trigger] the interval between time triggers is less than the minimal value [%d] millis", minTriggerGapMillis))
	}
}

// checkExtras refuses extras with the names of metadata.
func (r *CreateRequest) checkExtras() error {
	reserved := []string{"workflow_id", "workflow_version_id", "git_info", "version_author", "create_time"}
	var keys []string
	bad := false
	for _, m := range r.Extras {
		keys = append(keys, m.Name)
		for _, name := range reserved {
			bad = bad || m.Name == name
		}
	}
	if !bad {
		return nil
	}
	return fault.New(fault.BadRequest, "extra info [%s] cannot contain any reserved keys [%s]", strings.Join(keys, ", "), strings.Join(reserved, ", "))
}
