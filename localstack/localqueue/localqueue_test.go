package localqueue_test

import (
	"context"
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/localstack/localqueue"
	"github.com/downbeat/downbeat/localstack/sysclock"
)

func BenchmarkSendReceiveDelete(b *testing.B) {
	q, err := localqueue.New(localqueue.Config{Clock: sysclock.New()})
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	body := []byte(`{"v":1,"kind":"run","workflow":"w","instance":1,"run":1}`)
	b.ReportAllocs()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; n < b.N; {
			got, err := q.Receive(ctx, queue.Advance, 10, time.Minute)
			if err != nil {
				b.Error(err)
				return
			}
			var rs []string
			for _, d := range got {
				rs = append(rs, d.Receipt)
			}
			if err := q.Delete(ctx, queue.Advance, rs); err != nil {
				b.Error(err)
				return
			}
			n += len(got)
		}
	}()
	for i := 0; i < b.N; i++ {
		if err := q.Send(ctx, queue.Advance, []queue.Message{{Body: body}}); err != nil {
			b.Fatal(err)
		}
	}
	<-done
}
