package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/view"
)

func (a *API) definitionRoutes() []route {
	const workflow = base + "/workflows/{workflowId}"
	return []route{
		{method: http.MethodPost, path: base + "/workflows", content: jsonContent, needsUser: true, handle: func(c *call) (answer, error) { return c.push(readJSON) }},
		{method: http.MethodPost, path: base + "/workflows/yaml", content: yamlContent, needsUser: true, handle: func(c *call) (answer, error) { return c.push(readYAML) }},
		{method: http.MethodPut, path: base + "/workflows/actions/validate", content: jsonContent, needsUser: true, handle: func(c *call) (answer, error) { return c.validate(readJSON) }},
		{method: http.MethodPut, path: base + "/workflows/actions/validate/yaml", content: yamlContent, needsUser: true, handle: func(c *call) (answer, error) { return c.validate(readYAML) }},
		{method: http.MethodPost, path: workflow + "/properties", content: jsonContent, needsUser: true, handle: (*call).updateProperties},
		{method: http.MethodPost, path: workflow + "/properties/tag", content: jsonContent, needsUser: true, handle: (*call).addTag},
		{method: http.MethodDelete, path: workflow + "/properties/tag/{workflowTagName}", needsUser: true, handle: (*call).deleteTag},
		{method: http.MethodDelete, path: workflow, needsUser: true, handle: (*call).deleteWorkflow},
		{method: http.MethodGet, path: workflow + "/versions/{version}", handle: (*call).readVersion},
		{method: http.MethodGet, path: workflow + "/properties-snapshot/{snapshotId}", handle: (*call).readSnapshot},
		{method: http.MethodGet, path: workflow + "/overview", handle: (*call).readOverview},
		{method: http.MethodGet, path: workflow + "/timeline", handle: (*call).readTimeline},
		{method: http.MethodGet, path: workflow + "/versions/pagination", handle: (*call).listVersions},
		{method: http.MethodPut, path: workflow + "/actions/deactivate", needsUser: true, handle: (*call).deactivate},
		{method: http.MethodPut, path: workflow + "/versions/{version}/actions/activate", needsUser: true, handle: (*call).activate},
	}
}

// reader reads a create request in one of its languages.
type reader func(c *call) (*definition.CreateRequest, error)

func readJSON(c *call) (*definition.CreateRequest, error) { return definition.ReadCreate(c.body) }

func readYAML(c *call) (*definition.CreateRequest, error) {
	return definition.ReadCreateYAML(c.body, func(jobType, version string) (definition.StepType, bool, error) {
		return c.api.app.TemplateStepType(c.Context(), jobType, version)
	})
}

func (c *call) caller() definition.User { return definition.NamedUser(c.user) }

// push checks in Maestro's order: the body, its rules, the caller, the dry run, then what the stored state forbids.
func (c *call) push(read reader) (answer, error) {
	req, err := read(c)
	if err != nil {
		return answer{}, err
	}
	if err := req.CheckPush(); err != nil {
		return answer{}, err
	}
	if err := req.Validate(c.api.app.Now()); err != nil {
		return answer{}, err
	}
	if err := c.identify(); err != nil {
		return answer{}, err
	}
	if err := c.api.app.DryRun(c.Context(), req, c.user); err != nil {
		return answer{}, definition.PushFailure(req.Workflow.ID, err)
	}
	change, err := c.api.app.Push(c.Context(), req, c.caller())
	if err != nil {
		return answer{}, err
	}
	return ok(definition.AppendCreated(nil, change))
}

func (c *call) validate(read reader) (answer, error) {
	req, err := read(c)
	if err != nil {
		return answer{}, err
	}
	if err := req.Validate(c.api.app.Now()); err != nil {
		return answer{}, err
	}
	if err := c.identify(); err != nil {
		return answer{}, err
	}
	if err := c.api.app.DryRun(c.Context(), req, c.user); err != nil {
		return answer{}, definition.ValidationFailure(err)
	}
	return ok(definition.AppendValidated(nil, c.caller(), c.api.app.Now()))
}

// change commits a change of the addressed workflow.
func (c *call) change(decide func(ctl *app.Ctl) (*definition.Change, error)) (*definition.Change, error) {
	return c.api.app.ChangeWorkflow(c.Context(), c.PathValue("workflowId"), decide)
}

func (c *call) updateProperties() (answer, error) {
	update, err := definition.ReadPropertiesUpdate(c.body)
	if err != nil {
		return answer{}, err
	}
	if err := update.Validate(); err != nil {
		return answer{}, err
	}
	if err := c.identify(); err != nil {
		return answer{}, err
	}
	wf := c.PathValue("workflowId")
	change, err := c.change(func(ctl *app.Ctl) (*definition.Change, error) {
		var counts definition.Counts
		var err error
		if definition.NeedsCounts(ctl.Control, &update.Properties) {
			if counts, err = c.api.app.Counts(c.Context(), wf); err != nil {
				return nil, err
			}
		}
		active, err := activeWorkflow(c.Context(), c.api.app, ctl.Control)
		if err != nil {
			return nil, err
		}
		return definition.ApplyProperties(ctl.Control, wf, update, active, c.caller(), c.api.app.ChangeTime(ctl), counts)
	})
	if err != nil {
		return answer{}, err
	}
	return ok(change.Snapshot.AppendJSON(nil))
}

func activeWorkflow(ctx context.Context, a *app.App, ctl *definition.Control) (*definition.Workflow, error) {
	if ctl == nil || ctl.ActiveVersion == 0 {
		return nil, nil
	}
	v, err := a.Version(ctx, ctl, ctl.ActiveVersion)
	if err != nil || v == nil {
		return nil, err
	}
	return v.Workflow, nil
}

func (c *call) addTag() (answer, error) {
	tag, err := definition.ReadTagBody(c.body)
	if err != nil {
		return answer{}, err
	}
	if err := c.identify(); err != nil {
		return answer{}, err
	}
	change, err := c.change(func(ctl *app.Ctl) (*definition.Change, error) {
		return definition.ApplyAddTag(ctl.Control, c.PathValue("workflowId"), tag, c.caller(), c.api.app.ChangeTime(ctl))
	})
	if err != nil {
		return answer{}, err
	}
	return ok(change.Snapshot.AppendJSON(nil))
}

func (c *call) deleteTag() (answer, error) {
	change, err := c.change(func(ctl *app.Ctl) (*definition.Change, error) {
		return definition.ApplyDeleteTag(ctl.Control, c.PathValue("workflowId"), c.PathValue("workflowTagName"), c.caller(), c.api.app.ChangeTime(ctl))
	})
	if err != nil {
		return answer{}, err
	}
	return ok(change.Snapshot.AppendJSON(nil))
}

func (c *call) deleteWorkflow() (answer, error) {
	message, err := c.api.app.Delete(c.Context(), c.PathValue("workflowId"), c.caller())
	if err != nil {
		return answer{}, err
	}
	return ok(definition.AppendDeleted(nil, message, c.api.app.Now()))
}

func (c *call) readVersion() (answer, error) {
	enriched, err := c.queryBool("enriched", false)
	if err != nil {
		return answer{}, err
	}
	wf, body, err := c.defined()
	if err != nil {
		return answer{}, err
	}
	ctl, err := c.api.app.Control(c.Context(), wf)
	if err != nil {
		return answer{}, err
	}
	v, err := c.resolve(ctl, wf, c.PathValue("version"))
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		inline := *v
		inline.Workflow, inline.Metadata = body.Workflow, definition.Metadata{VersionID: v.Metadata.VersionID}
		v = &inline
	}
	shown := &definition.VersionView{Control: ctl, Version: v}
	if enriched {
		if shown.Extras, err = c.api.app.Enrich(c.Context(), v); err != nil {
			return answer{}, err
		}
	}
	return ok(shown.AppendJSON(nil))
}

// defined is the workflow whose definition is addressed. For the id of a loop's body it is the one that holds the loop,
// and body is what an iteration was started with.
func (c *call) defined() (workflow string, body *engine.Body, err error) {
	wf := c.PathValue("workflowId")
	if !definition.IsInlineID(wf) {
		return wf, nil, nil
	}
	v, err := c.api.app.Run(c.Context(), store.RunID{Workflow: wf, Instance: 1})
	if fault.CodeOf(err) == fault.NotFound {
		return wf, nil, nil // refused as an unknown workflow
	}
	if err != nil {
		return "", nil, err
	}
	return app.Owner(v), v.Body(), nil
}

// resolve finds the version that a text names.
func (c *call) resolve(ctl *definition.Control, workflow, text string) (*definition.Version, error) {
	n, err := definition.ResolveVersion(ctl, workflow, text)
	if err != nil {
		return nil, err
	}
	v, err := c.api.app.Version(c.Context(), ctl, n)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, definition.MissingVersion(workflow, n)
	}
	return v, nil
}

func (c *call) known() (*definition.Control, error) {
	wf := c.PathValue("workflowId")
	ctl, err := c.api.app.Control(c.Context(), wf)
	if err == nil && ctl == nil {
		err = definition.UnknownWorkflow(wf)
	}
	return ctl, err
}

func (c *call) readSnapshot() (answer, error) {
	wf, _, err := c.defined()
	if err != nil {
		return answer{}, err
	}
	ctl, err := c.api.app.Control(c.Context(), wf)
	if err != nil {
		return answer{}, err
	}
	if ctl == nil {
		return answer{}, definition.UnknownWorkflow(wf)
	}
	// Maestro dies at any other id; nothing is found under it here.
	if id := c.PathValue("snapshotId"); !strings.EqualFold(id, "latest") {
		return answer{}, fault.New(fault.NotFound, "properties snapshot [%s] of workflow [%s] is not found: only `latest` is kept", id, ctl.WorkflowID)
	}
	return ok(ctl.Properties.AppendJSON(nil))
}

func (c *call) readOverview() (answer, error) {
	ctl, err := c.known()
	if err != nil {
		return answer{}, err
	}
	counts, err := c.api.app.Counts(c.Context(), ctl.WorkflowID)
	if err != nil {
		return answer{}, err
	}
	return ok(definition.AppendOverview(nil, ctl, counts))
}

func (c *call) readTimeline() (answer, error) {
	wf := c.PathValue("workflowId")
	lines, err := c.api.app.Timeline(c.Context(), wf, definition.MaxTimelineLines)
	if err != nil {
		return answer{}, err
	}
	return ok(definition.AppendTimeline(nil, wf, lines))
}

func (c *call) listVersions() (answer, error) {
	p, err := c.pageRequest()
	if err != nil {
		return answer{}, err
	}
	ctl, err := c.api.app.Control(c.Context(), c.PathValue("workflowId"))
	if err != nil {
		return answer{}, err
	}
	exist := view.Span{Low: 1}
	var elements []view.Element
	if ctl != nil {
		exist.High = ctl.LatestVersion
		if w := p.VersionWindow(ctl.LatestVersion); !w.Empty() {
			var numbers []int64
			for n := w.High; n >= w.Low; n-- {
				numbers = append(numbers, n)
			}
			versions, err := c.api.app.Versions(c.Context(), ctl, numbers)
			if err != nil {
				return answer{}, err
			}
			size := 0
			for i, v := range versions {
				if v == nil {
					continue
				}
				body := (&definition.VersionView{Control: ctl, Version: v}).AppendJSON(nil)
				if size += len(body); size > maxAnswer && len(elements) > 0 {
					break
				}
				elements = append(elements, view.Element{ID: numbers[i], JSON: body})
			}
		}
	}
	return ok(view.AppendPage(nil, exist, elements))
}

func (c *call) activate() (answer, error) {
	wf := c.PathValue("workflowId")
	var activation definition.Activation
	_, err := c.change(func(ctl *app.Ctl) (*definition.Change, error) {
		if ctl.Control == nil {
			_, _, err := definition.ApplyActivate(nil, wf, 0, nil, c.caller(), 0)
			return nil, err
		}
		n, err := definition.ResolveVersion(ctl.Control, wf, c.PathValue("version"))
		if err != nil {
			return nil, err
		}
		v, err := c.api.app.Version(c.Context(), ctl.Control, n)
		if err != nil {
			return nil, err
		}
		change, act, err := definition.ApplyActivate(ctl.Control, wf, n, v, c.caller(), c.api.app.ChangeTime(ctl))
		activation = act
		return change, err
	})
	if err != nil {
		return answer{}, err
	}
	return ok(activation.AppendJSON(nil))
}

func (c *call) deactivate() (answer, error) {
	var activation definition.Activation
	_, err := c.change(func(ctl *app.Ctl) (*definition.Change, error) {
		change, act, err := definition.ApplyDeactivate(ctl.Control, c.PathValue("workflowId"), c.caller(), c.api.app.ChangeTime(ctl))
		activation = act
		return change, err
	})
	if err != nil {
		return answer{}, err
	}
	return ok(activation.AppendJSON(nil))
}
