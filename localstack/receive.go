package localstack

import (
	"context"
	"time"

	"github.com/downbeat/downbeat/core/queue"
)

// visibility is how long a received message is hidden while it is handled.
const visibility = time.Minute

// receivers are how many goroutines take messages from each queue.
var receivers = map[queue.Name]int{queue.Advance: 4, queue.Execute: 64, queue.Complete: 1, queue.Trigger: 2}

// receive is what an event source mapping does. It takes messages until taking ends; those taken are handled to the end
// of ctx.
func (s *Server) receive(taking, ctx context.Context, name queue.Name) {
	batch := queue.MaxBatch
	if name == queue.Complete {
		batch = 100
	}
	if name == queue.Execute {
		batch = 1
	}
	for taking.Err() == nil {
		got, err := s.Queue.Receive(taking, name, batch, visibility)
		if err != nil {
			return
		}
		if len(got) == 0 {
			continue
		}
		again := map[string]bool{}
		for _, r := range s.App.HandleBatch(ctx, name, got) {
			again[r] = true
		}
		var done []string
		for _, d := range got {
			if !again[d.Receipt] {
				done = append(done, d.Receipt)
				continue
			}
			if d.Receives >= queue.MaxReceives {
				s.tellDead(name, d)
			}
			// A second in place of the visibility time-out: on one machine nobody else holds the message.
			if err := s.Queue.Release(ctx, name, d.Receipt, time.Second); err != nil {
				s.cfg.Log.Warn("message cannot be released", "queue", name, "error", err)
			}
		}
		if err := s.Queue.Delete(ctx, name, done); err != nil {
			s.cfg.Log.Warn("messages cannot be deleted", "queue", name, "error", err)
		}
	}
}

// shownBody is how many bytes of a dead message the log shows.
const shownBody = 4096

// tellDead says that a message is set aside. The queue keeps it with the dead letters, those of the completion queue on
// disk; the log keeps its body, since nothing else of the others survives the process.
func (s *Server) tellDead(name queue.Name, d queue.Delivery) {
	body := string(d.Body)
	if len(body) > shownBody {
		body = body[:shownBody] + "…"
	}
	s.cfg.Log.Error("message is set aside as a dead letter: it could not be handled", "queue", name, "receives", d.Receives, "body", body)
}
