// Command bench runs workloads in one process over the embedded stores and counts what they would cost on AWS: request
// units of the table, queue messages and commits, and from these the price of a million steps.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/localstack"
)

// Prices in dollars per million, us-east-1 on demand: write units, read units, queue requests. A message is three
// requests: send, receive, delete. Compute is not in them.
const (
	priceWrite = 0.625
	priceRead  = 0.125
	priceQueue = 0.40
)

type workload struct {
	name      string
	runs, ids int
	steps     string // JSON of the steps
	count     int    // steps of a run
	strategy  string
}

// Row is the result of one workload.
type Row struct {
	Store       string  `json:"store"`
	Workload    string  `json:"workload"`
	Steps       int     `json:"steps"`
	StepsPerSec float64 `json:"steps_per_second"`
	StartP50    float64 `json:"start_p50_ms"`
	StartP99    float64 `json:"start_p99_ms"`
	WriteUnits  float64 `json:"write_units_per_run"`
	ReadUnits   float64 `json:"read_units_per_run"`
	Messages    float64 `json:"messages_per_run"`
	Dollars     float64 `json:"dollars_per_million_steps"`
}

func step(id, next string) string {
	return fmt.Sprintf(`{"step":{"id":%q,"type":"NoOp","transition":{"successors":{%s}}}}`, id, next)
}

func chain(n int) string {
	var out []string
	for i := range n {
		next := ""
		if i+1 < n {
			next = fmt.Sprintf(`"s%d":"true"`, i+1)
		}
		out = append(out, step(fmt.Sprintf("s%d", i), next))
	}
	return strings.Join(out, ",")
}

func fan(n int) string {
	var all, out []string
	for i := range n {
		all = append(all, fmt.Sprintf(`"m%d":"true"`, i))
		out = append(out, step(fmt.Sprintf("m%d", i), `"last":"true"`))
	}
	return strings.Join(append([]string{step("first", strings.Join(all, ","))}, append(out, step("last", ""))...), ",")
}

func diamond() string {
	return strings.Join([]string{
		step("job.1", `"job.2":"true","job.3":"true"`), step("job.2", `"job.4":"true"`), step("job.3", `"job.4":"true"`),
		step("job.4", `"job.5":"true"`), step("job.5", `"job.6":"true"`), step("job.6", ""),
	}, ",")
}

// meter counts by name.
type meter struct {
	mu     sync.Mutex
	counts map[string]float64 // guarded by mu
}

func (m *meter) Count(name string, n float64) {
	m.mu.Lock()
	m.counts[name] += n
	m.mu.Unlock()
}

func (m *meter) take() map[string]float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.counts
	m.counts = map[string]float64{}
	return c
}

func main() {
	file := flag.String("json", "", "write the rows into this `file` as JSON lines")
	only := flag.String("only", "", "run this part alone: starts")
	flag.Parse()
	if *only != "" && *only != "starts" {
		fmt.Fprintf(os.Stderr, "bench: --only %q: the one part that there is is starts\n", *only)
		os.Exit(2)
	}
	if err := run(*file, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(file, only string) error {
	var out bytes.Buffer
	if only != "starts" {
		if err := workloads(&out); err != nil {
			return err
		}
	}
	if err := starts(&out); err != nil {
		return err
	}
	if file == "" {
		return nil
	}
	return os.WriteFile(file, out.Bytes(), 0o644)
}

// workloads measures the workloads over the embedded stores and writes their rows as JSON lines.
func workloads(out io.Writer) error {
	parallel := `{"rule":"PARALLEL","workflow_concurrency":1000}`
	workloads := []workload{
		{"chain of 100 NoOp", 20, 20, chain(100), 100, parallel},
		{"1 to 200 to 1 NoOp", 10, 10, fan(200), 202, parallel},
		{"6-step DAG, 1,000 runs over 1 id", 1000, 1, diamond(), 6, parallel},
		{"6-step DAG, 1,000 runs over 1,000 ids", 1000, 1000, diamond(), 6, parallel},
		{"1 step, 1,000 starts, SEQUENTIAL", 1000, 1, step("only", ""), 1, `"SEQUENTIAL"`},
	}
	fmt.Printf("%-8s %-40s %10s %9s %9s %8s %8s %8s %8s\n", "store", "workload", "steps/s", "start p50", "start p99", "WU/run", "RU/run", "msg/run", "$/M steps")
	for _, memory := range []bool{true, false} {
		for _, w := range workloads {
			row, err := measure(w, memory)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			if err := json.NewEncoder(out).Encode(row); err != nil {
				return err
			}
			fmt.Printf("%-8s %-40s %10.0f %6.2f ms %6.2f ms %8.1f %8.1f %8.1f %8.2f\n", row.Store, row.Workload, row.StepsPerSec, row.StartP50, row.StartP99,
				row.WriteUnits, row.ReadUnits, row.Messages, row.Dollars)
		}
	}
	return nil
}

func measure(w workload, memory bool) (Row, error) {
	dir, err := os.MkdirTemp("", "downbeat-bench")
	if err != nil {
		return Row{}, err
	}
	defer os.RemoveAll(dir)
	ended := make(chan engine.InstanceStatus, w.runs)
	m := &meter{counts: map[string]float64{}}
	server, err := localstack.Start(context.Background(), localstack.Config{
		Addr: "127.0.0.1:0", Memory: memory, Data: dir, Metrics: m,
		OnRun: func(n app.RunNews) {
			if n.Status.Terminal() {
				ended <- n.Status
			}
		},
	})
	if err != nil {
		return Row{}, err
	}
	defer server.Close()
	for i := range w.ids {
		if err := post(server.URL()+"/api/v3/workflows", fmt.Sprintf(`{"properties":{"owner":"bench","run_strategy":%s},"workflow":{"id":"w%d","steps":[%s]}}`, w.strategy, i, w.steps)); err != nil {
			return Row{}, err
		}
	}
	m.take()
	began := time.Now()
	took := make([]float64, w.runs)
	for i := range w.runs {
		at := time.Now()
		if err := post(fmt.Sprintf("%s/api/v3/workflows/w%d/versions/latest/actions/start", server.URL(), i%w.ids), `{"initiator":{"type":"manual"}}`); err != nil {
			return Row{}, err
		}
		took[i] = float64(time.Since(at).Microseconds()) / 1000
	}
	for range w.runs {
		if s := <-ended; s != engine.InstanceSucceeded {
			return Row{}, fmt.Errorf("a run ended %s", s)
		}
	}
	wall := time.Since(began).Seconds()
	counts := m.take()
	slices.Sort(took)
	steps := w.runs * w.count
	perRun := func(name string) float64 { return counts[name] / float64(w.runs) }
	kind := "durable"
	if memory {
		kind = "memory"
	}
	dollars := counts[app.CountWriteUnits]*priceWrite + counts[app.CountReadUnits]*priceRead + 3*counts[app.CountSends]*priceQueue
	return Row{
		Store: kind, Workload: w.name, Steps: steps, StepsPerSec: float64(steps) / wall, StartP50: took[len(took)/2], StartP99: took[len(took)*99/100],
		WriteUnits: perRun(app.CountWriteUnits), ReadUnits: perRun(app.CountReadUnits), Messages: perRun(app.CountSends), Dollars: dollars / float64(steps),
	}, nil
}

func post(url, body string) error {
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("user", "bench")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, resp.Status, answer)
	}
	return nil
}
