package param

import (
	"github.com/downbeat/downbeat/core/sel"
)

// builtin names a default whose result is known without running its expression.
type builtin uint8

const (
	_ builtin = iota
	builtinInstanceID
	builtinStepUUID
	builtinAttemptID
	builtinStepID
	builtinOwner
	builtinWorkflowID
	builtinNow
)

// Defaults are the built-in params (parameters.md 13), merged with source SYSTEM_DEFAULT, before cleanup. They are
// immutable.
type Defaults struct {
	Workflow *Definitions
	// Step are those that every step has.
	Step *Definitions
	// ByType are those of one step type, by the name of the type in upper case: FOREACH, WHILE, SUBWORKFLOW, KUBERNETES,
	// NOTEBOOK, HTTP.
	ByType map[string]*Definitions
	// DryRun are the run params of the dry run, each of which is used where the workflow defines a param of that name
	// and type (workflow-definition.md 10.4).
	DryRun *Definitions

	step map[string]*Definitions // Step with those of the type over it
}

// systemDefault is the layer of all defaults.
var systemDefault = Layer{Source: SourceSystemDefault}

// StandardDefaults are the defaults of a server without configuration.
func StandardDefaults() (*Defaults, error) {
	return NewDefaults(workflowDefaults(), stepDefaults(), typeDefaults(), dryRunDefaults())
}

// NewDefaults makes Defaults of other definitions than the standard ones. The error is that of a merge.
func NewDefaults(workflow, step *Definitions, byType map[string]*Definitions, dryRun *Definitions) (*Defaults, error) {
	d := &Defaults{ByType: make(map[string]*Definitions, len(byType)), DryRun: dryRun, step: make(map[string]*Definitions, len(byType))}
	var err error
	if d.Workflow, err = Merge(nil, workflow, systemDefault); err != nil {
		return nil, err
	}
	if d.Step, err = Merge(nil, step, systemDefault); err != nil {
		return nil, err
	}
	for t, defs := range byType {
		if d.ByType[t], err = Merge(nil, defs, systemDefault); err != nil {
			return nil, err
		}
		if d.step[t], err = Merge(d.Step, defs, systemDefault); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// forStep are the defaults of a step of that type, merged.
func (d *Defaults) forStep(stepType string) *Definitions {
	if s := d.step[stepType]; s != nil {
		return s
	}
	return d.Step
}

// The zones and patterns of the dates.
const (
	zoneUTC     = "DateTimeZone.UTC"
	zonePacific = "DateTimeZone.forID('America/Los_Angeles')"
	zoneCron    = "DateTimeZone.forID(WORKFLOW_CRON_TIMEZONE)"
)

// date is the code of a date or hour: of ts in zone, shifted.
func date(ts, zone, shift, pattern string) string {
	return "new DateTime(" + ts + ").withZone(" + zone + ")" + shift + ".toString('" + pattern + "')"
}

func workflowDefaults() *Definitions {
	const day, hour = "yyyyMMdd", "HH"
	defs := &Definitions{}
	add := func(name string, t Type, code string) *Definition {
		d := Expression(t, code)
		d.Mode = MutableOnStart
		defs.Set(name, d)
		return d
	}
	str := sel.ParamString
	add("DSL_DEFAULT_TZ", str, "zone = params.getFromInstance('FIRST_TIME_TRIGGER_TIMEZONE'); return zone == '' ? 'UTC' : zone;")
	add("WORKFLOW_CRON_TIMEZONE", str, "zone = params.getFromInstance('INITIATOR_TIMEZONE'); return zone == '' ? DSL_DEFAULT_TZ : zone;")
	add("RUN_TS", sel.ParamLong, "new DateTime().getMillis()").builtin = builtinNow
	add("TARGET_RUN_DATE", str, date("RUN_TS", zoneCron, "", day))
	add("TARGET_RUN_HOUR", str, date("RUN_TS", zoneCron, "", hour))
	add("DERIVED_RUN_TS", sel.ParamLong,
		"DateTimeFormat.forPattern('yyyyMMddHH').withZone("+zoneCron+").parseDateTime(TARGET_RUN_DATE + TARGET_RUN_HOUR).getMillis()")
	add("DERIVED_RUN_DATE_US_PACIFIC", str, date("DERIVED_RUN_TS", zonePacific, "", day))
	add("DERIVED_RUN_DATE_US_PACIFIC_MINUS_ONE", str, date("DERIVED_RUN_TS", zonePacific, ".minusDays(1)", day))
	add("DERIVED_RUN_DATE_UTC", str, date("DERIVED_RUN_TS", zoneUTC, "", day))
	add("DERIVED_RUN_DATE_UTC_MINUS_ONE", str, date("DERIVED_RUN_TS", zoneUTC, ".minusDays(1)", day))
	add("DERIVED_RUN_DATE_UTC_PLUS_ONE", str, date("DERIVED_RUN_TS", zoneUTC, ".plusDays(1)", day))
	add("DERIVED_RUN_DATE_UTC_MINUS_ONE_HOUR", str, date("DERIVED_RUN_TS", zoneUTC, ".minusHours(1)", day))
	add("DERIVED_RUN_DATE_UTC_PLUS_ONE_HOUR", str, date("DERIVED_RUN_TS", zoneUTC, ".plusHours(1)", day))
	add("DERIVED_RUN_HOUR_US_PACIFIC", str, date("DERIVED_RUN_TS", zonePacific, "", hour))
	add("DERIVED_RUN_HOUR_UTC", str, date("DERIVED_RUN_TS", zoneUTC, "", hour))
	add("DERIVED_RUN_HOUR_UTC_MINUS_ONE_HOUR", str, date("DERIVED_RUN_TS", zoneUTC, ".minusHours(1)", hour))
	add("DERIVED_RUN_HOUR_UTC_PLUS_ONE_HOUR", str, date("DERIVED_RUN_TS", zoneUTC, ".plusHours(1)", hour))
	add("LOCAL_RUN_DATE", str, date("RUN_TS", zoneCron, "", day))
	add("RUN_DATE", str, date("RUN_TS", zoneUTC, "", day))
	add("RUN_DATE_MINUS_1", str, date("RUN_TS", zoneUTC, ".minusDays(1)", day))
	add("RUN_DATE_MINUS_7", str, date("RUN_TS", zoneUTC, ".minusDays(7)", day))
	defs.Set("job_template_version", &Definition{Type: str, InternalMode: Optional})
	defs.Set("owner", reserved(str, "params.getFromInstance('owner')", builtinOwner))
	defs.Set("workflow_id", reserved(str, "params.getFromInstance('workflow_id')", builtinWorkflowID))
	return defs
}

func reserved(t Type, code string, b builtin) *Definition {
	d := Expression(t, code)
	d.InternalMode, d.builtin = Reserved, b
	return d
}

func stepDefaults() *Definitions {
	defs := &Definitions{}
	defs.Set("workflow_instance_id", reserved(sel.ParamLong, "params.getFromInstance('workflow_instance_id')", builtinInstanceID))
	defs.Set("step_instance_uuid", reserved(sel.ParamString, "params.getFromStep('step_instance_uuid')", builtinStepUUID))
	defs.Set("step_attempt_id", reserved(sel.ParamLong, "params.getFromStep('step_attempt_id')", builtinAttemptID))
	defs.Set("step_id", reserved(sel.ParamString, "params.getFromStep('step_id')", builtinStepID))
	return defs
}

// with gives a definition an internal mode.
func with(m InternalMode, d *Definition) *Definition { d.InternalMode = m; return d }

func tagged(tag string, d *Definition) *Definition { d.Tags = Tags{{Name: tag}}; return d }

func none(t Type) *Definition { return &Definition{Type: t, InternalMode: Optional} }

func required(t Type) *Definition { return &Definition{Type: t, InternalMode: Required} }

// define makes a map of name, definition, name, definition …
func define(pairs ...any) *Definitions {
	defs := &Definitions{}
	for i := 0; i+1 < len(pairs); i += 2 {
		defs.Set(pairs[i].(string), pairs[i+1].(*Definition))
	}
	return defs
}

func stringMap(pairs ...string) *Definition {
	entries := make([]sel.Entry, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		entries = append(entries, sel.Entry{Key: pairs[i], Value: sel.String(pairs[i+1])})
	}
	return &Definition{Type: sel.ParamStringMap, Value: &Literal{V: sel.Map(entries)}}
}

// The code of two defaults of notebooks.
const (
	notebookOutput = `'maestro-output_' + new DateTime(RUN_TS).withZone(DateTimeZone.UTC).toString('yyyyMMddHHmmss') + '__' + ` +
		`params.getFromInstance('workflow_instance_id') + '_' + params.getFromStep('step_instance_id') + '_' + ` +
		`params.getFromStep('step_instance_uuid') + '.ipynb'`
	notebookRun = `params.getFromInstance('workflow_id') + '_' + params.getFromInstance('workflow_instance_id') + '_' + ` +
		`params.getFromInstance('workflow_run_id') + '_' + params.getFromStep('step_id') + '_' + params.getFromStep('step_attempt_id')`
	httpState = `if (status_code >= 200 && status_code < 300) { return 'DONE'; } ` +
		`if (status_code >= 400 && status_code < 500) { return 'FATAL_ERROR'; } return 'USER_ERROR';`
)

func typeDefaults() map[string]*Definitions {
	str, list := sel.ParamString, sel.ParamStringArray
	loop := func() *Definitions {
		params, index := with(Required, Map(&Definitions{})), with(Reserved, Long(-1))
		params.Mode, params.Validator = MutableOnStart, text("@NotEmpty")
		index.Validator = text("@Min(0)")
		return define("loop_params", params, "loop_index", index)
	}
	while := loop()
	while.Set("condition", with(Reserved, Bool(false)))

	child, version := required(str), with(Provided, String("active"))
	child.Mode, child.Validator = MutableOnStart, text("@NotEmpty")
	version.Mode, version.Validator = MutableOnStart, text("@NotEmpty")

	job := func() *Definitions {
		return define("app_name", with(Provided, String("maestro-job")),
			"cpu", none(str), "disk", none(str), "gpu", none(str), "memory", none(str), "image", required(str),
			"command", none(list), "args", none(list), "env", with(Provided, stringMap()),
			"job_deduplication_key", none(str), "owner_email", none(str))
	}
	pod := job()
	exec := with(Optional, Map(define("command", none(list))))
	pod.Set("pre_stop", with(Optional, Map(define("exec", exec))))
	notebook := define("init_command", with(Provided, String("")),
		"git_branch", none(str), "git_commit", none(str), "git_repo", none(str), "input_path", required(str),
		"output_path", with(Provided, Expression(str, notebookOutput)), "papermill_arguments", none(list),
		"run_id", with(Provided, Expression(str, notebookRun)))

	request := define("url", required(str), "method", with(Provided, String("GET")),
		"headers", with(Provided, stringMap("Content-Type", "application/json", "Accept", "application/json")), "body", none(str))

	return map[string]*Definitions{
		"FOREACH":     loop(),
		"WHILE":       while,
		"SUBWORKFLOW": define("subworkflow_id", child, "subworkflow_version", version),
		"KUBERNETES":  define("kubernetes", tagged("kubernetes", with(Required, Map(pod)))),
		"NOTEBOOK": define("kubernetes", tagged("kubernetes", with(Provided, Map(job()))),
			"notebook", tagged("notebook", with(Required, Map(notebook)))),
		"HTTP": define("http", tagged("http", with(Required, Map(request))),
			"status_code", tagged("http", with(Optional, Long(200))),
			"response_body", tagged("http", with(Optional, String(""))),
			"state_expr", tagged("http", with(Provided, String(httpState)))),
	}
}

func dryRunDefaults() *Definitions {
	return define("FROM_DATE", String("20210101"), "TO_DATE", String("20210101"))
}

// DryRunParams are the run params of a dry run of a workflow with those params.
func (d *Defaults) DryRunParams(workflow *Definitions) *Definitions {
	run := &Definitions{}
	for name, def := range d.DryRun.All() {
		if w := workflow.Get(name); w != nil && w.Type == def.Type {
			run.Set(name, def)
		}
	}
	return run
}
