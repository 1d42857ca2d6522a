package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/events"
)

// Limits of waiting. They are generous: the machine may be busy with other things.
const (
	soon  = time.Minute
	later = 6 * time.Minute
)

func TestPushStartWatch(t *testing.T) {
	d := open(t)
	d.push(diamond("peers.hello", ""))
	if err := d.start("peers.hello", uuid(1, 1)); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon, func() error { return d.allSucceeded("peers.hello", 1) })
	// A start that is repeated is answered, and starts nothing.
	if err := d.start("peers.hello", uuid(1, 1)); err != nil {
		t.Fatal(err)
	}
	if err := d.allSucceeded("peers.hello", 1); err != nil {
		t.Error(err)
	}
}

// TestTimeTriggersFire: the sweep that the stack is deployed with, the queue and the function behind it start a workflow
// every two minutes, once each time and not before it, until the workflow is deactivated.
func TestTimeTriggersFire(t *testing.T) {
	d := open(t)
	t.Parallel()
	d.push(`{"id":"peers.clock","time_triggers":[{"type":"CRON","cron":"*/2 * * * *"}],"steps":[{"step":{"id":"tick","type":"NoOp"}}]}`)
	eventually(t, later, func() error { return d.allSucceeded("peers.clock", 2) })
	var before int64
	for i := 1; i <= 2; i++ {
		var run struct {
			Created   int64 `json:"create_time"`
			Initiator struct {
				Type string `json:"type"`
				Time int64  `json:"trigger_time"`
			} `json:"initiator"`
		}
		if err := d.get(fmt.Sprintf("/api/v3/workflows/peers.clock/instances/%d", i), &run); err != nil {
			t.Fatal(err)
		}
		at := run.Initiator.Time
		if run.Initiator.Type != "TIME" || at%120_000 != 0 || before != 0 && at != before+120_000 || run.Created < at {
			t.Errorf("run %d, made at %d, is of %+v, the one before it of %d", i, run.Created, run.Initiator, before)
		}
		before = at
		t.Logf("run %d was made %d ms after its time", i, run.Created-at)
	}
	if status, body, err := d.call(http.MethodPut, "/api/v3/workflows/peers.clock/actions/deactivate", nil); err != nil || status != http.StatusOK {
		t.Fatalf("deactivate: %d: %s (%v)", status, body, err)
	}
}

// TestCallerIsTheSigner checks that the author of a version is who signed the push, whatever a header says.
func TestCallerIsTheSigner(t *testing.T) {
	d := open(t)
	d.push(diamond("peers.author", ""))
	var version struct {
		Metadata struct {
			Author any `json:"version_author"`
		} `json:"metadata"`
	}
	if err := d.get("/api/v3/workflows/peers.author/versions/latest", &version); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(version.Metadata.Author); !strings.Contains(got, "arn:aws:iam::000000000000:") {
		t.Errorf("author %s", got)
	}
}

// TestUnsignedRequestsAreRefused shows that the API's authorisation is in force.
func TestUnsignedRequestsAreRefused(t *testing.T) {
	d := open(t)
	response, err := client.Get(d.api + "/api/v3/workflows/peers.author/versions/latest")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("answered %d", response.StatusCode)
	}
}

// TestEventsStartRuns puts an object into the bucket and an event on the bus: each starts one run, with the params that
// the stack's configuration takes from it, and no other delivery of the same event starts another.
func TestEventsStartRuns(t *testing.T) {
	d := open(t)
	d.push(`{"id":"peers.load","params":{"key":{"type":"STRING","value":"none"},"bytes":{"type":"LONG","value":0}},"steps":[{"step":{"id":"s","type":"NoOp"}}]}`)
	d.push(`{"id":"peers.order","params":{"order":{"type":"STRING","value":"none"},"channel":{"type":"STRING","value":"none"}},"steps":[{"step":{"id":"s","type":"NoOp"}}]}`)

	bucket := "downbeat-peers-incoming"
	put := func(key string) {
		t.Helper()
		if _, err := d.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader("1,2,3\n")}); err != nil {
			t.Fatal(err)
		}
	}
	put("in/not-for-us.txt")
	put("elsewhere/a.csv")
	put("in/$price ${a}.csv")
	out, err := d.bus.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{
		{Source: ptr("shop"), DetailType: ptr("order placed"), Detail: ptr(`{"order":"o-1"}`)},
		{Source: ptr("shop"), DetailType: ptr("order cancelled"), Detail: ptr(`{"order":"o-2"}`)},
	}})
	if err != nil || out.FailedEntryCount != 0 {
		t.Fatal(err, out)
	}
	for _, c := range []struct {
		workflow string
		params   map[string]string
	}{
		{"peers.load", map[string]string{"key": "in/$price ${a}.csv", "bytes": "6"}},
		{"peers.order", map[string]string{"order": "o-1", "channel": "bus"}},
	} {
		eventually(t, soon, func() error { return d.allSucceeded(c.workflow, 1) })
		var r run
		if err := d.get("/api/v3/workflows/"+c.workflow+"/instances/1", &r); err != nil {
			t.Fatal(err)
		}
		for name, want := range c.params {
			p, _ := r.Params[name].(map[string]any)
			if got := fmt.Sprint(p["evaluated_result"]); got != want {
				t.Errorf("%s: param %s is %s, want %s", c.workflow, name, got, want)
			}
		}
	}

	// The message that the rule sent, delivered five more times.
	again := fmt.Sprintf(`{"v":1,"mapping":{"name":"order","workflow":"peers.order","version":"active","user":"downbeat"},"event":{"id":%q,"source":"shop"}}`, *out.Entries[0].EventId)
	for range 5 {
		d.send(d.outputs["triggerQueueUrl"], again)
	}
	// And another event, to know when those were handled: it is the second run.
	if _, err := d.bus.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{
		{Source: ptr("shop"), DetailType: ptr("order placed"), Detail: ptr(`{"order":"o-3"}`)},
	}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon, func() error {
		if n, err := d.depth(d.outputs["triggerQueueUrl"]); err != nil || n > 0 {
			return fmt.Errorf("%d messages are in the trigger queue (%v)", n, err)
		}
		return d.allSucceeded("peers.order", 2)
	})
	if err := d.allSucceeded("peers.load", 1); err != nil {
		t.Error(err)
	}
}

// TestReplacedWhileRunning deploys another version while runs sleep, while their jobs and calls go on outside, and while
// more are started. All of them end SUCCEEDED, decided by the one version or the other.
func TestReplacedWhileRunning(t *testing.T) {
	d := open(t)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(3 * time.Second): // still goes on when its function is replaced
		case <-r.Context().Done():
		}
		_, _ = w.Write([]byte(`{"ok":true}`))
	}))
	defer service.Close()
	d.push(`{"id":"peers.long","steps":[
		{"step":{"id":"first","type":"NoOp","transition":{"successors":{"sleep":"true","job":"true","call":"true"}}}},
		{"step":{"id":"sleep","type":"Sleep","params":{"sleep_seconds":{"type":"LONG","value":20}},"transition":{"successors":{"last":"true"}}}},
		{"step":{"id":"job","type":"Simulated","params":{"job_duration":{"type":"LONG","value":15000}},"transition":{"successors":{"last":"true"}}}},
		{"step":{"id":"call","type":"Http","params":{"http":{"type":"MAP","value":{"url":{"type":"STRING","value":"` + service.URL + `"},
			"method":{"type":"STRING","value":"GET"}}}},"transition":{"successors":{"last":"true"}}}},
		{"step":{"id":"last","type":"NoOp"}}]}`)
	const early = 10
	if err := parallel(early, 3, func(i int) error { return d.start("peers.long", uuid(6, i)) }); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	replaced := make(chan error, 1)
	go func() {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", os.Getenv(envReplace)).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, out)
		}
		replaced <- err
	}()
	// One more every two seconds until the new version is there, and one that it starts.
	runs := early
	for done := false; !done; runs++ {
		select {
		case err := <-replaced:
			if err != nil {
				t.Fatal(err)
			}
			done = true
			t.Logf("deployed after %s", time.Since(begin).Round(time.Second))
		case <-time.After(2 * time.Second):
		}
		if err := d.start("peers.long", uuid(6, runs)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, later, func() error { return d.allSucceeded("peers.long", runs) })
	log, err := os.ReadFile(os.Getenv(envLog))
	if err != nil {
		t.Fatal(err)
	}
	for _, function := range []string{"advance", "execute"} {
		for _, version := range []string{"first", "second"} {
			if line := fmt.Sprintf(`"msg":"environment begins","function":%q,"version":%q`, function, version); !bytes.Contains(log, []byte(line)) {
				t.Errorf("version %s of %s has not run", version, function)
			}
		}
	}
	t.Logf("%d runs had ended after %s", runs, time.Since(begin).Round(time.Second))
}

// TestKilledFunctions kills functions at random while diamonds are started, some with external steps, and a chain of 300,
// until all have ended: SUCCEEDED, and with nothing in a dead-letter queue. DOWNBEAT_PEERS_RUNS is how many diamonds
// without external steps there are, default 200.
func TestKilledFunctions(t *testing.T) {
	d := open(t)
	t.Parallel()
	diamonds, outside := 200, 20
	if v := os.Getenv(envRuns); v != "" {
		var err error
		if diamonds, err = strconv.Atoi(v); err != nil || diamonds < 1 {
			t.Fatalf("%s: %q is not a number of runs", envRuns, v)
		}
	}
	var calls atomic.Int64
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		_, _ = w.Write([]byte(`{"ok":true}`))
	}))
	defer service.Close()
	d.push(diamond("peers.diamond", ""))
	d.push(chain("peers.chain", 300))
	d.push(diamond("peers.outside", service.URL))

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	killed := make(chan int)
	go func() { killed <- killAtRandom(ctx, t) }()
	begin := time.Now()
	err := parallel(diamonds+outside+1, 6, func(i int) error {
		switch {
		case i == 0:
			return d.start("peers.chain", uuid(2, 0))
		case i <= outside:
			return d.start("peers.outside", uuid(3, i))
		}
		return d.start("peers.diamond", uuid(4, i))
	})
	if err != nil {
		t.Fatal(err)
	}
	started := time.Since(begin)
	eventually(t, later, func() error {
		return errors.Join(d.allSucceeded("peers.chain", 1), d.allSucceeded("peers.diamond", diamonds), d.allSucceeded("peers.outside", outside))
	})
	stop()
	n := <-killed
	t.Logf("%d runs were started in %s and had ended after %s; %d functions were killed meanwhile; %d external steps made %d calls",
		diamonds+outside+1, started.Round(time.Second), time.Since(begin).Round(time.Second), n, 3*outside, calls.Load())
	if n == 0 {
		t.Error("no function was killed")
	}
	if calls.Load() < int64(3*outside) {
		t.Errorf("%d calls for %d external steps", calls.Load(), 3*outside)
	}
	// The poison of TestPoisonedMessage is in one of them for a while; it takes it away.
	eventually(t, later, func() error {
		var errs []error
		for _, name := range queue.Names() {
			n, err := d.depth(d.outputs[string(name)+"DeadUrl"])
			if err == nil && n != 0 {
				err = fmt.Errorf("%d messages", n)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("dead-letter queue of %s: %w", name, err))
			}
		}
		return errors.Join(errs...)
	})
}

// killAtRandom kills a function of the emulator every now and then until ctx ends, and returns how many.
func killAtRandom(ctx context.Context, t *testing.T) int {
	parent, err := strconv.Atoi(os.Getenv(envPID))
	if err != nil {
		t.Errorf("%s: %v", envPID, err)
		return 0
	}
	random := rand.New(rand.NewPCG(1, 2))
	n := 0
	for {
		select {
		case <-ctx.Done():
			return n
		case <-time.After(time.Duration(100+random.IntN(400)) * time.Millisecond):
		}
		functions, err := functionsOf(parent)
		if err != nil {
			t.Error(err)
			return n
		}
		if len(functions) == 0 {
			continue
		}
		if err := syscall.Kill(functions[random.IntN(len(functions))], syscall.SIGKILL); err == nil {
			n++
		}
	}
}

// functionsOf lists the processes that the emulator runs functions in: its children whose program is called bootstrap.
func functionsOf(parent int) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var out []int
	for _, file := range stats {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it ended meanwhile
		}
		// pid (program) state parent …
		name, rest, ok := strings.Cut(string(data), ") ")
		fields := strings.Fields(rest)
		if !ok || len(fields) < 2 || fields[1] != strconv.Itoa(parent) || !strings.HasSuffix(name, "(bootstrap") {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return nil, err
		}
		out = append(out, pid)
	}
	return out, nil
}

// TestPoisonedMessage sends a message that nobody can read. It ends in the dead-letter queue, whose depth is the metric
// of an alarm; redriving it, and a poke for a run that ended long ago, changes nothing.
func TestPoisonedMessage(t *testing.T) {
	d := open(t)
	t.Parallel()
	d.push(diamond("peers.poison", ""))
	if err := d.start("peers.poison", uuid(5, 1)); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon, func() error { return d.allSucceeded("peers.poison", 1) })
	before, after := run{}, run{}
	if err := d.get("/api/v3/workflows/peers.poison/instances/1", &before); err != nil {
		t.Fatal(err)
	}

	main, dead := d.outputs["advanceQueueUrl"], d.outputs["advanceDeadUrl"]
	const poison = `{"v":1,"kind":"run"`
	d.send(main, poison)
	eventually(t, later, func() error {
		n, err := d.depth(dead)
		if err == nil && n != 1 {
			err = fmt.Errorf("%d messages in the dead-letter queue", n)
		}
		return err
	})

	// Redrive: what is in the dead-letter queue goes back, together with a poke that was useful once.
	old := events.Poke{Kind: events.PokeRun, Workflow: "peers.poison", Instance: 1, Run: 1}
	d.send(dead, string(old.Encode()))
	redriven := 0
	eventually(t, soon, func() error {
		body, ok, err := d.take(dead)
		if err != nil {
			return err
		}
		if ok {
			d.send(main, body)
			redriven++
		}
		if redriven < 2 {
			return fmt.Errorf("%d messages redriven", redriven)
		}
		return nil
	})
	// The poison is received as often as before. Nothing else gets there, though functions are killed meanwhile
	// (TestKilledFunctions).
	eventually(t, later, func() error {
		body, ok, err := d.take(dead)
		if err != nil {
			return err
		}
		if !ok {
			return errors.New("the poison is not in the dead-letter queue again")
		}
		if body != poison {
			t.Errorf("dead letter %q", body)
			return errors.New("and the poison is not there yet")
		}
		return nil
	})
	if n, err := d.depth(dead); err != nil || n != 0 {
		t.Errorf("%d more messages in the dead-letter queue (%v)", n, err)
	}
	if err := d.get("/api/v3/workflows/peers.poison/instances/1", &after); err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(before)
	b, _ := json.Marshal(after)
	if string(a) != string(b) {
		t.Errorf("the redrive changed the run:\n%s\n%s", a, b)
	}
}

func ptr(s string) *string { return &s }
