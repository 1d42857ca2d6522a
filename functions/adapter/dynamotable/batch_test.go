package dynamotable_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/functions/adapter/dynamotable"
)

// reluctant processes at most so many keys or items of a request, and none at all while it is busy.
type reluctant struct {
	dynamotable.Client // nil: other calls are not expected

	mu    sync.Mutex
	most  int
	busy  int   // so many requests are not processed at all
	sizes []int // of the requests
	put   map[string]bool
	fail  error // the next request fails
}

func (r *reluctant) accept(n int) (int, error) {
	r.sizes = append(r.sizes, n)
	if err := r.fail; err != nil {
		r.fail = nil
		return 0, err
	}
	if r.busy > 0 {
		r.busy--
		return 0, nil
	}
	return min(n, r.most), nil
}

func (r *reluctant) BatchGetItem(_ context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := in.RequestItems["t"].Keys
	n, err := r.accept(len(keys))
	if err != nil {
		return nil, err
	}
	out := &dynamodb.BatchGetItemOutput{
		Responses:        map[string][]map[string]types.AttributeValue{},
		ConsumedCapacity: []types.ConsumedCapacity{{CapacityUnits: aws.Float64(float64(n))}},
	}
	for _, k := range keys[:n] {
		k["r"] = &types.AttributeValueMemberN{Value: "1"}
		out.Responses["t"] = append(out.Responses["t"], k)
	}
	if n < len(keys) {
		out.UnprocessedKeys = map[string]types.KeysAndAttributes{"t": {Keys: keys[n:]}}
	}
	return out, nil
}

func (r *reluctant) BatchWriteItem(_ context.Context, in *dynamodb.BatchWriteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	requests := in.RequestItems["t"]
	n, err := r.accept(len(requests))
	if err != nil {
		return nil, err
	}
	for _, w := range requests[:n] {
		r.put[w.PutRequest.Item["sk"].(*types.AttributeValueMemberS).Value] = true
	}
	out := &dynamodb.BatchWriteItemOutput{ConsumedCapacity: []types.ConsumedCapacity{{CapacityUnits: aws.Float64(float64(n))}}}
	if n < len(requests) {
		out.UnprocessedItems = map[string][]types.WriteRequest{"t": requests[n:]}
	}
	return out, nil
}

func TestBatchesAskForTheRest(t *testing.T) {
	ctx := t.Context()
	var keys []table.Key
	var items []table.Item
	for i := range 60 {
		k := table.Key{PK: "p", SK: fmt.Sprint(i)}
		keys = append(keys, k)
		items = append(items, table.Item{Key: k, Rev: 1})
	}
	for _, c := range []struct {
		name       string
		most, busy int
		waits      int // of BatchGet
		code       table.Code
	}{
		{"all at once", 100, 0, 0, 0},
		{"in parts", 20, 0, 2, 0},
		{"busy for a while", 100, 5, 5, 0},
		{"busy for ever", 100, 1000, 8, table.CodeThrottled},
	} {
		t.Run(c.name, func(t *testing.T) {
			var waits []time.Duration
			client := &reluctant{most: c.most, busy: c.busy, put: map[string]bool{}}
			var mu sync.Mutex
			tbl, err := dynamotable.New(dynamotable.Config{
				Client: client, Table: "t", Rand: func() float64 { return 1 },
				Sleep: func(_ context.Context, d time.Duration) error {
					mu.Lock()
					defer mu.Unlock()
					waits = append(waits, d)
					return nil
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			got, u, err := tbl.BatchGet(ctx, keys)
			if table.CodeOf(err) != c.code {
				t.Fatalf("error %v, want code %s", err, c.code)
			}
			if len(waits) != c.waits {
				t.Errorf("waits %v, want %d", waits, c.waits)
			}
			for i, w := range waits {
				if w > 800*time.Millisecond || i > 0 && c.busy > 0 && w < waits[i-1] {
					t.Errorf("waits %v do not grow to at most 800ms", waits)
				}
			}
			if c.code == 0 {
				for i, it := range got {
					if it.Key != keys[i] || it.Rev != 1 {
						t.Errorf("%d: %s revision %d", i, it.Key, it.Rev)
					}
				}
				if u.Read != 60 {
					t.Errorf("%g read units, want 60", u.Read)
				}
			}
			client.busy, client.sizes = c.busy, nil
			u, err = tbl.BatchPut(ctx, items)
			if table.CodeOf(err) != c.code {
				t.Fatalf("error %v, want code %s", err, c.code)
			}
			if c.code == 0 && (len(client.put) != 60 || u.Write != 60) {
				t.Errorf("%d items put for %g units, want 60", len(client.put), u.Write)
			}
			for _, n := range client.sizes {
				if n > table.MaxBatchWrite {
					t.Errorf("a request has %d items", n)
				}
			}
		})
	}
}

func TestBatchErrorEndsTheRest(t *testing.T) {
	client := &reluctant{most: 100, put: map[string]bool{}, fail: &types.ProvisionedThroughputExceededException{}}
	tbl, err := dynamotable.New(dynamotable.Config{
		Client: client, Table: "t", Rand: func() float64 { return 0 }, Sleep: func(context.Context, time.Duration) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	var items []table.Item
	for i := range 1000 {
		items = append(items, table.Item{Key: table.Key{PK: "p", SK: fmt.Sprint(i)}, Rev: 1})
	}
	_, err = tbl.BatchPut(t.Context(), items)
	var te *table.Error
	if !errors.As(err, &te) || te.Code != table.CodeThrottled {
		t.Errorf("error %v, want code throttled", err)
	}
	if len(client.sizes) == 40 {
		t.Error("all requests were sent after one had failed")
	}
}

func TestConfig(t *testing.T) {
	if _, err := dynamotable.New(dynamotable.Config{Table: "t"}); err == nil {
		t.Error("no client is no error")
	}
}
