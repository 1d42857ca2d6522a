package definition

import "strings"

// StepType is the type of a step as it is written: `NoOp`, `Sleep`, `foreach`.
type StepType string

// The step types.
const (
	NoOp        StepType = "NoOp"
	Sleep       StepType = "Sleep"
	Titus       StepType = "Titus"
	Notebook    StepType = "Notebook"
	Kubernetes  StepType = "Kubernetes"
	HTTP        StepType = "Http"
	Join        StepType = "Join"
	Foreach     StepType = "foreach"
	While       StepType = "while"
	Subworkflow StepType = "subworkflow"
	Template    StepType = "template"
	// Simulated is a type of our own: a job on a service that is not there, for tests and benchmarks (package step).
	Simulated StepType = "Simulated"
)

var stepTypes = []StepType{NoOp, Sleep, Titus, Notebook, Kubernetes, HTTP, Join, Foreach, While, Subworkflow, Template, Simulated}

// ParseStepType reads a step type in any letter case.
func ParseStepType(name string) (StepType, bool) {
	for _, t := range stepTypes {
		if strings.EqualFold(name, string(t)) {
			return t, true
		}
	}
	return "", false
}

// Leaf tells whether a step of the type does work itself instead of starting other workflows.
func (t StepType) Leaf() bool {
	switch t {
	case NoOp, Sleep, Titus, Notebook, Kubernetes, HTTP, Simulated:
		return true
	}
	return false
}

// HasRuntime tells whether Maestro can run a step of the type. A definition whose top level has one
// that cannot run is refused by the dry run.
func (t StepType) HasRuntime() bool {
	switch t {
	case Titus, Join, Template, "":
		return false
	}
	return true
}

// TakesJobTemplates tells whether steps of the type load the job template of their sub type.
func (t StepType) TakesJobTemplates() bool { return t == Kubernetes || t == Notebook || t == HTTP }

// Form is the key that a step definition is wrapped in.
type Form string

// The forms.
const (
	TypedForm       Form = "step"
	ForeachForm     Form = "foreach"
	WhileForm       Form = "while"
	SubworkflowForm Form = "subworkflow"
	TemplateForm    Form = "template"
)

var forms = []Form{TypedForm, ForeachForm, WhileForm, SubworkflowForm, TemplateForm}

func parseForm(name string) (Form, bool) {
	for _, f := range forms {
		if strings.EqualFold(name, string(f)) {
			return f, true
		}
	}
	return "", false
}
