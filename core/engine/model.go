package engine

// The models of packages definition and param under the names that State uses. They stand here until those packages
// are in place and then become aliases of theirs.

type (
	// Params are evaluated params by name, in order.
	Params = []NamedParam
	// ParamDefs are param definitions by name, in order.
	ParamDefs = []NamedParam
	// Tags are tags in order, unique by name.
	Tags = []Tag
)

// NamedParam is a param under its name.
type NamedParam struct {
	Name string
	*Param
}

// Param is one param.
type Param struct{ JSON []byte }

// Tag is a name with attributes.
type Tag struct{ Name string }

// Workflow is a definition.
type Workflow struct{ ID string }

// Initiator is who started a run.
type Initiator struct{ Type string }

// RunProperties are the properties of a workflow as they were at the start.
type RunProperties struct {
	CreateTime      int64
	Owner           string
	StepConcurrency *int64
	Tags            Tags
}
