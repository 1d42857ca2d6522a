package definition

import (
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/wire"
)

// The answers of the API about definitions.

// VersionView is a version as it is read: the version itself, and what Control says of it now.
type VersionView struct {
	Control *Control
	Version *Version
	Extras  *EnrichedExtras // nil unless asked for
}

// InlineView is the body of a loop read as a definition by the id of its inline workflow: with the
// properties of the workflow that holds the loop, and as if the version were the only one. parent is the
// control of the workflow that is not inline itself.
func InlineView(parent *Control, inlineID string, version int64, body *Workflow) *VersionView {
	c := *parent
	c.ActiveVersion, c.LatestVersion = version, version
	return &VersionView{Control: &c, Version: &Version{Metadata: Metadata{WorkflowID: inlineID, VersionID: version}, Workflow: body}}
}

// EnrichedExtras are computed for a reader; nothing of it is stored.
type EnrichedExtras struct {
	// WorkflowParams is the JSON of the merged, unevaluated params of the workflow.
	WorkflowParams wire.Appender
	// StepParams are the merged params of the top-level steps, in their order.
	StepParams []NamedParams
	// NextTimes are those of Workflow.NextTimes, nil for a workflow without time triggers.
	NextTimes []*int64
}

// NamedParams is the JSON of the params of a step.
type NamedParams struct {
	StepID string
	Params wire.Appender
}

// IsDefault tells whether the version is the one that `default` means.
func (v *VersionView) IsDefault() bool {
	return v.Control.DefaultVersion() == v.Version.Metadata.VersionID
}

// AppendJSON writes the definition as GET answers it (workflow-definition.md 3.4).
func (v *VersionView) AppendJSON(out []byte) []byte {
	c, id := v.Control, v.Version.Metadata.VersionID
	w := newWriter(out)
	w.Append("properties_snapshot", &c.Properties)
	w.Append("metadata", &v.Version.Metadata)
	w.Append("workflow", v.Version.Workflow)
	active := c.ActiveVersion == id
	w.Bool("is_active", active)
	if active {
		w.Long("activate_time", c.ActivateTime)
		w.Append("activated_by", c.ActivatedBy)
	}
	w.Bool("is_latest", c.LatestVersion == id)
	w.Bool("is_default", v.IsDefault())
	w.Long("internal_id", c.InternalID)
	if v.Extras != nil {
		w.Append("enriched_extras", v.Extras)
	}
	w.Long("modify_time", c.ModifyTime)
	w.Close()
	return w.Bytes()
}

// AppendJSON writes the extras. Of the next times all are written, null for a trigger that never fires
// again, and the earliest once more if there is one.
func (e *EnrichedExtras) AppendJSON(out []byte) []byte {
	w := newWriter(out)
	if e.WorkflowParams != nil {
		w.Append("workflow_params", e.WorkflowParams)
	}
	w.Object("step_params")
	for _, s := range e.StepParams {
		w.Append(s.StepID, s.Params)
	}
	w.Close()
	if e.NextTimes != nil {
		w.List("next_execution_times")
		var first *int64
		for _, t := range e.NextTimes {
			if t == nil {
				w.NullItem()
				continue
			}
			w.LongItem(*t)
			if first == nil || *t < *first {
				first = t
			}
		}
		w.CloseList()
		w.LongOpt("next_execution_time", first)
	}
	w.Close()
	return w.Bytes()
}

// AppendCreated writes the answer to a push.
func AppendCreated(out []byte, c *Change) []byte {
	w := newWriter(out)
	w.Append("workflow_definition", &VersionView{Control: &c.Control, Version: c.Version})
	w.Close()
	return w.Bytes()
}

// AppendValidated writes the answer to a validation that found nothing.
func AppendValidated(out []byte, caller User, now int64) []byte {
	w := newWriter(out)
	w.Long("timestamp", now)
	w.Str("type", "ACTION")
	w.Str("action", "VALIDATE")
	w.Append("author", caller)
	w.Str("message", "the workflow definition is valid.")
	w.Close()
	return w.Bytes()
}

// AppendOverview writes the overview of a workflow.
func AppendOverview(out []byte, c *Control, counts Counts) []byte {
	shown := c.Properties
	strategy := shown.Strategy()
	shown.RunStrategy = &strategy
	w := newWriter(out)
	w.Str("workflow_id", c.WorkflowID)
	w.LongIf("active_version_id", c.ActiveVersion)
	w.Long("latest_version_id", c.LatestVersion)
	w.Long("default_version_id", c.DefaultVersion())
	w.Append("properties_snapshot", &shown)
	w.LongOpt("step_concurrency", shown.StepConcurrency)
	w.Object("nonterminal_instances")
	w.Long("CREATED", counts.Created)
	w.Long("IN_PROGRESS", counts.InProgress)
	w.Long("PAUSED", counts.Paused)
	w.Close()
	w.Long("failed_instances", counts.Failed)
	w.LongIf("latest_instance_id", counts.LatestInstance)
	w.Close()
	return w.Bytes()
}

// MaxTimelineLines is how many entries of a timeline are shown.
const MaxTimelineLines = 300

// AppendTimeline writes the timeline of a workflow, newest first as the lines are given. An unknown
// workflow has none.
func AppendTimeline(out []byte, workflowID string, lines []TimelineLine) []byte {
	w := newWriter(out)
	w.Str("workflow_id", workflowID)
	w.List("timeline_events")
	for i, line := range lines {
		if i == MaxTimelineLines {
			break
		}
		w.AppendItem(line)
	}
	w.CloseList()
	w.Close()
	return w.Bytes()
}

// AppendJSON writes the entry; ReadTimelineLine reads it.
func (l TimelineLine) AppendJSON(out []byte) []byte {
	w := newWriter(out)
	w.Append("author", l.Author)
	w.Str("log", l.Log)
	w.Long("timestamp", l.Timestamp)
	w.Close()
	return w.Bytes()
}

// ReadTimelineLine reads a stored entry.
func ReadTimelineLine(stored []byte) (TimelineLine, error) {
	o, err := openStored(stored)
	if err != nil {
		return TimelineLine{}, err
	}
	l := TimelineLine{Log: o.Str("log"), Timestamp: o.Long("timestamp")}
	if u := ReadUser(o.Get("author")); u != nil {
		l.Author = *u
	}
	return l, o.Close()
}

// AppendJSON writes the answer to activate and deactivate.
func (a Activation) AppendJSON(out []byte) []byte {
	w := newWriter(out)
	w.Str("workflow_id", a.WorkflowID)
	w.Long("workflow_version_id", a.VersionID)
	w.Object("timeline_event")
	w.Long("timestamp", a.Timestamp)
	w.Str("type", "ACTION")
	w.Str("action", a.Action)
	w.Append("author", a.Author)
	w.Str("message", a.Message)
	w.Close()
	w.Close()
	return w.Bytes()
}

// AppendDeleted writes the answer to an accepted deletion, with the message of CheckDelete.
func AppendDeleted(out []byte, message string, now int64) []byte {
	w := newWriter(out)
	w.Long("timestamp", now)
	w.Str("type", "LOG")
	w.Str("level", "INFO")
	w.Str("message", message)
	w.Close()
	return w.Bytes()
}

// Stored forms: what the Append functions above wrote, read back. Their errors are internal: a record
// that cannot be read is damage, not input.

func openStored(stored []byte) (*wire.Object, error) {
	v, err := wire.Parse(stored)
	if err != nil {
		return nil, damaged(err)
	}
	o, err := wire.Open(v, "")
	if err != nil {
		return nil, damaged(err)
	}
	return o, nil
}

func damaged(err error) error {
	return fault.New(fault.InternalError, "a stored record cannot be read: %s", err)
}

// ReadVersion reads the record of a version.
func ReadVersion(stored []byte) (*Version, error) {
	o, err := openStored(stored)
	if err != nil {
		return nil, err
	}
	v := &Version{Workflow: readWorkflow(o.Get("workflow"))}
	v.Workflow.size = len(stored)
	if m := o.Object("metadata"); m != nil {
		v.Metadata = Metadata{WorkflowID: m.Str("workflow_id"), VersionID: m.Long("workflow_version_id"), CreateTime: m.Long("create_time"),
			GitInfo: ReadGitInfo(m.Get("git_info"))}
		if u := ReadUser(m.Get("version_author")); u != nil {
			v.Metadata.VersionAuthor = *u
		}
		v.Metadata.Extras = m.Rest("")
	}
	if err := o.Close(); err != nil {
		return nil, damaged(err)
	}
	return v, nil
}

// ReadWorkflow reads a definition that was written by Workflow.AppendJSON.
func ReadWorkflow(stored []byte) (*Workflow, error) {
	v, err := wire.Parse(stored)
	if err != nil {
		return nil, damaged(err)
	}
	root := wire.Root(v, "workflow")
	w := readWorkflow(root)
	if err := root.Err(); err != nil {
		return nil, damaged(err)
	}
	return w, nil
}

// ReadStep reads a wrapped step that was written by Step.AppendJSON.
func ReadStep(stored []byte) (*Step, error) {
	v, err := wire.Parse(stored)
	if err != nil {
		return nil, damaged(err)
	}
	root := wire.Root(v, "")
	s := readStep(root)
	if err := root.Err(); err != nil {
		return nil, damaged(err)
	}
	return s, nil
}

// AppendJSON writes the control record; ReadControl reads it.
func (c *Control) AppendJSON(out []byte) []byte {
	w := newWriter(out)
	w.Str("workflow_id", c.WorkflowID)
	w.Long("internal_id", c.InternalID)
	w.LongIf("active_version_id", c.ActiveVersion)
	w.Long("latest_version_id", c.LatestVersion)
	if c.ActiveVersion != 0 {
		w.Long("activate_time", c.ActivateTime)
		w.Append("activated_by", c.ActivatedBy)
	}
	w.Append("properties_snapshot", &c.Properties)
	w.Long("modify_time", c.ModifyTime)
	w.Close()
	return w.Bytes()
}

// ReadControl reads a control record.
func ReadControl(stored []byte) (*Control, error) {
	o, err := openStored(stored)
	if err != nil {
		return nil, err
	}
	c := &Control{WorkflowID: o.Str("workflow_id"), InternalID: o.Long("internal_id"), ActiveVersion: o.Long("active_version_id"),
		LatestVersion: o.Long("latest_version_id"), ActivateTime: o.Long("activate_time"), ModifyTime: o.Long("modify_time")}
	if u := ReadUser(o.Get("activated_by")); u != nil {
		c.ActivatedBy = *u
	}
	c.Properties = readSnapshot(o.Get("properties_snapshot"))
	if err := o.Close(); err != nil {
		return nil, damaged(err)
	}
	return c, nil
}

func readSnapshot(v wire.Node) Snapshot {
	var s Snapshot
	each(v, func(name string, m wire.Node) bool {
		switch name {
		case "workflow_id":
			s.WorkflowID = m.Str()
		case "create_time":
			s.CreateTime = m.Long()
		case "author":
			if u := ReadUser(m); u != nil {
				s.Author = *u
			}
		case "tags":
			s.Tags = param.ReadTags(m)
		default:
			return readProperty(&s.Properties, name, m)
		}
		return true
	})
	return s
}

// ReadSnapshot reads a snapshot that was written by Snapshot.AppendJSON.
func ReadSnapshot(stored []byte) (Snapshot, error) {
	v, err := wire.Parse(stored)
	if err != nil {
		return Snapshot{}, damaged(err)
	}
	root := wire.Root(v, "")
	s := readSnapshot(root)
	if err := root.Err(); err != nil {
		return Snapshot{}, damaged(err)
	}
	return s, nil
}
