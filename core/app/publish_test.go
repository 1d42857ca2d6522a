package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/downbeat/downbeat/core/bus"
)

// busy is a bus that fails.
type busy struct{ got [][]byte }

func (b *busy) Publish(_ context.Context, events [][]byte) error {
	b.got = append(b.got, events...)
	return errors.New("down")
}

// sums adds up what is counted.
type sums map[string]float64

func (s sums) Count(name string, n float64) { s[name] += n }

// TestPoisonedEventIsDropped: the others are published, and only the bus's own failure is one.
func TestPoisonedEventIsDropped(t *testing.T) {
	var logs bytes.Buffer
	b, counted := &busy{}, sums{}
	a := &App{cfg: Config{Bus: b, Metrics: counted}, log: slog.New(slog.NewTextHandler(&logs, nil))}
	long := []byte(`{"tags":"` + strings.Repeat("x", bus.MaxEvent) + `"}`)
	if err := a.sendEvents(t.Context(), [][]byte{long}); err != nil {
		t.Errorf("a poisoned event alone: %v", err)
	}
	if err := a.sendEvents(t.Context(), [][]byte{[]byte(`{"n":1}`), long, []byte(`{"n":2}`)}); err == nil {
		t.Error("the bus's failure is lost")
	}
	if got := string(bytes.Join(b.got, nil)); got != `{"n":1}{"n":2}` {
		t.Errorf("published %.100s", got)
	}
	if counted[CountUnpublished] != 2 || strings.Count(logs.String(), "level=ERROR") != 2 {
		t.Errorf("counted %v, logged %d bytes", counted, logs.Len())
	}
	if logs.Len() > 4000 {
		t.Errorf("%d bytes are logged: the whole event", logs.Len())
	}
}
