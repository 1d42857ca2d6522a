package definition

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/downbeat/downbeat/core/definition/yamltree"
)

// The YAML DSL: a shorthand that becomes the JSON of a create request, which is then read like any other
// (workflow-definition.md 8).

// TemplateStepType looks up the step type of a job template; found is false when there is none of that
// type and version. An error is a failure of the lookup itself.
type TemplateStepType func(jobType, version string) (step StepType, found bool, err error)

// ConvertYAML turns a DSL document into the JSON of a create request. Errors other than lookup's are
// faults of the document. A nil lookup knows no templates.
func ConvertYAML(document []byte, lookup TemplateStepType) ([]byte, error) {
	root, err := yamltree.Parse(document)
	if err != nil {
		return nil, err
	}
	if root.Kind != yamltree.Map {
		return nil, errors.New("the document must be a map with the key 'workflow'")
	}
	var workflow *yamltree.Node
	for i := range root.Entries {
		key := root.Entries[i].Key
		if key != "workflow" && key != "Workflow" {
			return nil, fmt.Errorf("Unrecognized field %q: the document must have the single key 'workflow'", key)
		}
		if workflow != nil {
			return nil, errors.New("the document has both 'workflow' and 'Workflow'")
		}
		workflow = &root.Entries[i].Value
	}
	if workflow == nil || workflow.Kind != yamltree.Map {
		return nil, errors.New("'workflow' must be a map")
	}
	c := dslReader{lookup: lookup}
	return c.workflow(workflow)
}

type dslReader struct {
	lookup TemplateStepType
}

// object collects the members of a JSON object.
type object struct {
	out []byte
}

func (o *object) key(name string) {
	if len(o.out) == 0 {
		o.out = append(o.out, '{')
	} else {
		o.out = append(o.out, ',')
	}
	o.out = append(yamltree.AppendString(o.out, name), ':')
}

func (o *object) text(name, value string) {
	o.key(name)
	o.out = yamltree.AppendString(o.out, value)
}

func (o *object) raw(name string, json []byte) {
	o.key(name)
	o.out = append(o.out, json...)
}

func (o *object) json() []byte {
	if len(o.out) == 0 {
		return []byte("{}")
	}
	return append(o.out, '}')
}

// scalar writes a member as text if it is not null; lists and maps are refused.
func (o *object) scalar(name, key string, n yamltree.Node) error {
	switch n.Kind {
	case yamltree.Null:
		return nil
	case yamltree.List, yamltree.Map:
		return fmt.Errorf("%s must be a scalar", key)
	}
	o.text(name, n.Text)
	return nil
}

// names writes a list of texts if it is not null.
func (o *object) names(name string, n yamltree.Node) error {
	if n.Kind == yamltree.Null {
		return nil
	}
	if n.Kind != yamltree.List {
		return fmt.Errorf("%s must be a list", name)
	}
	list := []byte{'['}
	for i, item := range n.Items {
		if item.Kind == yamltree.List || item.Kind == yamltree.Map || item.Kind == yamltree.Null {
			return fmt.Errorf("%s must be a list of names", name)
		}
		if i > 0 {
			list = append(list, ',')
		}
		list = yamltree.AppendString(list, item.Text)
	}
	o.raw(name, append(list, ']'))
	return nil
}

// keys splits the members of a map into known ones and params. A member named setAll replaces all the
// params met before it.
type keys struct {
	known  map[string]yamltree.Node
	params []yamltree.Entry
	unset  bool // setAll was given as null
}

func splitKeys(n *yamltree.Node, setAll string, known ...string) (keys, error) {
	k := keys{known: make(map[string]yamltree.Node, len(known))}
entries:
	for _, e := range n.Entries {
		if e.Key == setAll {
			if e.Value.Kind != yamltree.Map && e.Value.Kind != yamltree.Null {
				return k, fmt.Errorf("%s must be a map", setAll)
			}
			k.params = append([]yamltree.Entry(nil), e.Value.Entries...)
			k.unset = e.Value.Kind == yamltree.Null
			continue
		}
		for _, name := range known {
			if e.Key == name {
				k.known[name] = e.Value
				continue entries
			}
		}
		k.unset = false
		k.setParam(e)
	}
	return k, nil
}

func (k *keys) setParam(e yamltree.Entry) {
	for i := range k.params {
		if k.params[i].Key == e.Key {
			k.params[i].Value = e.Value
			return
		}
	}
	k.params = append(k.params, e)
}

// alias is the value of whichever of several keys came last; null when none did.
func (k *keys) alias(n *yamltree.Node, names ...string) yamltree.Node {
	var v yamltree.Node
	for _, e := range n.Entries {
		for _, name := range names {
			if e.Key == name {
				v = e.Value
			}
		}
	}
	return v
}

func (c *dslReader) workflow(n *yamltree.Node) ([]byte, error) {
	k, err := splitKeys(n, "workflow_params", "id", "name", "description", "owner", "run_strategy", "workflow_concurrency",
		"tags", "timeout", "criticality", "jobs", "dag")
	if err != nil {
		return nil, err
	}
	var properties, strategy, workflow, request object
	if err := properties.scalar("owner", "owner", k.known["owner"]); err != nil {
		return nil, err
	}
	if k.known["run_strategy"].Kind == yamltree.Null {
		strategy.text("rule", string(Sequential))
	} else {
		if err := strategy.scalar("rule", "run_strategy", k.known["run_strategy"]); err != nil {
			return nil, err
		}
	}
	concurrency := k.known["workflow_concurrency"]
	switch {
	case concurrency.Kind == yamltree.List || concurrency.Kind == yamltree.Map || concurrency.Kind == yamltree.Bool:
		return nil, errors.New("workflow_concurrency must be a number")
	case concurrency.Kind == yamltree.Null:
	default:
		if _, err := dslLong("workflow_concurrency", concurrency); err != nil {
			return nil, err
		}
		if k.known["run_strategy"].Kind != yamltree.Null {
			strategy.raw("workflow_concurrency", concurrency.AppendJSON(nil))
		}
	}
	properties.raw("run_strategy", strategy.json())
	properties.raw("step_concurrency", []byte("20"))

	for _, name := range []string{"id", "name", "description"} {
		if err := workflow.scalar(name, name, k.known[name]); err != nil {
			return nil, err
		}
	}
	if err := workflow.names("tags", k.known["tags"]); err != nil {
		return nil, err
	}
	for _, name := range []string{"timeout", "criticality"} {
		if err := workflow.scalar(name, name, k.known[name]); err != nil {
			return nil, err
		}
	}
	if !k.unset {
		params, err := dslParams(k.params)
		if err != nil {
			return nil, err
		}
		workflow.raw("params", params)
	}
	if err := c.jobs(&workflow, k.known["jobs"], k.known["dag"]); err != nil {
		return nil, err
	}
	request.raw("properties", properties.json())
	request.raw("workflow", workflow.json())
	request.raw("is_active", []byte("true"))
	return request.json(), nil
}

// job is an element of `jobs` on its way to a step.
type job struct {
	form        string
	id          string
	node        *yamltree.Node
	keys        keys
	transitions []string // nil or empty: none of its own
}

func (c *dslReader) jobs(o *object, list, dag yamltree.Node) error {
	if list.Kind == yamltree.Null {
		_, err := dagTransitions(nil, dag)
		return err
	}
	if list.Kind != yamltree.List {
		return errors.New("jobs must be a list")
	}
	jobs := make([]job, len(list.Items))
	for i := range list.Items {
		if err := jobs[i].read(&list.Items[i]); err != nil {
			return err
		}
	}
	derived, err := dagTransitions(jobs, dag)
	if err != nil {
		return err
	}
	steps := []byte{'['}
	for i := range jobs {
		if len(jobs[i].transitions) == 0 {
			jobs[i].transitions = derived[i]
		}
		if i > 0 {
			steps = append(steps, ',')
		}
		step, err := c.step(&jobs[i])
		if err != nil {
			return err
		}
		steps = append(steps, step...)
	}
	o.raw("steps", append(steps, ']'))
	return nil
}

var jobKeys = map[string][]string{
	"job":         {"type", "type_version"},
	"subworkflow": {"workflow_id", "subworkflow_id", "version", "subworkflow_version", "sync", "explicit_params"},
	"foreach":     {"concurrency", "job_concurrency", "loop_params", "params", "ranges", "jobs", "dag"},
	"while":       {"condition", "loop_params", "params", "jobs", "dag"},
}

func (j *job) read(n *yamltree.Node) error {
	if n.Kind != yamltree.Map || len(n.Entries) != 1 {
		return errors.New("each of jobs must be a map with the single key 'job', 'subworkflow', 'foreach' or 'while'")
	}
	j.form = strings.ToLower(n.Entries[0].Key)
	own, ok := jobKeys[j.form]
	if !ok {
		return fmt.Errorf("Could not resolve type id '%s': known are [foreach, job, subworkflow, while]", n.Entries[0].Key)
	}
	j.node = &n.Entries[0].Value
	if j.node.Kind != yamltree.Map {
		return fmt.Errorf("'%s' must be a map", j.form)
	}
	known := append([]string{"id", "name", "description", "failure_mode", "tags", "timeout", "transition"}, own...)
	var err error
	if j.keys, err = splitKeys(j.node, "job_params", known...); err != nil {
		return err
	}
	j.id = j.keys.known["id"].Text
	t := j.keys.known["transition"]
	if t.Kind == yamltree.Null {
		return nil
	}
	j.transitions, err = transitionList(t)
	return err
}

func transitionList(n yamltree.Node) ([]string, error) {
	if n.Kind != yamltree.List {
		return nil, errors.New("transition must be a list")
	}
	var rows []string
	for _, item := range n.Items {
		if item.Kind == yamltree.List || item.Kind == yamltree.Map {
			return nil, errors.New("transition must be a list of texts")
		}
		rows = append(rows, item.Text)
		if item.Kind == yamltree.Null {
			rows[len(rows)-1] = ""
		}
	}
	return rows, nil
}

// dagTransitions gives the transitions that `dag` means for each job.
func dagTransitions(jobs []job, dag yamltree.Node) ([][]string, error) {
	rows := make([][]string, len(jobs))
	switch dag.Kind {
	case yamltree.Null:
		return rows, nil
	case yamltree.String:
		switch strings.ToUpper(dag.Text) {
		case "SEQUENTIAL":
			for i := 0; i+1 < len(jobs); i++ {
				rows[i] = []string{jobs[i+1].id}
			}
			return rows, nil
		case "PARALLEL":
			return rows, nil
		}
		return nil, fmt.Errorf("Invalid DAG order: %s. Supported orders are SEQUENTIAL and PARALLEL.", dag.Text)
	case yamltree.Map:
		place := make(map[string]int, len(jobs))
		for i := range jobs {
			place[jobs[i].id] = i
		}
		for _, e := range dag.Entries {
			i, ok := place[e.Key]
			if !ok {
				return nil, fmt.Errorf("DAG transition refers to an unknown job id: [%s]", e.Key)
			}
			list := e.Value
			if list.Kind == yamltree.String {
				// Different from Maestro, which crashes: the documentation of its SDK shows this form.
				list = yamltree.Node{Kind: yamltree.List, Items: []yamltree.Node{list}}
			}
			if list.Kind == yamltree.Null {
				continue
			}
			var err error
			if rows[i], err = transitionList(list); err != nil {
				return nil, err
			}
		}
		return rows, nil
	}
	return nil, fmt.Errorf("Dag value only supports an order string or a transition map. It does not support the type: %s", dag.Kind)
}

var (
	plainRow     = regexp.MustCompile(`^\s*([_a-zA-Z][.\-_a-zA-Z0-9]*)\s*$`)
	ifRow        = regexp.MustCompile(`^\s*(?i:IF)\s+(.+)\s+(?i:THEN)\s+([_a-zA-Z][.\-_a-zA-Z0-9]*)\s*$`)
	otherwiseRow = regexp.MustCompile(`^\s*(?i:OTHERWISE)\s+([_a-zA-Z][.\-_a-zA-Z0-9]*)\s*$`)
)

// successors reads transition rows (workflow-definition.md 8.4) into the JSON of a transition.
func successors(rows []string) ([]byte, error) {
	var targets []string
	condition := map[string]string{}
	set := func(target, cond string) {
		if _, ok := condition[target]; !ok {
			targets = append(targets, target)
		}
		condition[target] = cond
	}
	var ifs []string
	for i, row := range rows {
		if row == "" {
			continue
		}
		if m := plainRow.FindStringSubmatch(row); m != nil {
			set(m[1], "true")
		} else if m := ifRow.FindStringSubmatch(row); m != nil {
			cond := strings.TrimSpace(m[1])
			ifs = append(ifs, "("+cond+")")
			set(m[2], cond)
		} else if m := otherwiseRow.FindStringSubmatch(row); m != nil {
			if i != len(rows)-1 {
				return nil, fmt.Errorf("'OTHERWISE' must be the last row in the transition list: [[%s]]", strings.Join(rows, ", "))
			}
			cond := "true"
			if len(ifs) > 0 {
				cond = "!(" + strings.Join(ifs, " || ") + ")"
			}
			set(m[1], cond)
		} else {
			return nil, fmt.Errorf("Invalid transition: [%s]. Expected formats: 'job_id', 'IF condition THEN job_id', or 'OTHERWISE job_id'", row)
		}
	}
	var o, transition object
	for _, t := range targets {
		o.text(t, condition[t])
	}
	if len(targets) > 0 {
		transition.raw("successors", o.json())
	}
	return transition.json(), nil
}

func (c *dslReader) step(j *job) ([]byte, error) {
	var step, wrapper object
	for _, name := range []string{"id", "name", "description", "failure_mode"} {
		if err := step.scalar(name, name, j.keys.known[name]); err != nil {
			return nil, err
		}
	}
	if err := step.names("tags", j.keys.known["tags"]); err != nil {
		return nil, err
	}
	if err := step.scalar("timeout", "timeout", j.keys.known["timeout"]); err != nil {
		return nil, err
	}
	transition, err := successors(j.transitions)
	if err != nil {
		return nil, err
	}
	step.raw("transition", transition)

	form, first := j.form, object{} // first: the params that the kind adds in front of the free ones
	switch j.form {
	case "job":
		form = "step"
		if err := c.jobType(&step, j); err != nil {
			return nil, err
		}
	case "subworkflow":
		id := j.keys.alias(j.node, "workflow_id", "subworkflow_id")
		if id.Kind == yamltree.Null {
			id = yamltree.Node{Kind: yamltree.String, Text: j.id}
		}
		for _, p := range []struct {
			name  string
			value yamltree.Node
		}{{"subworkflow_id", id}, {"subworkflow_version", j.keys.alias(j.node, "version", "subworkflow_version")}} {
			if p.value.Kind == yamltree.Null {
				continue
			}
			var param object
			if err := param.scalar("value", p.name, p.value); err != nil {
				return nil, err
			}
			param.text("type", "STRING")
			first.raw(p.name, param.json())
		}
		for _, name := range []string{"sync", "explicit_params"} {
			if v := j.keys.known[name]; v.Kind != yamltree.Null {
				step.raw(name, v.AppendJSON(nil))
			}
		}
	case "foreach":
		if v := j.keys.alias(j.node, "concurrency", "job_concurrency"); v.Kind != yamltree.Null {
			step.raw("concurrency", v.AppendJSON(nil))
		}
		loop, err := dslLoopParams(j.keys.alias(j.node, "loop_params", "params"), j.keys.known["ranges"])
		if err != nil {
			return nil, err
		}
		first.raw("loop_params", loop)
	case "while":
		if err := step.scalar("condition", "condition", j.keys.known["condition"]); err != nil {
			return nil, err
		}
		if v := j.keys.alias(j.node, "loop_params", "params"); v.Kind != yamltree.Null {
			loop, err := dslLoopParams(v, yamltree.Node{})
			if err != nil {
				return nil, err
			}
			first.raw("loop_params", loop)
		}
	}
	if !j.keys.unset || len(first.out) > 0 {
		params, err := dslParamsInto(first, j.keys.params)
		if err != nil {
			return nil, err
		}
		step.raw("params", params)
	}
	if j.form == "foreach" || j.form == "while" {
		if err := c.jobs(&step, j.keys.known["jobs"], j.keys.known["dag"]); err != nil {
			return nil, err
		}
	}
	wrapper.raw(form, step.json())
	return wrapper.json(), nil
}

func (c *dslReader) jobType(step *object, j *job) error {
	t := j.keys.known["type"]
	switch t.Kind {
	case yamltree.Null:
		return fmt.Errorf("type cannot be null for job id: [%s]", j.id)
	case yamltree.List, yamltree.Map:
		return errors.New("type must be a scalar")
	}
	if stepType, ok := ParseStepType(t.Text); ok {
		step.text("type", string(stepType))
		return nil
	}
	version := j.keys.known["type_version"]
	if version.Kind == yamltree.List || version.Kind == yamltree.Map {
		return errors.New("type_version must be a scalar")
	}
	if version.Kind == yamltree.Null || version.Text == "" {
		version.Text = "default"
	}
	if c.lookup != nil {
		stepType, found, err := c.lookup(t.Text, version.Text)
		if err != nil {
			return &LookupError{Err: err}
		}
		if found {
			step.text("type", string(stepType))
			step.text("sub_type", t.Text)
			return nil
		}
	}
	return fmt.Errorf("cannot find step type for job id: [%s] with job type: [%s]", j.id, t.Text)
}

// LookupError is a failure of a lookup that the caller provided, not a fault of the definition.
type LookupError struct{ Err error }

func (e *LookupError) Error() string { return "looking up a job template: " + e.Err.Error() }

func (e *LookupError) Unwrap() error { return e.Err }

// dslLong reads a 64-bit integer as JSON would be coerced.
func dslLong(name string, n yamltree.Node) (int64, error) {
	switch n.Kind {
	case yamltree.Int:
		return n.Int, nil
	case yamltree.Float:
		if n.Float > -9.2e18 && n.Float < 9.2e18 {
			return int64(n.Float), nil
		}
	case yamltree.String:
		if v, err := strconv.ParseInt(strings.TrimSpace(n.Text), 10, 64); err == nil {
			return v, nil
		}
	}
	return 0, fmt.Errorf("%s must be a number, but is [%s]", name, n.Java())
}
