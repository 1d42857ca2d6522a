// Package emf writes metrics in CloudWatch's embedded metric format: one JSON line on the standard output for each
// invocation that counted something, which CloudWatch Logs turns into metrics without a call or a permission.
package emf

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/downbeat/downbeat/functions/env"
)

// Counters of the functions' own, beside those that the application counts.
const (
	CountLater  = "LaterMessages" // messages put back because newer code wrote them
	CountSweeps = "Sweeps"        // sweeps that ended well
)

// metrics are the counters that become CloudWatch metrics. All others are members of the same line, to be queried from
// the logs, and cost nothing more. A test compares them with the names that the application counts under.
var metrics = []string{
	"Decisions", "Conflicts", "Folds", "SweptHeads", "ParkedHeads", "DeadDecisions", "HandledMessages", "RetriedMessages", "DroppedMessages",
	CountLater, CountSweeps,
}

// Counter adds up counts until Flush. It is safe for concurrent use.
type Counter struct {
	stack, function string
	out             io.Writer
	now             func() time.Time

	mu   sync.Mutex
	sums map[string]float64 // guarded by mu
}

// New makes a counter that writes to out. A nil out counts nothing and writes nothing.
func New(out io.Writer, stack, function string, now func() time.Time) *Counter {
	return &Counter{out: out, stack: stack, function: function, now: now, sums: map[string]float64{}}
}

// Count adds n to a counter.
func (c *Counter) Count(name string, n float64) {
	if c.out == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sums[name] += n
}

// Flush writes the line for what was counted since the last Flush, nothing if nothing was.
func (c *Counter) Flush() error {
	c.mu.Lock()
	sums := c.sums
	c.sums = map[string]float64{}
	c.mu.Unlock()
	if len(sums) == 0 {
		return nil
	}
	type metric struct {
		Name string
		Unit string
	}
	listed := []metric{}
	line := map[string]any{env.MetricDimension: c.stack, "Function": c.function}
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		line[name] = sums[name]
		if slices.Contains(metrics, name) {
			listed = append(listed, metric{name, "Count"})
		}
	}
	if len(listed) > 0 {
		line["_aws"] = map[string]any{
			"Timestamp": c.now().UnixMilli(),
			"CloudWatchMetrics": []any{map[string]any{
				"Namespace": env.MetricNamespace, "Dimensions": [][]string{{env.MetricDimension}}, "Metrics": listed,
			}},
		}
	}
	data, err := json.Marshal(line)
	if err != nil {
		return err
	}
	_, err = c.out.Write(append(data, '\n'))
	return err
}
