// Package template is job templates: named sets of parameters and tags that a step takes over through its
// sub type (step-types.md 12). It reads, checks and writes them and resolves their inheritance; where
// they are kept is not its business.
package template

import (
	"fmt"
	"strings"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/definition/yamltree"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/wire"
)

// DefaultVersion is the version that callers without one mean.
const DefaultVersion = "default"

// Template is a job template as it is stored and shown. Its key is job type and version.
type Template struct {
	Metadata   Metadata
	Definition Definition
}

// Metadata says whose a template is.
type Metadata struct {
	Owner         definition.User
	VersionAuthor definition.User // the caller of the last push
	Status        string
	Support       string
	TestWorkflows []string // nil when absent
	GitInfo       *definition.GitInfo
	CreateTime    int64 // of the last push, epoch milliseconds
	Extras        []wire.Field
}

// Definition is what a template gives to a step.
type Definition struct {
	JobType     string
	StepType    definition.StepType
	Version     string
	Description *string
	Tags        param.Tags
	InheritFrom []Parent // nil when absent
	Params      *param.Definitions
}

// Parent is a template that another one inherits from. A nil Version was null and means the default.
type Parent struct {
	JobType string
	Version *string
}

// CreateRequest is the body of a push of a template; every field but the version author and the time.
type CreateRequest struct {
	Owner         *definition.User
	Status        *string
	Support       *string
	TestWorkflows []string
	GitInfo       *definition.GitInfo
	Definition    *Definition
	Extras        []wire.Field
}

// reserved are the names of metadata, which extras cannot have.
var reserved = []string{"owner", "status", "support", "test_workflows", "git_info", "create_time", "version_author"}

// ReadCreate reads the JSON of a push. Errors are *fault.Error.
func ReadCreate(body []byte) (*CreateRequest, error) {
	v, err := wire.Parse(body)
	if err != nil {
		return nil, fault.Of(err)
	}
	o, err := wire.Open(v, "")
	if err != nil {
		return nil, fault.Of(err)
	}
	r := &CreateRequest{
		Owner:         definition.ReadUser(o.Get("owner")),
		Status:        o.StrOpt("status"),
		Support:       o.StrOpt("support"),
		TestWorkflows: o.Strs("test_workflows"),
		GitInfo:       definition.ReadGitInfo(o.Get("git_info")),
		Definition:    readDefinition(o.Get("definition")),
	}
	r.Extras = o.Rest("extra_info")
	if err := o.Close(); err != nil {
		return nil, fault.Of(err)
	}
	return r, nil
}

// ReadCreateYAML reads the same structure in YAML. Errors are *fault.Error.
func ReadCreateYAML(document []byte) (*CreateRequest, error) {
	root, err := yamltree.Parse(document)
	if err != nil {
		return nil, fault.New(fault.BadRequest, "%s", err)
	}
	return ReadCreate(root.AppendJSON(nil))
}

func readDefinition(n wire.Node) *Definition {
	o := n.Object()
	if o == nil {
		return nil
	}
	d := &Definition{JobType: o.Str("job_type"), Version: o.Str("version"), Description: o.StrOpt("description"),
		Tags: param.ReadTags(o.Get("tags"))}
	if name := o.StrOpt("step_type"); name != nil {
		t, ok := definition.ParseStepType(*name)
		if !ok {
			o.Get("step_type").Fail("unknown step type [%s]", *name)
		}
		d.StepType = t
	}
	if parents := o.Members("inherit_from"); parents != nil {
		d.InheritFrom = []Parent{}
		for _, p := range parents {
			d.InheritFrom = append(d.InheritFrom, Parent{JobType: p.Name, Version: p.Node.StrOpt()})
		}
	}
	d.Params = param.ReadDefinitions(o.Get("params"), true)
	n.Check(o.Close())
	return d
}

// Validate lists all violations in one *fault.Error, or is nil.
func (r *CreateRequest) Validate() error {
	var bad []string
	add := func(path, text string) {
		if text != "" {
			bad = append(bad, path+" "+text)
		}
	}
	require := func(path string, absent bool) {
		if absent {
			add(path, "may not be null")
		}
	}
	require("owner", r.Owner == nil)
	require("status", r.Status == nil)
	require("support", r.Support == nil)
	require("definition", r.Definition == nil)
	if d := r.Definition; d != nil {
		add("definition.jobType", definition.CheckReference(d.JobType))
		add("definition.version", definition.CheckReference(d.Version))
		require("definition.stepType", d.StepType == "")
		if d.Description != nil {
			add("definition.description", definition.CheckDescription(*d.Description))
		}
		for i, t := range d.Tags {
			add(fmt.Sprintf("definition.tags[%d].name", i), definition.CheckName(t.Name))
		}
		bad = append(bad, definition.CheckParams("definition.params", d.Params)...)
	}
	if len(bad) > 0 {
		return &fault.Error{Code: fault.BadRequest, Message: "Validation failed for argument [0]", Errors: bad}
	}
	var names []string
	refused := false
	for _, e := range r.Extras {
		names = append(names, e.Name)
		for _, name := range reserved {
			refused = refused || e.Name == name
		}
	}
	if refused {
		return fault.New(fault.BadRequest, "extra info [%s] cannot contain any reserved keys [%s]", strings.Join(names, ", "), strings.Join(reserved, ", "))
	}
	return nil
}

// Template is the template that a validated request makes. It replaces one of the same key as a whole.
func (r *CreateRequest) Template(caller definition.User, now int64) *Template {
	return &Template{
		Metadata: Metadata{Owner: *r.Owner, VersionAuthor: caller, Status: *r.Status, Support: *r.Support, TestWorkflows: r.TestWorkflows,
			GitInfo: r.GitInfo, CreateTime: now, Extras: r.Extras},
		Definition: *r.Definition,
	}
}

// AppendJSON writes the template as it is stored and answered.
func (t *Template) AppendJSON(out []byte) []byte {
	w := wire.NewWriter(out)
	m, d := &t.Metadata, &t.Definition
	w.Open()
	w.Object("metadata")
	w.Append("owner", m.Owner)
	w.Append("version_author", m.VersionAuthor)
	w.Str("status", m.Status)
	w.Str("support", m.Support)
	if m.TestWorkflows != nil {
		w.Strs("test_workflows", m.TestWorkflows)
	}
	if m.GitInfo != nil {
		w.Append("git_info", m.GitInfo)
	}
	w.Long("create_time", m.CreateTime)
	for _, e := range m.Extras {
		w.Value(e.Name, e.Value)
	}
	w.Close()
	w.Object("definition")
	w.Str("job_type", d.JobType)
	w.Str("step_type", string(d.StepType))
	w.Str("version", d.Version)
	w.StrOpt("description", d.Description)
	if d.Tags != nil {
		w.Append("tags", d.Tags)
	}
	if d.InheritFrom != nil {
		w.Object("inherit_from")
		for _, p := range d.InheritFrom {
			if p.Version == nil {
				w.Null(p.JobType)
			} else {
				w.Str(p.JobType, *p.Version)
			}
		}
		w.Close()
	}
	if d.Params != nil {
		w.Append("params", d.Params)
	}
	w.Close()
	w.Close()
	return w.Bytes()
}

// Read reads a stored template. Its error is internal: such a record is damaged.
func Read(stored []byte) (*Template, error) {
	damaged := func(err error) (*Template, error) {
		return nil, fault.New(fault.InternalError, "a stored job template cannot be read: %s", err)
	}
	v, err := wire.Parse(stored)
	if err != nil {
		return damaged(err)
	}
	o, err := wire.Open(v, "")
	if err != nil {
		return damaged(err)
	}
	t := &Template{}
	if m := o.Object("metadata"); m != nil {
		t.Metadata = Metadata{Status: m.Str("status"), Support: m.Str("support"), TestWorkflows: m.Strs("test_workflows"),
			GitInfo: definition.ReadGitInfo(m.Get("git_info")), CreateTime: m.Long("create_time")}
		if u := definition.ReadUser(m.Get("owner")); u != nil {
			t.Metadata.Owner = *u
		}
		if u := definition.ReadUser(m.Get("version_author")); u != nil {
			t.Metadata.VersionAuthor = *u
		}
		t.Metadata.Extras = m.Rest("")
	}
	if d := readDefinition(o.Get("definition")); d != nil {
		t.Definition = *d
	}
	if err := o.Close(); err != nil {
		return damaged(err)
	}
	return t, nil
}

// AppendList writes templates as a list.
func AppendList(out []byte, list []*Template) []byte {
	w := wire.NewWriter(out)
	w.OpenList()
	for _, t := range list {
		w.AppendItem(t)
	}
	w.CloseList()
	return w.Bytes()
}

// DeletedText is the raw answer to a deletion of n templates; a nil version meant all of them.
func DeletedText(n int, jobType string, version *string) string {
	v := "null"
	if version != nil {
		v = *version
	}
	return fmt.Sprintf("Deleted [%d] job templates of type [%s] and version [%s]", n, jobType, v)
}

// NotFound is the error of a template that does not exist.
func NotFound(jobType, version string) *fault.Error {
	return fault.New(fault.NotFound, "Cannot find job template of type [%s] and version [%s]", jobType, version)
}
