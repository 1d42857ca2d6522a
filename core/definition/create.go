package definition

import (
	"bytes"
	"errors"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/wire"
)

// CreateRequest is the body of a push and of a validation.
type CreateRequest struct {
	Properties *Properties // nil keeps those of the workflow id
	Workflow   *Workflow   // nil is refused by Validate
	IsActive   bool
	GitInfo    *GitInfo
	Extras     []wire.Field // of every other key; they become metadata
	// NoIsActive is set when is_active was given as null: a validation takes it, a push refuses it.
	NoIsActive bool
}

// ReadCreate reads the JSON of a push or validation. Errors are *fault.Error.
func ReadCreate(body []byte) (*CreateRequest, error) {
	v, err := parseBody(body)
	if err != nil {
		return nil, err
	}
	o := v.Object()
	r := &CreateRequest{IsActive: true}
	if n := o.Get("properties"); !n.IsNull() {
		r.Properties = readProperties(n)
	}
	if n := o.Get("workflow"); !n.IsNull() {
		r.Workflow = readWorkflow(n)
		r.Workflow.size = min(len(body), MaxRequestBytes)
	}
	if o.Has("is_active") {
		active := o.BoolOpt("is_active")
		r.IsActive, r.NoIsActive = isTrue(active), active == nil
	}
	r.GitInfo = ReadGitInfo(o.Get("git_info"))
	r.Extras = o.Rest("extra_info")
	if err := o.Close(); err != nil {
		return nil, faultOf(err)
	}
	return r, nil
}

// parseBody reads a body that must be a JSON object.
func parseBody(body []byte) (wire.Node, error) {
	missing := fault.New(fault.BadRequest, "Required request body is missing")
	if len(bytes.TrimSpace(body)) == 0 {
		return wire.Node{}, missing
	}
	v, err := wire.Parse(body)
	if err != nil {
		return wire.Node{}, faultOf(err)
	}
	if v.IsNull() {
		return wire.Node{}, missing
	}
	root := wire.Root(v, "")
	if v.Kind() != wire.KindObject {
		root.Fail("expected an object, found %s", v.Kind())
		return wire.Node{}, faultOf(root.Err())
	}
	return root, nil
}

// ReadCreateYAML reads the YAML shorthand of a push or validation. Errors are *fault.Error, except
// those of lookup itself.
func ReadCreateYAML(document []byte, lookup TemplateStepType) (*CreateRequest, error) {
	body, err := ConvertYAML(document, lookup)
	var failed *LookupError
	if errors.As(err, &failed) {
		return nil, failed
	}
	if err != nil {
		return nil, fault.New(fault.BadRequest, "%s", err)
	}
	return ReadCreate(body)
}

// CheckPush refuses what a push refuses and a validation takes: is_active without a value.
func (r *CreateRequest) CheckPush() error {
	if r.NoIsActive {
		return fault.New(fault.BadRequest, "is_active cannot be null")
	}
	return nil
}

// faultOf shows an error of reading to the caller.
func faultOf(err error) error { return fault.Of(err) }
