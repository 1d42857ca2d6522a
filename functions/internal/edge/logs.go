package edge

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"
)

// Logs writes structured lines, one JSON object each, with what correlates them: the invocation, and what With put into
// the context, such as the message that is being handled.
type Logs struct {
	next       slog.Handler
	invocation *atomic.Value // string: the id of the running invocation; an environment runs one at a time
}

// NewLogs makes the handler of a function's logger.
func NewLogs(out io.Writer, level, function string) *Logs {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	next := slog.NewJSONHandler(out, &slog.HandlerOptions{Level: l}).WithAttrs([]slog.Attr{slog.String("function", function)})
	return &Logs{next: next, invocation: &atomic.Value{}}
}

// Invocation tells which invocation is running; "" is none.
func (l *Logs) Invocation(id string) { l.invocation.Store(id) }

type attrsKey struct{}

// With adds attributes to every line that is logged with the context.
func With(ctx context.Context, attrs ...slog.Attr) context.Context {
	have, _ := ctx.Value(attrsKey{}).([]slog.Attr)
	return context.WithValue(ctx, attrsKey{}, append(have[:len(have):len(have)], attrs...))
}

// Enabled implements slog.Handler.
func (l *Logs) Enabled(ctx context.Context, level slog.Level) bool { return l.next.Enabled(ctx, level) }

// Handle implements slog.Handler.
func (l *Logs) Handle(ctx context.Context, r slog.Record) error {
	if id, _ := l.invocation.Load().(string); id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	attrs, _ := ctx.Value(attrsKey{}).([]slog.Attr)
	r.AddAttrs(attrs...)
	return l.next.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (l *Logs) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Logs{l.next.WithAttrs(attrs), l.invocation}
}

// WithGroup implements slog.Handler.
func (l *Logs) WithGroup(name string) slog.Handler {
	return &Logs{l.next.WithGroup(name), l.invocation}
}
