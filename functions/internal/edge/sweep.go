package edge

import (
	"context"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/downbeat/downbeat/functions/emf"
)

// Sweep handles the event of each minute.
type Sweep struct {
	Edge
	// Run sweeps for a minute, in epoch milliseconds.
	Run func(ctx context.Context, minute int64) error
}

// Handle sweeps for the minute of the event's time, not of the clock: a late invocation covers its own minute (P23). An
// error makes Lambda invoke again.
func (s *Sweep) Handle(ctx context.Context, event lambdaevents.EventBridgeEvent) error {
	ctx, end := s.begin(ctx)
	defer end()
	if err := s.Run(ctx, event.Time.Truncate(time.Minute).UnixMilli()); err != nil {
		s.Log.ErrorContext(ctx, "sweep failed", "minute", event.Time, "error", err)
		return err
	}
	s.Metrics.Count(emf.CountSweeps, 1)
	return nil
}
