// Package examples_test pushes every example to a server and runs those that need nothing but the server.
package examples_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/downbeat/downbeat/localstack"
)

// outcome is how a run of an example ends; the others need something outside, or another workflow.
var outcome = map[string]string{
	"hello":                "SUCCEEDED",
	"nightly-orders":       "SUCCEEDED",
	"params-of-every-type": "SUCCEEDED",
	"daily-at-three":       "SUCCEEDED",
	"alerts":               "SUCCEEDED",
}

type server struct {
	*testing.T
	url string
}

func (s server) call(method, path, contentType string, body []byte) (int, []byte) {
	s.Helper()
	r, err := http.NewRequest(method, s.url+"/api/v3/"+path, bytes.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("user", "ana")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.Fatal(err)
	}
	return answer.StatusCode, text
}

func (s server) push(file string) (status int, answer []byte) {
	s.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		s.Fatal(err)
	}
	path := "workflows"
	if strings.HasPrefix(file, "job-templates") {
		path = "job-templates"
	}
	if filepath.Ext(file) == ".yaml" {
		return s.call(http.MethodPost, path+"/yaml", "application/yaml", body)
	}
	return s.call(http.MethodPost, path, "application/json", body)
}

// run starts a workflow and waits until its run is over.
func (s server) run(ctx context.Context, workflow string) (string, error) {
	s.Helper()
	if status, text := s.call(http.MethodPost, "workflows/"+workflow+"/versions/active/actions/start", "application/json", []byte(`{"initiator":{"type":"manual"}}`)); status != http.StatusOK {
		return "", fmt.Errorf("start: %d %s", status, text)
	}
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		_, text := s.call(http.MethodGet, "workflows/"+workflow+"/instances/1/runs/latest", "", nil)
		var run struct{ Status string }
		if err := json.Unmarshal(text, &run); err != nil {
			return "", err
		}
		switch run.Status {
		case "SUCCEEDED", "FAILED", "STOPPED", "TIMED_OUT":
			return run.Status, nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("still %s: %w", run.Status, ctx.Err())
		case <-poll.C:
		}
	}
}

func TestExamples(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	local, err := localstack.Start(ctx, localstack.Config{Addr: "127.0.0.1:0", Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := local.Close(); err != nil {
			t.Error(err)
		}
	}()
	pushed := 0
	for _, pattern := range []string{"job-templates/*.json", "job-templates/*.yaml", "*.json", "*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			pushed++
			t.Run(file, func(t *testing.T) {
				s := server{t, local.URL()}
				status, answer := s.push(file)
				if status != http.StatusOK {
					t.Fatalf("%d %s", status, answer)
				}
				if strings.HasPrefix(file, "job-templates") {
					return
				}
				name := strings.TrimSuffix(file, filepath.Ext(file))
				// What was answered is what is read.
				status, text := s.call(http.MethodGet, "workflows/"+name+"/versions/1", "", nil)
				if want := strings.TrimSuffix(strings.TrimPrefix(string(answer), `{"workflow_definition":`), "}"); status != http.StatusOK || string(text) != want {
					t.Errorf("read back: %d\n got %s\nwant %s", status, text, want)
				}
				if want := outcome[name]; want != "" {
					if got, err := s.run(ctx, name); got != want {
						t.Errorf("ended %s, %v, want %s", got, err, want)
					}
				}
			})
		}
	}
	if pushed < 15 {
		t.Errorf("only %d examples were found", pushed)
	}
}
