package edge

import (
	"context"
	"errors"
	"log/slog"
	"sort"
	"strconv"
	"sync"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/events"
	"github.com/downbeat/downbeat/functions/emf"
	"github.com/downbeat/downbeat/functions/ingest"
)

// laterDelay is after how long a message of newer code is looked at again. A rolling deployment takes a minute or two.
const laterDelay = time.Minute

// unreadableDelay is after how long an unreadable message comes again: the time-out that others need would keep it from
// the dead-letter queue, and its alarm, for an hour.
const unreadableDelay = time.Second

// Queue handles the batches of one queue. The fates of a message:
//
//   - handled, or about what no longer exists: acknowledged;
//   - handling failed, or the deadline came first: it comes again after the visibility time-out, and is in the
//     dead-letter queue after the queue's number of receives;
//   - unreadable: it comes again soon, and is in the dead-letter queue, where a person finds it, after a minute at most;
//   - of newer code (P10): sent again with a delay and then acknowledged, since a receive that is not acknowledged
//     would count towards the dead-letter queue.
type Queue struct {
	Edge
	Name queue.Name
	// Batch is the application's: it handles deliveries and returns the receipts of those that must come again.
	Batch func(ctx context.Context, name queue.Name, batch []queue.Delivery) (again []string)
	// Messages puts messages back.
	Messages interface {
		queue.Sender
		// Release is that of queue.Receiver.
		Release(ctx context.Context, name queue.Name, receipt string, d time.Duration) error
	}
}

// Handle handles an event of the queue's event source mapping. It never returns an error: what failed is named message
// by message, and the rest is acknowledged.
func (q *Queue) Handle(ctx context.Context, event lambdaevents.SQSEvent) (lambdaevents.SQSEventResponse, error) {
	ctx, end := q.begin(ctx)
	defer end()

	failed := map[string]bool{} // by message id, which is what the mapping calls an item
	var batch []queue.Delivery
	for i := range event.Records {
		r := &event.Records[i]
		d := queue.Delivery{Receipt: r.MessageId, Body: []byte(r.Body)}
		d.Receives, _ = strconv.Atoi(r.Attributes["ApproximateReceiveCount"])
		log := q.Log.With("message_id", r.MessageId, "receives", d.Receives)
		body, err := q.read(d.Body)
		switch events.FateOf(err) {
		case events.FateDone:
			d.Body = body
			batch = append(batch, d)
		case events.FateLater:
			log.WarnContext(ctx, "message of newer code is put back", "error", err)
			back := queue.Message{Body: d.Body, Delay: laterDelay, Group: r.Attributes["MessageGroupId"]}
			if err := q.Messages.Send(ctx, q.Name, []queue.Message{back}); err != nil {
				log.ErrorContext(ctx, "message of newer code cannot be put back", "error", err)
				failed[r.MessageId] = true
				continue
			}
			q.Metrics.Count(emf.CountLater, 1)
		default:
			log.ErrorContext(ctx, "message cannot be read", "error", err, "body", excerpt(r.Body))
			failed[r.MessageId] = true
			if err := q.Messages.Release(ctx, q.Name, r.ReceiptHandle, unreadableDelay); err != nil {
				log.WarnContext(ctx, "unreadable message comes again late", "error", err)
			}
		}
	}
	for id := range q.handle(ctx, batch) {
		failed[id] = true
	}

	response := lambdaevents.SQSEventResponse{BatchItemFailures: []lambdaevents.SQSBatchItemFailure{}}
	for i := range event.Records {
		if id := event.Records[i].MessageId; failed[id] {
			response.BatchItemFailures = append(response.BatchItemFailures, lambdaevents.SQSBatchItemFailure{ItemIdentifier: id})
		}
	}
	return response, nil
}

// read looks at the body of a message and returns the message that it stands for: an event of a rule is the start that
// it asks for. An unknown kind is left to the application.
func (q *Queue) read(body []byte) ([]byte, error) {
	var err error
	switch q.Name {
	case queue.Advance:
		_, err = events.ParsePoke(body)
	case queue.Execute:
		_, err = events.ParseWork(body)
	case queue.Complete:
		_, err = events.ParseCompletion(body)
	case queue.Trigger:
		m, ok, ingestErr := ingest.Parse(body)
		if ingestErr != nil {
			return nil, ingestErr
		}
		if ok {
			start, err := m.Start()
			if err != nil {
				return nil, err
			}
			return start.Encode()
		}
		_, err = events.ParseStart(body)
	}
	var unknown *events.UnknownError
	if errors.As(err, &unknown) {
		err = nil
	}
	return body, err
}

// handle hands the messages to the application, equal ones, which pokes often are, once, and returns the ids of those that
// must come again. Work and completions go in one call, where those of one run share its reads and its writes (P18). Pokes
// and starts wait for the table most of the time, so they are handled at once.
func (q *Queue) handle(ctx context.Context, batch []queue.Delivery) map[string]bool {
	groups := equal(batch)
	var calls [][]queue.Delivery
	if q.Name == queue.Complete || q.Name == queue.Execute {
		var all []queue.Delivery
		for _, g := range groups {
			all = append(all, g[0])
		}
		calls = [][]queue.Delivery{all}
	} else {
		for _, g := range groups {
			calls = append(calls, g[:1])
		}
	}
	handed := map[string]bool{} // those that must come again
	var wg sync.WaitGroup
	var mu sync.Mutex // guards handed
	for _, call := range calls {
		if len(call) == 0 {
			continue
		}
		wg.Go(func() {
			ctx := ctx
			if len(call) == 1 {
				ctx = With(ctx, slog.String("message_id", call[0].Receipt))
			}
			receipts := q.Batch(ctx, q.Name, call)
			mu.Lock()
			defer mu.Unlock()
			for _, r := range receipts {
				handed[r] = true
			}
		})
	}
	wg.Wait()
	again := map[string]bool{}
	for _, g := range groups {
		for _, d := range g {
			if handed[g[0].Receipt] {
				again[d.Receipt] = true
			}
		}
	}
	return again
}

// equal groups deliveries with the same body. The one that was received most often stands for its group.
func equal(batch []queue.Delivery) [][]queue.Delivery {
	at := map[string]int{}
	var groups [][]queue.Delivery
	for _, d := range batch {
		i, ok := at[string(d.Body)]
		if !ok {
			i = len(groups)
			at[string(d.Body)] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], d)
	}
	for _, g := range groups {
		sort.SliceStable(g, func(i, j int) bool { return g[i].Receives > g[j].Receives })
	}
	return groups
}

// excerpt is enough of a body to recognise it in a log.
func excerpt(body string) string {
	const most = 1024
	if len(body) > most {
		return body[:most] + "…"
	}
	return body
}
