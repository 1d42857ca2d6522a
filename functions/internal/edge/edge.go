// Package edge is what stands between Lambda and the application: it decodes events, keeps to the deadline, gives every
// message its fate, correlates logs, and writes the metrics of each invocation. It decides nothing about workflows.
package edge

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/downbeat/downbeat/functions/emf"
)

// Edge is shared by the kinds of handlers.
type Edge struct {
	Log     *slog.Logger
	Logs    *Logs // where Log ends: it is told which invocation is running
	Metrics *emf.Counter
}

// reserve is how much of the time that is left is kept for answering: a quarter, at most two seconds.
func reserve(left time.Duration) time.Duration { return min(left/4, 2*time.Second) }

// begin prepares an invocation: work ends before the function's deadline, so that what is done can still be reported.
// The returned function ends it.
func (e *Edge) begin(ctx context.Context) (context.Context, func()) {
	id := ""
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		id = lc.AwsRequestID
	}
	e.Logs.Invocation(id)
	cancel := context.CancelFunc(func() {})
	if deadline, ok := ctx.Deadline(); ok {
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-reserve(time.Until(deadline))))
	}
	return ctx, func() {
		cancel()
		if err := e.Metrics.Flush(); err != nil {
			e.Log.Error("metrics are lost", "error", err)
		}
		e.Logs.Invocation("")
	}
}
