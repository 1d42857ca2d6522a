package wire

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/functions/env"
)

// emptyAccount answers every call as an account does in which nothing is stored, and remembers what was called.
type emptyAccount struct {
	mu    sync.Mutex
	calls []string // guarded by mu
}

func (a *emptyAccount) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	a.mu.Lock()
	a.calls = append(a.calls, operation)
	a.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_, _ = io.WriteString(w, "{}")
}

// TestSampleEvents gives each function the sample event beside its main.go, through the handler that Lambda calls. In an
// empty account all of them are about what does not exist, which every function answers in its own way.
func TestSampleEvents(t *testing.T) {
	const acknowledged = `{"batchItemFailures":[]}`
	onQueue := func(name queue.Name) func(*Function) (any, error) {
		return func(f *Function) (any, error) { return f.Queue(name), nil }
	}
	for _, c := range []struct {
		function string
		handler  func(*Function) (any, error)
		answer   string // part of it
		calls    string // operations, each once
		log      string // part of it
	}{
		{"api", (*Function).API, `"statusCode":404`, "GetItem", ""},
		{"trigger", onQueue(queue.Trigger), acknowledged, "GetItem", `"message_id":"19dd0b57-b21e-4ac1-bd88-01bbb068cb78"`},
		{"advance", onQueue(queue.Advance), acknowledged, "GetItem", ""},
		{"execute", onQueue(queue.Execute), acknowledged, "GetItem", `"DroppedMessages":1`},
		{"complete", onQueue(queue.Complete), acknowledged, "GetItem", `"DroppedMessages":1`},
		{"sweep", func(f *Function) (any, error) { return f.Sweep(), nil }, "null", "Query", `"Sweeps":1`},
	} {
		t.Run(c.function, func(t *testing.T) {
			account := &emptyAccount{}
			server := httptest.NewServer(account)
			defer server.Close()
			for name, value := range map[string]string{
				"AWS_ENDPOINT_URL": server.URL, "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
				"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
			} {
				t.Setenv(name, value)
			}
			var logs bytes.Buffer
			f, err := New(t.Context(), c.function, variables, &logs)
			if err != nil {
				t.Fatal(err)
			}
			handler, err := c.handler(f)
			if err != nil {
				t.Fatal(err)
			}
			event, err := os.ReadFile("../../" + c.function + "/event.json")
			if err != nil {
				t.Fatal(err)
			}
			answer, err := lambda.NewHandler(handler).Invoke(t.Context(), event)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(answer), c.answer) {
				t.Errorf("answer %s, want %s", answer, c.answer)
			}
			slices.Sort(account.calls)
			if got := strings.Join(slices.Compact(account.calls), " "); got != c.calls {
				t.Errorf("calls %s, want %s", got, c.calls)
			}
			if !strings.Contains(logs.String(), c.log) {
				t.Errorf("log lacks %s:\n%s", c.log, &logs)
			}
			for _, line := range strings.Split(strings.TrimSpace(logs.String()), "\n") {
				if line != "" && !json.Valid([]byte(line)) {
					t.Errorf("log line is no JSON: %s", line)
				}
			}
		})
	}
}

// variables are the environment of a function, with every queue.
func variables(name string) string {
	all := map[string]string{env.Table: "table", env.Bucket: "bucket", env.LogLevel: "INFO", env.Bus: "bus", env.Topic: "arn:aws:sns:us-east-1:000000000000:topic"}
	for _, q := range queue.Names() {
		all[env.QueueURL(q)] = "http://127.0.0.1/000000000000/" + string(q)
	}
	return all[name]
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{env.Table, "", env.Table},
		{env.HTTPAllow, "a host", env.HTTPAllow},
		{env.User, "nobody", env.User},
	} {
		_, err := New(t.Context(), "api", func(name string) string {
			if name == c.name {
				return c.value
			}
			return variables(name)
		}, io.Discard)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s=%q: error %v, want one about %s", c.name, c.value, err, c.want)
		}
	}
}
