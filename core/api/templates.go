package api

import (
	"net/http"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/request"
	"github.com/downbeat/downbeat/core/template"
)

func (a *API) templateRoutes() []route {
	const path = base + "/job-templates"
	return []route{
		{method: http.MethodPost, path: path, content: jsonContent, needsUser: true, handle: func(c *call) (answer, error) {
			return c.saveTemplate(template.ReadCreate(c.body))
		}},
		{method: http.MethodPost, path: path + "/yaml", content: yamlContent, needsUser: true, handle: func(c *call) (answer, error) {
			return c.saveTemplate(template.ReadCreateYAML(c.body))
		}},
		{method: http.MethodGet, path: path, handle: (*call).listTemplates},
		{method: http.MethodGet, path: path + "/{type}", handle: (*call).readTemplate},
		{method: http.MethodDelete, path: path + "/{type}", handle: (*call).deleteTemplate},
		{method: http.MethodPut, path: base + "/output-data", content: jsonContent, handle: (*call).outputData},
	}
}

func (c *call) saveTemplate(req *template.CreateRequest, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	if err := req.Validate(); err != nil {
		return answer{}, err
	}
	if err := c.identify(); err != nil {
		return answer{}, err
	}
	t := req.Template(c.caller(), c.api.app.Now())
	if err := c.api.app.SaveTemplate(c.Context(), t); err != nil {
		return answer{}, err
	}
	return ok(t.AppendJSON(nil))
}

// templateVersion is the version asked for; absent or empty means the default one.
func (c *call) templateVersion() string {
	if v, has := c.query("version"); has && v != "" {
		return v
	}
	return template.DefaultVersion
}

func (c *call) readTemplate() (answer, error) {
	jobType, version := c.PathValue("type"), c.templateVersion()
	t, err := c.api.app.Template(c.Context(), jobType, version)
	if err != nil {
		return answer{}, err
	}
	if t == nil {
		return answer{}, template.NotFound(jobType, version)
	}
	return ok(t.AppendJSON(nil))
}

func (c *call) listTemplates() (answer, error) {
	list, err := c.api.app.Templates(c.Context(), c.templateVersion())
	if err != nil {
		return answer{}, err
	}
	return ok(template.AppendList(nil, list))
}

func (c *call) deleteTemplate() (answer, error) {
	jobType := c.PathValue("type")
	var version *string
	if v, has := c.query("version"); has {
		version = &v
	}
	n, err := c.api.app.DeleteTemplate(c.Context(), jobType, version)
	if err != nil {
		return answer{}, err
	}
	return ok([]byte(template.DeletedText(n, jobType, version)))
}

// outputData refuses every call, as the open-source server does: it never learns which job is meant.
func (c *call) outputData() (answer, error) {
	if _, err := request.Object(c.body); err != nil {
		return answer{}, err
	}
	return answer{}, fault.New(fault.BadRequest, "output data lacks an external job id: it can only be saved by the runtime of a step")
}
