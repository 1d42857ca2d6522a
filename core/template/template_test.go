package template

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/fault"
)

const head = `"owner":"ana","status":"PROD","support":"#pipes"`

func request(def string) string {
	return `{` + head + `,"definition":{"job_type":"shell","step_type":"NoOp","version":"default"` + def + `}}`
}

func TestTemplateRoundTrip(t *testing.T) { // api.md 15.1
	for _, c := range []struct{ in, want string }{
		{request(""), `{"metadata":{"owner":"ana","version_author":"ben","status":"PROD","support":"#pipes","create_time":5},"definition":{"job_type":"shell","step_type":"NoOp","version":"default"}}`},
		{`{"team":"growth","definition":{"params":{"p":{"value":1,"type":"long"}},"inherit_from":{"base":"v1","other":null},"tags":["a","a"],"description":"d","version":"v2","step_type":"kubernetes","job_type":"spark"},` +
			`"git_info":{"branch":"b"},"test_workflows":["t"],"support":5,"status":"BETA","owner":{"name":"ana","team":"x"},"extra_info":{"k":1},"late":null}`,
			`{"metadata":{"owner":{"name":"ana","team":"x"},"version_author":"ben","status":"BETA","support":"5","test_workflows":["t"],"git_info":{"branch":"b"},"create_time":5,"k":1,"late":null},` +
				`"definition":{"job_type":"spark","step_type":"Kubernetes","version":"v2","description":"d","tags":[{"name":"a"},{"name":"a"}],"inherit_from":{"base":"v1","other":null},"params":{"p":{"value":1,"type":"LONG"}}}}`},
	} {
		r, err := ReadCreate([]byte(c.in))
		if err == nil {
			err = r.Validate()
		}
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		stored := r.Template(definition.NamedUser("ben"), 5).AppendJSON(nil)
		if string(stored) != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.in, stored, c.want)
		}
		read, err := Read(stored)
		if err != nil || string(read.AppendJSON(nil)) != c.want {
			t.Errorf("%s does not come back: %v", stored, err)
		}
	}
}

func TestTemplateIsRefused(t *testing.T) { // api.md 15.1
	for _, body := range []string{
		"", "{", "[]", "null", "{}", `{` + head + `,"definition":null}`,
		strings.Replace(request(""), `"ana"`, "null", 1), strings.Replace(request(""), `"ana"`, "5", 1),
		strings.Replace(request(""), `"PROD"`, "null", 1), strings.Replace(request(""), `"#pipes"`, "null", 1),
		strings.Replace(request(""), `"shell"`, `"1x"`, 1), strings.Replace(request(""), `"shell"`, `"a__b"`, 1), strings.Replace(request(""), `"shell"`, "null", 1),
		strings.Replace(request(""), `"default"`, `"1"`, 1), strings.Replace(request(""), `"default"`, `""`, 1), strings.Replace(request(""), `"default"`, "null", 1),
		strings.Replace(request(""), `"NoOp"`, `"Spark"`, 1), strings.Replace(request(""), `"NoOp"`, "null", 1),
		request(`,"bogus":1`), request(`,"params":{"p":"v"}`), request(`,"params":{"p":{"type":"STRING"}}`), request(`,"params":{"1p":{"value":"v","type":"STRING"}}`),
		request(`,"tags":["bad|"]`), request(`,"tags":"a"`), request(`,"inherit_from":["a"]`), request(`,"description":"` + strings.Repeat("x", 16385) + `"`),
		strings.TrimSuffix(request(""), "}") + `,"create_time":5}`, strings.TrimSuffix(request(""), "}") + `,"version_author":"x"}`,
		strings.TrimSuffix(request(""), "}") + `,"extra_info":{"owner":"x"}}`, strings.TrimSuffix(request(""), "}") + `,"git_info":{"tag":"x"}}`,
		strings.TrimSuffix(request(""), "}") + `,"test_workflows":"t"}`,
	} {
		r, err := ReadCreate([]byte(body))
		if err == nil {
			err = r.Validate()
		}
		if fault.CodeOf(err) != fault.BadRequest {
			t.Errorf("%.200s: got %v", body, err)
		}
	}
	if _, err := ReadCreateYAML([]byte("owner: [")); fault.CodeOf(err) != fault.BadRequest {
		t.Errorf("got %v", err)
	}
	if _, err := Read([]byte("{")); fault.CodeOf(err) != fault.InternalError {
		t.Errorf("got %v", err)
	}
}

func TestExampleTemplates(t *testing.T) {
	files, err := filepath.Glob("../../examples/job-templates/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v %v", files, err)
	}
	for _, f := range files {
		body, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		read := ReadCreate
		if filepath.Ext(f) == ".yaml" {
			read = ReadCreateYAML
		}
		r, err := read(body)
		if err == nil {
			err = r.Validate()
		}
		if err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// store holds templates given as "type version: inherited types; params".
type store map[key]*Template

func (s store) add(t *testing.T, jobType, version, stepType, inherit, params string) {
	t.Helper()
	r, err := ReadCreate([]byte(`{` + head + `,"definition":{"job_type":"` + jobType + `","version":"` + version + `","step_type":"` + stepType +
		`","tags":["` + jobType + `"],"inherit_from":{` + inherit + `},"params":{` + params + `}}}`))
	if err != nil {
		t.Fatal(err)
	}
	s[key{jobType, version}] = r.Template(definition.User{}, 0)
}

func (s store) lookup(jobType, version string) (*Template, error) {
	return s[key{jobType, version}], nil
}

func TestResolve(t *testing.T) { // step-types.md 12
	s := store{}
	s.add(t, "base", "v1", "NoOp", "", `"url":{"value":"base","type":"STRING"},"table":{"value":"base","type":"STRING"}`)
	s.add(t, "other", "default", "Http", "", `"table":{"value":"other","type":"STRING"},"zone":{"value":"z","type":"STRING"}`)
	s.add(t, "fetch", "default", "Http", `"base":"v1","other":null,"gone":"v9"`, `"limit":{"value":5,"type":"LONG"},"url":{"value":"fetch","type":"STRING"}`)
	s.add(t, "round", "default", "Http", `"trip":"default"`, "")
	s.add(t, "trip", "default", "Http", `"round":"default"`, "")
	for _, c := range []struct {
		name, subType, version string
		stepType               definition.StepType
		params, tags           string
		code                   fault.Code
	}{
		{"parents first, whole params replaced", "fetch", "default", definition.HTTP,
			`{"url":{"value":"fetch","type":"STRING"},"table":{"value":"other","type":"STRING"},"zone":{"value":"z","type":"STRING"},"limit":{"value":5,"type":"LONG"}}`,
			`[{"name":"base"},{"name":"other"},{"name":"fetch"}]`, ""},
		{"an unknown template adds nothing", "nothing", "default", definition.HTTP, "{}", "[]", ""},
		{"so does an unknown version", "fetch", "v9", definition.HTTP, "{}", "[]", ""},
		{"no sub type", "", "default", definition.HTTP, "{}", "[]", ""},
		{"a type that takes no templates", "fetch", "default", definition.NoOp, "{}", "[]", ""},
		{"another step type", "fetch", "default", definition.Kubernetes, "", "", fault.BadRequest},
		{"a cycle", "round", "default", definition.HTTP, "", "", fault.BadRequest},
	} {
		step := &definition.Step{ID: "s", Type: c.stepType, SubType: &c.subType}
		r, err := Resolve(step, c.version, s.lookup)
		if fault.CodeOf(err) != c.code {
			t.Errorf("%s: got %v", c.name, err)
		}
		if err != nil {
			continue
		}
		if got := string(r.Params.AppendJSON(nil)); got != c.params {
			t.Errorf("%s: params\n got %s\nwant %s", c.name, got, c.params)
		}
		if got := string(r.Tags.AppendJSON(nil)); got != c.tags {
			t.Errorf("%s: tags: got %s", c.name, got)
		}
	}
	away := errors.New("not loaded")
	sub := "fetch"
	if _, err := Resolve(&definition.Step{Type: definition.HTTP, SubType: &sub}, "default", func(string, string) (*Template, error) { return nil, away }); err != away {
		t.Errorf("an error of the lookup comes out as it is: got %v", err)
	}
}

func TestVersionFor(t *testing.T) { // workflow-definition.md 6.9
	v2, empty := "v2", ""
	for _, c := range []struct {
		sub   *string
		param string
		want  string
	}{{&v2, "v3", "v2"}, {&empty, "v3", "v3"}, {nil, "v3", "v3"}, {nil, "", "default"}, {&empty, "", "default"}} {
		if got := VersionFor(c.sub, c.param); got != c.want {
			t.Errorf("%v %q: got %s, want %s", c.sub, c.param, got, c.want)
		}
	}
}

func TestDeletedText(t *testing.T) {
	v := "v1"
	if got := DeletedText(2, "shell", nil); !strings.Contains(got, "[2]") || !strings.Contains(got, "[shell]") || !strings.Contains(got, "[null]") {
		t.Errorf("got %s", got)
	}
	if got := DeletedText(0, "shell", &v); !strings.Contains(got, "[v1]") {
		t.Errorf("got %s", got)
	}
}
