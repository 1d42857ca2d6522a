// Package localbus is the Bus port in one process: subscribers that are called, and a log of JSON lines.
package localbus

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"sync"

	"github.com/downbeat/downbeat/core/bus"
	"github.com/downbeat/downbeat/core/port"
)

// Config says where events go. The zero value drops them.
type Config struct {
	// File, if set, is appended to, one event a line. It is created if missing.
	File string
	// Subscribe, if set, is called with every event, one at a time, before Publish returns. It must not publish.
	Subscribe func(event []byte)
}

// Bus is the bus. Use New.
type Bus struct {
	cfg  Config
	mu   sync.Mutex
	file *os.File       // guarded by mu
	subs []func([]byte) // guarded by mu
	line bytes.Buffer   // guarded by mu
}

var _ bus.Publisher = (*Bus)(nil)

// New opens the log.
func New(cfg Config) (*Bus, error) {
	b := &Bus{cfg: cfg}
	if cfg.Subscribe != nil {
		b.subs = append(b.subs, cfg.Subscribe)
	}
	if cfg.File != "" {
		f, err := os.OpenFile(cfg.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, err
		}
		b.file = f
	}
	return b, nil
}

// Subscribe adds a function that gets every event published from now on; see Config.Subscribe.
func (b *Bus) Subscribe(f func(event []byte)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subs = append(b.subs, f)
}

// Publish implements bus.Publisher.
func (b *Bus) Publish(ctx context.Context, events [][]byte) error {
	if err := bus.CheckEvents("local", events); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return port.Local("publish to", "local", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.line.Reset()
	for _, e := range events {
		if err := json.Compact(&b.line, e); err != nil {
			return port.Local("publish to", "local", err)
		}
		b.line.WriteByte('\n')
	}
	if b.file != nil {
		if _, err := b.file.Write(b.line.Bytes()); err != nil {
			return port.Local("publish to", b.cfg.File, err)
		}
	}
	for _, e := range events {
		for _, f := range b.subs {
			f(bytes.Clone(e))
		}
	}
	return nil
}

// Close closes the log.
func (b *Bus) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file == nil {
		return nil
	}
	err := b.file.Close()
	b.file = nil
	return err
}
