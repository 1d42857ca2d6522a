package engine

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/timeline"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts in testdata do into them")

// The scripts in testdata show behaviour over time. A script is paragraphs of commands, each with what it does below a
// line "----". See scriptRun.command for the commands.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			old, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runScript(t, string(old))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(old) {
				t.Errorf("%s\n%s", file, firstDifference(string(old), got))
			}
		})
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d:\n got  %s\n want %s", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

func runScript(t *testing.T, script string) string {
	var out bytes.Buffer
	run := &scriptRun{t: t}
	var block []string
	flush := func() {
		if len(block) == 0 {
			return
		}
		for _, line := range block {
			out.WriteString(line + "\n")
		}
		out.WriteString("----\n")
		out.WriteString(run.commands(block))
		block = nil
	}
	skipping := false
	lines := bufio.NewScanner(strings.NewReader(script))
	for lines.Scan() {
		line := lines.Text()
		switch {
		case line == "----":
			flush()
			skipping = true
		case line == "":
			flush()
			skipping = false
			out.WriteString("\n")
		case skipping:
		case strings.HasPrefix(line, "#"):
			out.WriteString(line + "\n")
		default:
			block = append(block, line)
		}
	}
	flush()
	return strings.TrimRight(out.String(), "\n") + "\n"
}

// scriptRun is the run of a script, with virtual time that starts at 0 s = 1,000,000,000,000.
type scriptRun struct {
	t     *testing.T
	env   *testEnv
	steps []testStep
	body  *Body
	st    *State
	runs  []*State         // earlier ones
	shown map[*Attempt]int // entries of timelines that were written
}

const scriptEpoch = 1_000_000_000_000

// commands executes a block: "workflow" with its steps, or one command.
func (r *scriptRun) commands(block []string) string {
	if block[0] == "workflow" || strings.HasPrefix(block[0], "workflow ") {
		r.steps = nil
		for _, line := range block[1:] {
			r.steps = append(r.steps, parseTestStep(r.t, line))
		}
		r.runs = nil
		r.env = newTestEnv()
		r.shown = map[*Attempt]int{}
		r.body = testBody(r.t, r.steps)
		for _, option := range strings.Fields(block[0])[1:] {
			key, value, _ := strings.Cut(option, "=")
			switch key {
			case "timeout":
				r.body.TimeoutMillis = seconds(r.t, value)
			default:
				r.t.Fatalf("unknown option %s", option)
			}
		}
		r.st = NewState(r.body)
		return "ok\n"
	}
	var out strings.Builder
	var in []Input
	for _, line := range block {
		f := strings.Fields(line)
		switch f[0] {
		case "begin":
			in = append(in, Begin{})
		case "tick":
			in = append(in, Tick{})
		case "wait": // time passes: wait 30s
			r.env.now += seconds(r.t, f[1])
		case "due": // time passes until the run is due
			r.env.now = max(r.env.now, Due(r.st))
			in = append(in, Tick{})
		case "result": // result <step>[#attempt] STATE [in-start] [logged] [retryable=false]
			in = append(in, r.result(f[1:]))
		case "stop", "kill", "skip", "restart", "bypass", "pause", "resume", "unblock":
			in = append(in, r.action(f))
		case "continue": // continue <step>: ends a pause at a breakpoint
			a := r.latest(f[1])
			in = append(in, Resume{StepID: a.StepID, AttemptID: a.AttemptID, User: "ann"})
		case "breakpoint":
			r.env.breakpoints[f[1]] = f[2] == "on"
		case "limit": // limit <tag> n: of running attempts that hold it
			n, err := strconv.Atoi(f[2])
			if err != nil {
				r.t.Fatal(err)
			}
			r.env.limits[f[1]] = n
		case "rerun": // a new run of the instance: rerun POLICY [step] [skip]
			r.rerun(&out, f[1:])
			return out.String()
		case "show":
			r.show(&out)
			return out.String()
		default:
			r.t.Fatalf("unknown command %q", line)
		}
	}
	if len(in) == 0 {
		return fmt.Sprintf("at %s\n", clock(r.env.now))
	}
	r.decide(&out, in)
	return out.String()
}

func (r *scriptRun) latest(id string) *Attempt {
	i, ok := r.body.DAG.Ordinal(id)
	if !ok || r.st.Steps[i].Latest == nil {
		r.t.Fatalf("step %s has no attempt", id)
	}
	return r.st.Steps[i].Latest
}

func (r *scriptRun) result(f []string) Input {
	id, attempt, numbered := strings.Cut(f[0], "#")
	uuid := ""
	if numbered {
		n, err := strconv.ParseInt(attempt, 10, 64)
		if err != nil {
			r.t.Fatal(err)
		}
		uuid = StepUUID(r.body, id, n)
	} else {
		uuid = r.latest(id).UUID
	}
	state, ok := step.ParseState(f[1])
	if !ok {
		r.t.Fatalf("no state %s", f[1])
	}
	result := Result{StepUUID: uuid, Result: step.Result{State: state, Running: true}}
	for _, option := range f[2:] {
		switch option {
		case "in-start":
			result.Running = false
		case "logged":
			result.Timeline = []timeline.Event{timeline.Line(r.env.now, "the work is done")}
		case "retryable=false":
			result.Artifacts = step.Artifacts{{Key: "maestro_retry", JSON: []byte(`{"retryable":false,"type":"RETRY"}`)}}
		default:
			r.t.Fatalf("unknown option %s", option)
		}
	}
	return result
}

func (r *scriptRun) action(f []string) Input {
	kinds := map[string]ActionKind{
		"stop": ActionStop, "kill": ActionKill, "skip": ActionSkip, "restart": ActionRestart, "bypass": ActionBypass,
		"pause": ActionPause, "resume": ActionResume, "unblock": ActionUnblock,
	}
	a := Action{Kind: kinds[f[0]], User: "ann"}
	for _, word := range f[1:] {
		if word == "upstream" {
			a.Upstream = true
		} else {
			a.StepID = word
		}
	}
	return a
}

// decide decides, with what is needed handed in, and writes the effects.
func (r *scriptRun) decide(out *strings.Builder, in []Input) {
	d, err := r.env.decide(r.st, in)
	if err != nil {
		fmt.Fprintf(out, "error: %v\n", err)
		return
	}
	r.effects(out, d)
	r.st.Committed()
}

func (r *scriptRun) effects(out *strings.Builder, d *Decision) {
	st := r.st
	fmt.Fprintf(out, "at %s\n", clock(r.env.now))
	for _, a := range d.Changed {
		fmt.Fprintf(out, "  %s#%d", a.StepID, a.AttemptID)
		for i, c := range a.Changes {
			if i == 0 {
				fmt.Fprintf(out, " %s", c.From)
			}
			fmt.Fprintf(out, " > %s", c.To)
		}
		if len(a.Changes) == 0 {
			fmt.Fprintf(out, " %s, changed", a.Status)
		}
		if a.Ending != nil {
			fmt.Fprintf(out, ", %s waits for the outside", a.Ending.Action)
		}
		if a.RetryAt != 0 && a.Status.Retryable() {
			fmt.Fprintf(out, ", retry at %s", clock(a.RetryAt))
		}
		fmt.Fprintln(out)
		for _, e := range a.Timeline[r.shown[a]:] {
			fmt.Fprintf(out, "    %s %s\n", e.Type, strings.Join(append([]string{e.Message}, e.Errors...), " / "))
		}
		r.shown[a] = len(a.Timeline)
	}
	for _, c := range st.Run.Changes {
		fmt.Fprintf(out, "  run %s > %s\n", c.From, c.To)
	}
	if d.Ended && st.Run.RunStatus != InstanceNone {
		fmt.Fprintf(out, "  run status %s\n", st.Run.RunStatus)
	}
	for _, a := range d.Answers {
		switch {
		case a.Err != nil:
			fmt.Fprintf(out, "  answer %v\n", a.Err)
		case a.NewRun != nil:
			fmt.Fprintf(out, "  answer new run %s %s\n", a.NewRun.Policy, a.NewRun.StepID)
		default:
			fmt.Fprintf(out, "  answer run %s, completed %t", a.Status, a.Completed)
			if a.AttemptID != 0 {
				fmt.Fprintf(out, ", attempt %d", a.AttemptID)
			}
			if a.Attempt != nil {
				fmt.Fprintf(out, " %s", a.Attempt.Status)
			}
			if a.Pending {
				fmt.Fprint(out, ", pending")
			}
			fmt.Fprintln(out)
		}
	}
	for _, a := range d.Polls {
		fmt.Fprintf(out, "  poll %s#%d\n", a.StepID, a.AttemptID)
	}
	for _, uuid := range d.Released {
		fmt.Fprintf(out, "  released %s\n", r.nameOf(uuid))
	}
	if d.More {
		fmt.Fprintln(out, "  more")
	}
	if due := Due(st); due != 0 {
		fmt.Fprintf(out, "  due %s\n", clock(due))
	}
}

func (r *scriptRun) nameOf(uuid string) string {
	for _, s := range r.steps {
		for n := int64(1); n < 20; n++ {
			if StepUUID(r.body, s.id, n) == uuid {
				return fmt.Sprintf("%s#%d", s.id, n)
			}
		}
	}
	return uuid
}

// show writes every step of the aggregated view, and the times and counters of this run's attempts.
func (r *scriptRun) show(out *strings.Builder) {
	fmt.Fprintf(out, "run %d %s\n", r.body.RunID, r.st.Run.Status)
	for _, v := range Views(r.st) {
		fmt.Fprintf(out, "  %s run %d %s\n", v.StepID, v.RunID, v.Status)
	}
	for i := range r.st.Steps {
		a := r.st.Steps[i].Latest
		if a == nil {
			continue
		}
		t := a.Times
		var names []string
		for _, x := range []struct {
			name string
			at   int64
		}{
			{"create", t.Create}, {"initialize", t.Initialize}, {"pause", t.Pause}, {"wait_signal", t.WaitSignal},
			{"evaluate_param", t.EvaluateParam}, {"wait_permit", t.WaitPermit}, {"start", t.Start}, {"execute", t.Execute},
			{"finish", t.Finish}, {"end", t.End},
		} {
			if x.at != 0 {
				names = append(names, x.name)
			}
		}
		fmt.Fprintf(out, "  %d %s#%d: %s; retries %v manual %d retryable %t\n", a.StepInstanceID, a.StepID, a.AttemptID,
			strings.Join(names, " "), []int64{a.Retry.Error.Made, a.Retry.Platform.Made, a.Retry.Timeout.Made}, a.Retry.ManualRetries, a.Retry.Retryable)
	}
}

func (r *scriptRun) rerun(out *strings.Builder, f []string) {
	request := RestartRequest{Policy: RunPolicy(f[0]), User: "ann", RequestID: fmt.Sprintf("rerun-%d", len(r.runs))}
	for _, word := range f[1:] {
		key, value, option := strings.Cut(word, "=")
		switch {
		case word == "skip":
			request.Skip = true
		case option && key == "start":
			request.Selection.Start = strings.Split(value, ",")
		case option && key == "end":
			request.Selection.End = strings.Split(value, ",")
		case option && key == "skips":
			request.Selection.Skip = strings.Split(value, ",")
		default:
			request.StepID = word
		}
	}
	body, err := planTestRestart(r.st, request, r.env)
	if err != nil {
		fmt.Fprintf(out, "error: %v\n", err)
		return
	}
	for i := range r.st.Steps {
		if a := r.st.Steps[i].Latest; a != nil {
			r.env.earlier[a.StepID] = a
		}
	}
	r.runs = append(r.runs, r.st)
	body.RunID = r.body.RunID + 1
	r.body, r.st = body, NewState(body)
	fmt.Fprintf(out, "run %d %s:", body.RunID, body.Policy)
	for _, n := range body.DAG.Nodes {
		fmt.Fprintf(out, " %s", n.ID)
		if len(n.Predecessors) > 0 {
			fmt.Fprintf(out, "(%s)", strings.Join(n.Predecessors, ","))
		}
	}
	fmt.Fprintln(out)
}

func seconds(t *testing.T, text string) int64 {
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d.Milliseconds()
}

// clock writes a time as seconds since the start of the script.
func clock(t int64) string {
	if t < scriptEpoch {
		return "at once"
	}
	return (time.Duration(t-scriptEpoch) * time.Millisecond).String()
}

// testEnv is an environment with virtual time and a simple table of permits.
type testEnv struct {
	now         int64
	maxSteps    int
	breakpoints map[string]bool
	earlier     map[string]*Attempt
	limits      map[string]int
	holders     map[string][]PermitTag // by step uuid
	noRuntime   map[string]bool
	last        *State // of random runs
}

func newTestEnv() *testEnv {
	return &testEnv{
		now: scriptEpoch, maxSteps: 1000, breakpoints: map[string]bool{}, earlier: map[string]*Attempt{},
		limits: map[string]int{}, holders: map[string][]PermitTag{}, noRuntime: map[string]bool{"Titus": true},
	}
}

func (e *testEnv) decide(st *State, in []Input) (*Decision, error) {
	d, err := Decide(st, in, e)
	var need *NeedError
	if errors.As(err, &need) {
		return nil, fmt.Errorf("the test environment lacks nothing: %w", err)
	}
	if d != nil {
		for _, uuid := range d.Released {
			delete(e.holders, uuid)
		}
	}
	return d, err
}

func (e *testEnv) Now() int64    { return e.now }
func (e *testEnv) MaxSteps() int { return e.maxSteps }

func (e *testEnv) Breakpoint(stepID string) (bool, error) { return e.breakpoints[stepID], nil }

func (e *testEnv) EarlierAttempt(stepID string) (*Attempt, error) { return e.earlier[stepID], nil }

func (e *testEnv) Acquire(uuid string, tags []PermitTag) (Grant, error) {
	if _, held := e.holders[uuid]; held {
		return Granted, nil
	}
	if blocked, _ := e.Blocked("", tags); blocked {
		return Waiting, nil
	}
	e.holders[uuid] = tags
	return Granted, nil
}

func (e *testEnv) Blocked(_ string, tags []PermitTag) (bool, error) {
	for _, t := range tags {
		limit, ok := e.limits[t.Name]
		if !ok {
			continue
		}
		used := 0
		for _, held := range e.holders {
			if slices.ContainsFunc(held, func(h PermitTag) bool { return h.Name == t.Name }) {
				used++
			}
		}
		if used >= limit {
			return true, nil
		}
	}
	return false, nil
}

func (e *testEnv) HasRuntime(stepType string) bool { return !e.noRuntime[stepType] }
