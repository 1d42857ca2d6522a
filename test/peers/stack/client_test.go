package stack

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// The environment that stack.sh sets.
const (
	envOutputs = "DOWNBEAT_PEERS_OUTPUTS" // file with the outputs of the CDK
	envPID     = "DOWNBEAT_PEERS_PID"     // process id of the emulator
	envLog     = "DOWNBEAT_PEERS_LOG"     // file to which the emulator writes what functions log
	envReplace = "DOWNBEAT_PEERS_REPLACE" // shell command that deploys the version `second` over the running one
	envRuns    = "DOWNBEAT_PEERS_RUNS"    // how many runs TestKilledFunctions starts; optional
)

// deployed is the stack under test.
type deployed struct {
	t       *testing.T
	outputs map[string]string
	api     string // base URL, without a slash at its end
	cfg     aws.Config
	sqs     *sqs.Client
	s3      *s3.Client
	bus     *eventbridge.Client
}

// open finds the stack, or skips the test.
func open(t *testing.T) *deployed {
	t.Helper()
	file := os.Getenv(envOutputs)
	if file == "" {
		t.Skip("SKIPPED: needs the stack on an emulator: run test/peers/stack.sh, or make peers")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]map[string]string
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 {
		t.Fatalf("%s: outputs of %d stacks, want those of one", file, len(all))
	}
	d := &deployed{t: t, cfg: cfg}
	for _, d.outputs = range all { // by its name in the account or in the app, depending on the CLI
	}
	d.api = os.Getenv("AWS_ENDPOINT_URL") + "/_aws/execute-api/" + d.outputs["ApiId"] + "/$default"
	d.sqs = sqs.NewFromConfig(cfg)
	d.s3 = s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	d.bus = eventbridge.NewFromConfig(cfg)
	return d
}

var client = &http.Client{Timeout: 35 * time.Second}

// call sends a signed request and returns status and body. It repeats what got no answer or was answered with 5xx, as
// clients do: a function may have been killed.
func (d *deployed) call(method, path string, body any) (int, []byte, error) {
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return 0, nil, err
		}
	}
	hash := sha256.Sum256(payload)
	var last error
	for range 20 {
		r, err := http.NewRequestWithContext(d.t.Context(), method, d.api+path, bytes.NewReader(payload))
		if err != nil {
			return 0, nil, err
		}
		if body != nil {
			r.Header.Set("Content-Type", "application/json")
		}
		credentials, err := d.cfg.Credentials.Retrieve(d.t.Context())
		if err != nil {
			return 0, nil, err
		}
		if err := v4.NewSigner().SignHTTP(d.t.Context(), credentials, r, hex.EncodeToString(hash[:]), "execute-api", d.cfg.Region, time.Now()); err != nil {
			return 0, nil, err
		}
		response, err := client.Do(r)
		if err != nil {
			last = err
			continue
		}
		answer, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err == nil && response.StatusCode < 500 && response.StatusCode != http.StatusTooManyRequests {
			return response.StatusCode, answer, nil
		}
		last = fmt.Errorf("%s %s: %d: %s (%v)", method, path, response.StatusCode, answer, err)
	}
	return 0, nil, last
}

// get reads a JSON answer of 200 into out.
func (d *deployed) get(path string, out any) error {
	status, body, err := d.call(http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("GET %s: %d: %s", path, status, body)
	}
	return json.Unmarshal(body, out)
}

// push pushes a definition.
func (d *deployed) push(workflow string) {
	d.t.Helper()
	body := json.RawMessage(`{"properties":{"owner":"peers","run_strategy":"parallel"},"workflow":` + workflow + `}`)
	status, answer, err := d.call(http.MethodPost, "/api/v3/workflows", body)
	if err != nil || status != http.StatusOK {
		d.t.Fatalf("push: %d: %s (%v)", status, answer, err)
	}
}

// start starts a run under a request id, however often it must be asked.
func (d *deployed) start(workflow, requestID string) error {
	body := map[string]any{"initiator": map[string]any{"type": "manual"}, "request_id": requestID}
	status, answer, err := d.call(http.MethodPost, "/api/v3/workflows/"+workflow+"/versions/active/actions/start", body)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("start %s: %d: %s", workflow, status, answer)
	}
	return nil
}

// run is what the tests look at of an instance.
type run struct {
	Instance int64          `json:"workflow_instance_id"`
	UUID     string         `json:"workflow_uuid"`
	Status   string         `json:"status"`
	Params   map[string]any `json:"params"`
}

// instances lists all instances of a workflow by their ids.
func (d *deployed) instances(workflow string) (map[int64]run, error) {
	all := map[int64]run{}
	cursor := ""
	for {
		var page struct {
			Elements []run `json:"elements"`
			PageInfo struct {
				HasNext bool   `json:"has_next_page"`
				End     string `json:"end_cursor"`
			} `json:"page_info"`
		}
		path := "/api/v3/workflows/" + workflow + "/instances?first=100&aggregated=false"
		if cursor != "" {
			path += "&cursor=" + cursor
		}
		if err := d.get(path, &page); err != nil {
			return nil, err
		}
		for _, r := range page.Elements {
			all[r.Instance] = r
		}
		if !page.PageInfo.HasNext || page.PageInfo.End == cursor {
			return all, nil
		}
		cursor = page.PageInfo.End
	}
}

// eventually asks until the answer is nil, and fails the test with the last error after the limit. The stack runs in
// other processes on the machine's clock, so there is nothing to wait on but the clock.
func eventually(t *testing.T, limit time.Duration, ask func() error) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("after %s: %v", limit, err)
		}
	}
}

// allSucceeded tells whether a workflow has exactly n instances, numbered 1 to n, all SUCCEEDED.
func (d *deployed) allSucceeded(workflow string, n int) error {
	all, err := d.instances(workflow)
	if err != nil {
		return err
	}
	statuses := map[string]int{}
	for i := int64(1); i <= int64(n); i++ {
		statuses[all[i].Status]++
	}
	if len(all) != n || statuses["SUCCEEDED"] != n {
		return fmt.Errorf("%s: %d instances, want %d: %v", workflow, len(all), n, statuses)
	}
	return nil
}

// depth is how many messages a queue has, those that are hidden included.
func (d *deployed) depth(url string) (int, error) {
	out, err := d.sqs.GetQueueAttributes(d.t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		return 0, err
	}
	n := 0
	for _, name := range []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	} {
		var part int
		if _, err := fmt.Sscan(out.Attributes[string(name)], &part); err != nil {
			return 0, fmt.Errorf("%s of %s: %w", name, url, err)
		}
		n += part
	}
	return n, nil
}

// send puts a message into a queue as it is.
func (d *deployed) send(url, body string) {
	d.t.Helper()
	if _, err := d.sqs.SendMessage(d.t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body}); err != nil {
		d.t.Fatal(err)
	}
}

// take receives one message of a queue, if it has one, and deletes it.
func (d *deployed) take(url string) (string, bool, error) {
	out, err := d.sqs.ReceiveMessage(d.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 1})
	if err != nil || len(out.Messages) == 0 {
		return "", false, err
	}
	m := out.Messages[0]
	_, err = d.sqs.DeleteMessage(d.t.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
	return *m.Body, true, err
}

// parallel calls f for 0 to n-1 from some goroutines and returns the first errors.
func parallel(n, goroutines int, f func(i int) error) error {
	var wg sync.WaitGroup
	var mu sync.Mutex // guards next and errs
	next := 0
	var errs []error
	for range goroutines {
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				stop := i >= n || len(errs) > 3
				mu.Unlock()
				if stop {
					return
				}
				if err := f(i); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// uuid is a request id made of two numbers.
func uuid(a, b int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", a, b) }

// chain is a workflow of n NoOp steps one after the other.
func chain(id string, n int) string {
	var steps []string
	for i := range n {
		transition := ""
		if i+1 < n {
			transition = fmt.Sprintf(`,"transition":{"successors":{"s%d":"true"}}`, i+1)
		}
		steps = append(steps, fmt.Sprintf(`{"step":{"id":"s%d","type":"NoOp"%s}}`, i, transition))
	}
	return `{"id":"` + id + `","steps":[` + strings.Join(steps, ",") + `]}`
}

// diamond is a workflow of six steps: one, three in parallel, one that joins them, and the last. The type of the three
// is NoOp, or Http where a URL is given.
func diamond(id, url string) string {
	middle := func(name string) string {
		if url == "" {
			return `{"step":{"id":"` + name + `","type":"NoOp","transition":{"successors":{"join":"true"}}}}`
		}
		return `{"step":{"id":"` + name + `","type":"Http","params":{"http":{"type":"MAP","value":{"url":{"type":"STRING","value":"` + url +
			`"},"method":{"type":"STRING","value":"GET"}}}},"transition":{"successors":{"join":"true"}}}}`
	}
	return `{"id":"` + id + `","steps":[
		{"step":{"id":"first","type":"NoOp","transition":{"successors":{"a":"true","b":"true","c":"true"}}}},` +
		middle("a") + "," + middle("b") + "," + middle("c") + `,
		{"step":{"id":"join","type":"NoOp","transition":{"successors":{"last":"true"}}}},
		{"step":{"id":"last","type":"NoOp"}}]}`
}
