package awsconf

// What the adapters do about a batch of which the service took a part, which the SDK takes for a success.

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/aws/smithy-go"

	"github.com/downbeat/downbeat/core/port"
)

// The waits between tries to get the rest of a batch: 25, 50 … 800 ms with full jitter, then the batch is throttled.
const (
	restFirstWait = 25 * time.Millisecond
	restMaxWait   = 800 * time.Millisecond
	restTries     = 8
)

// ErrRest says that the service left a part of a batch as often as was tried.
var ErrRest = errors.New("the service leaves a part of the batch again and again")

// Waiter waits between tries: the methods of clock.Clock and clock.IDs. Rand is uniform in [0, 1).
type Waiter struct {
	Sleep func(ctx context.Context, d time.Duration) error
	Rand  func() float64
}

// Rest are the waits of one batch. The zero value has waited for nothing.
type Rest struct {
	tries int
}

// Wait waits before the rest of a batch is tried again. Progress, a part that was taken, starts the waits anew. The error
// is ErrRest when it was tried often enough, or that of ctx.
func (r *Rest) Wait(ctx context.Context, w Waiter, progress bool) error {
	if progress {
		r.tries = 0
	}
	if r.tries == restTries {
		return ErrRest
	}
	ceiling := min(restFirstWait<<r.tries, restMaxWait)
	r.tries++
	return w.Sleep(ctx, time.Duration(w.Rand()*float64(ceiling)))
}

// Whole makes requests of the entries of a batch until the service has taken all. request gives those that were left and
// may be taken when they are asked for again; its error ends the batch and is returned. An error of the waiting between
// requests (Rest.Wait) is returned as translate makes it.
func Whole[T any](ctx context.Context, w Waiter, entries []T, request func(entries []T) (left []T, err error), translate func(error) error) error {
	var rest Rest
	for {
		left, err := request(entries)
		if err != nil || len(left) == 0 {
			return err
		}
		if err := rest.Wait(ctx, w, len(left) < len(entries)); err != nil {
			return translate(err)
		}
		entries = left
	}
}

// Refusal is what a batch's answer says of an entry that was not taken.
type Refusal struct {
	ID, Code, Message string
	SenderFault       bool
}

// Err is the error of a refused entry. byName knows the service's codes, as for PortCode. Where it does not know one, the
// service has said whose fault it was: only that of the sender is there again when the entry is.
func (r Refusal) Err(op, name string, byName func(string) port.Code) error {
	cause := &smithy.GenericAPIError{Code: r.Code, Message: r.Message}
	code := byName(NameOf(cause))
	if code == 0 {
		if code = port.CodeUnknown; r.SenderFault {
			code = port.CodeInternal
		}
	}
	return &port.Error{Code: code, Op: op, Name: name, Cause: cause}
}

// LeftOf are the entries that were refused and may be taken when they are asked for again. One that never can is an error.
func LeftOf[T any](entries []T, id func(T) string, refused []Refusal, translate func(Refusal) error) ([]T, error) {
	again := make(map[string]bool, len(refused))
	for _, r := range refused {
		if err := translate(r); Final(err) {
			return nil, err
		}
		again[r.ID] = true
	}
	var left []T
	for _, e := range entries {
		if again[id(e)] {
			left = append(left, e)
		}
	}
	return left, nil
}

// Final tells the errors that an entry of a batch has again when it is asked for again.
func Final(err error) bool {
	code := port.CodeOf(err)
	return code == port.CodeInvalid || code == port.CodeInternal
}

// parallel is how many requests of one batch are under way at once.
const parallel = 4

// Each calls do with every part, several at once. The first error ends the rest and is returned.
func Each[T any](ctx context.Context, parts []T, do func(context.Context, T) error) error {
	if len(parts) == 0 {
		return nil
	}
	if len(parts) == 1 {
		return do(ctx, parts[0])
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		mu    sync.Mutex // guards first
		first error
		wg    sync.WaitGroup
	)
	free := make(chan struct{}, parallel)
	for _, part := range parts {
		free <- struct{}{}
		mu.Lock()
		failed := first != nil
		mu.Unlock()
		if failed {
			break
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-free }()
			err := do(ctx, part)
			mu.Lock()
			defer mu.Unlock()
			if err != nil && first == nil {
				first = err
				cancel()
			}
		}()
	}
	wg.Wait()
	return first
}

// Split cuts items, in their order, into parts of at most most items whose sizes sum up to at most bytes. An item that
// is larger has a part of its own.
func Split[T any](items []T, most, bytes int, size func(T) int) [][]T {
	var parts [][]T
	from, sum := 0, 0
	for i, it := range items {
		n := size(it)
		if i > from && (i-from == most || sum+n > bytes) {
			parts = append(parts, items[from:i])
			from, sum = i, 0
		}
		sum += n
	}
	if from < len(items) {
		parts = append(parts, items[from:])
	}
	return parts
}
