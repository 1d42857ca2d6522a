package api_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/downbeat/downbeat/localstack"
)

// TestAnswers has calls in order, and what each answers: the status and a part of the body.
func TestAnswers(t *testing.T) {
	server, err := localstack.Start(context.Background(), localstack.Config{Addr: "127.0.0.1:0", Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()
	const template = `{"owner":"a","status":"s","support":"s","definition":{"job_type":"t","step_type":"Http","version":"default"}}`
	for _, c := range []struct {
		call, body string
		status     int
		want       string
	}{
		// workflow-definition.md 9.2: texts for workflows that are unknown
		{"PUT workflows/unheard/versions/1/actions/activate", "", 404, "Cannot find workflow [unheard]"},
		{"PUT workflows/unheard/versions/x/actions/activate", "", 404, "Cannot find workflow [unheard]"},
		{"PUT workflows/unheard/actions/deactivate", "", 404, "Cannot deactivate workflow [unheard] as it is not found"},
		{"GET workflows/unheard/versions/x", "", 404, "Workflow [unheard] has not been created yet or has been deleted."},
		// api.md 15.2
		{"POST job-templates", template, 200, `"job_type":"t"`},
		{"DELETE job-templates/t?version=", "", 200, "Deleted [0] job templates of type [t] and version []"},
		{"DELETE job-templates/t?version=v9", "", 200, "Deleted [0]"},
		{"DELETE job-templates/t", "", 200, "Deleted [1] job templates of type [t] and version [null]"},
		{"GET job-templates/t", "", 404, "NOT_FOUND"},
	} {
		method, path, _ := strings.Cut(c.call, " ")
		r, err := http.NewRequest(method, server.URL()+"/api/v3/"+path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"User": {"ana"}}
		if c.body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || answer.StatusCode != c.status || !strings.Contains(string(text), c.want) {
			t.Errorf("%s: %d %s %v, want %d %q", c.call, answer.StatusCode, text, err, c.status, c.want)
		}
	}
}
