package localqueue_test

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/queue/queuetest"
	"github.com/downbeat/downbeat/localstack/bolttable"
	"github.com/downbeat/downbeat/localstack/localqueue"
	"github.com/downbeat/downbeat/localstack/sysclock"
)

func open(t *testing.T, cfg localqueue.Config) *localqueue.Queue {
	t.Helper()
	cfg.Clock = sysclock.New()
	q, err := localqueue.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
	return q
}

func TestConformance(t *testing.T) {
	queuetest.Run(t, queuetest.Config{Virtual: true, Open: func(t *testing.T) queuetest.Backend {
		q := open(t, localqueue.Config{})
		return queuetest.Backend{Sender: q, Receiver: q, Name: queue.Execute}
	}})
}

// TestConformanceDisorderly runs the suite on queues that do what the service may do.
func TestConformanceDisorderly(t *testing.T) {
	queuetest.Run(t, queuetest.Config{Virtual: true, Open: func(t *testing.T) queuetest.Backend {
		q := open(t, localqueue.Config{Window: 10, Rand: rand.New(rand.NewPCG(1, 2)).Float64})
		return queuetest.Backend{Sender: q, Receiver: q, Name: queue.Advance}
	}})
}

// TestConformanceDurable runs it on a queue whose messages are in a file.
func TestConformanceDurable(t *testing.T) {
	queuetest.Run(t, queuetest.Config{Virtual: true, Open: func(t *testing.T) queuetest.Backend {
		tbl, err := bolttable.Open(filepath.Join(t.TempDir(), "data"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := tbl.Close(); err != nil {
				t.Error(err)
			}
		})
		q := open(t, localqueue.Config{Durable: tbl})
		return queuetest.Backend{Sender: q, Receiver: q, Name: queue.Complete}
	}})
}
