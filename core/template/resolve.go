package template

import (
	"slices"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/param"
)

// Lookup gives the template of a type and version, nil when there is none. Its errors come out as they
// are, so that an engine may answer "not loaded yet".
type Lookup func(jobType, version string) (*Template, error)

// VersionFor is the version that a step uses: its sub_type_version, else the evaluated workflow param
// job_template_version, else the default. Empty texts count as absent.
func VersionFor(subTypeVersion *string, workflowParam string) string {
	if subTypeVersion != nil && *subTypeVersion != "" {
		return *subTypeVersion
	}
	if workflowParam != "" {
		return workflowParam
	}
	return DefaultVersion
}

// Resolved is what a template and its ancestors give to a step: definitions and tags, of which later
// ones replaced earlier ones of the same name as a whole.
type Resolved struct {
	Params *param.Definitions
	Tags   param.Tags
}

// maxLoads bounds how many templates one step takes over: an ancestor counts once for every path that
// leads to it.
const maxLoads = 1000

// Resolve gives what a step takes over: the ancestors first, depth first in the order of inherit_from,
// the template itself last. It is empty for a step without sub type, of a type that takes no templates,
// and for a template that does not exist. Ancestors that do not exist are skipped.
//
// A template for another step type and a cycle of inheritance are bad requests.
func Resolve(step *definition.Step, version string, lookup Lookup) (*Resolved, error) {
	out := &Resolved{Params: &param.Definitions{}, Tags: param.Tags{}}
	if step.SubType == nil || *step.SubType == "" || !step.Type.TakesJobTemplates() {
		return out, nil
	}
	r := resolver{step: step, lookup: lookup, out: out}
	return out, r.load(*step.SubType, version, nil)
}

type resolver struct {
	step   *definition.Step
	lookup Lookup
	out    *Resolved
	loads  int
}

type key struct{ jobType, version string }

func (r *resolver) load(jobType, version string, path []key) error {
	k := key{jobType, version}
	if slices.Contains(path, k) {
		return fault.New(fault.BadRequest, "Cyclic dependency detected for step [%s][%s][%s] when inheriting job type [%s]",
			r.step.ID, r.step.Type, *r.step.SubType, jobType)
	}
	if r.loads++; r.loads > maxLoads {
		return fault.New(fault.BadRequest, "step [%s] inherits from more than %d job templates", r.step.ID, maxLoads)
	}
	t, err := r.lookup(jobType, version)
	if err != nil || t == nil {
		return err
	}
	d := &t.Definition
	if len(path) == 0 && d.StepType != r.step.Type {
		return fault.New(fault.BadRequest, "Job template definition step type [%s] does not match the current step type [%s]", d.StepType, r.step.Type)
	}
	path = append(path[:len(path):len(path)], k)
	for _, p := range d.InheritFrom {
		parent := DefaultVersion
		if p.Version != nil && *p.Version != "" {
			parent = *p.Version
		}
		if err := r.load(p.JobType, parent, path); err != nil {
			return err
		}
	}
	if d.Params != nil {
		for name, p := range d.Params.All() {
			r.out.Params.Set(name, p)
		}
	}
	for _, tag := range d.Tags {
		r.out.setTag(tag)
	}
	return nil
}

func (r *Resolved) setTag(tag param.Tag) {
	for i := range r.Tags {
		if r.Tags[i].Name == tag.Name {
			r.Tags[i] = tag
			return
		}
	}
	r.Tags = append(r.Tags, tag)
}

// Params makes the lookup that definition.DryRun and definition.Enrich need.
func Params(lookup Lookup) definition.TemplateParams {
	return func(step *definition.Step, workflowVersion string) (*param.Definitions, error) {
		r, err := Resolve(step, VersionFor(step.SubTypeVersion, workflowVersion), lookup)
		if err != nil {
			return nil, err
		}
		return r.Params, nil
	}
}
