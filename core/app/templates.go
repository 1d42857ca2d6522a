package app

import (
	"context"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/core/template"
)

// SaveTemplate stores a job template; one of the same type and version is overwritten. A second item lists the type
// under its version, so that lists need no scan. It is written first: a list skips what does not exist.
func (a *App) SaveTemplate(ctx context.Context, t *template.Template) error {
	d := &t.Definition
	if err := a.write(ctx, table.Write{Item: table.Item{Key: store.TemplateListKey(d.Version, d.JobType), Rev: 1}}); err != nil {
		return err
	}
	kept, err := a.bodies.Keep(ctx, "template/"+d.JobType, t.AppendJSON(nil))
	if err != nil {
		return err
	}
	return a.write(ctx, table.Write{Item: table.Item{Key: store.TemplateKey(d.JobType, d.Version), Rev: 1, Data: kept}})
}

// Template reads a template; nil when there is none.
func (a *App) Template(ctx context.Context, jobType, version string) (*template.Template, error) {
	it, err := a.get(ctx, store.TemplateKey(jobType, version))
	if err != nil || !it.Exists() {
		return nil, err
	}
	data, err := a.bodies.Fetch(ctx, it.Data)
	if err != nil {
		return nil, err
	}
	t, err := template.Read(data)
	if err != nil {
		return nil, a.park(it, err)
	}
	return t, nil
}

// Templates lists the templates that have a version, by type.
func (a *App) Templates(ctx context.Context, version string) ([]*template.Template, error) {
	list := []*template.Template{}
	after := ""
	for {
		page, err := a.query(ctx, table.Query{PK: store.TemplateListPK(version), After: after, KeysOnly: true})
		if err != nil {
			return nil, err
		}
		for _, it := range page.Items {
			after = it.SK
			t, err := a.Template(ctx, it.SK, version)
			if err != nil {
				return nil, err
			}
			if t != nil {
				list = append(list, t)
			}
		}
		if !page.More {
			return list, nil
		}
	}
}

// DeleteTemplate removes a version of a template, or with nil all of them, and returns how many there were.
func (a *App) DeleteTemplate(ctx context.Context, jobType string, version *string) (int, error) {
	versions := []string{}
	if version != nil && *version == "" {
		return 0, nil // no template has an empty version, and the store no empty key
	}
	if version != nil {
		it, err := a.get(ctx, store.TemplateKey(jobType, *version))
		if err != nil {
			return 0, err
		}
		if it.Exists() {
			versions = append(versions, *version)
		}
	} else {
		after := ""
		for {
			page, err := a.query(ctx, table.Query{PK: store.TemplatePK(jobType), After: after, KeysOnly: true})
			if err != nil {
				return 0, err
			}
			for _, it := range page.Items {
				after = it.SK
				versions = append(versions, it.SK)
			}
			if !page.More {
				break
			}
		}
	}
	for _, v := range versions {
		for _, key := range []table.Key{store.TemplateKey(jobType, v), store.TemplateListKey(v, jobType)} {
			if err := a.write(ctx, table.Write{Op: table.OpDelete, Item: table.Item{Key: key}}); err != nil {
				return 0, err
			}
		}
	}
	return len(versions), nil
}

// TemplateStepType tells the step type of a template, for the YAML shorthand.
func (a *App) TemplateStepType(ctx context.Context, jobType, version string) (definition.StepType, bool, error) {
	t, err := a.Template(ctx, jobType, version)
	if err != nil || t == nil {
		return "", false, err
	}
	return t.Definition.StepType, true, nil
}
