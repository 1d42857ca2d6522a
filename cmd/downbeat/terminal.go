package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

// terminal tells whether a person reads along.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// colours tells whether the output may be coloured: on a terminal, unless the environment asks for none.
func colours(w io.Writer) bool {
	return terminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// newLog logs for whoever reads: key=value lines for a program, shorter ones for a person.
func newLog(w io.Writer, level slog.Level) *slog.Logger {
	if !terminal(w) {
		return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(newTerminalLog(w, level))
}

// terminalLog writes lines as the progress does: time, level, message, and the attributes behind it.
type terminalLog struct {
	shared *terminalLines
	attrs  slog.Handler // writes the attributes alone, to shared.line
}

type terminalLines struct {
	mu   sync.Mutex
	out  io.Writer
	line bytes.Buffer // guarded by mu
}

func newTerminalLog(w io.Writer, level slog.Level) *terminalLog {
	shared := &terminalLines{out: w}
	return &terminalLog{shared: shared, attrs: slog.NewTextHandler(&shared.line, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
				return slog.Attr{}
			}
			return a
		},
	})}
}

// Enabled implements slog.Handler, as do the others.
func (l *terminalLog) Enabled(ctx context.Context, level slog.Level) bool {
	return l.attrs.Enabled(ctx, level)
}

func (l *terminalLog) Handle(ctx context.Context, r slog.Record) error {
	l.shared.mu.Lock()
	defer l.shared.mu.Unlock()
	b := &l.shared.line
	b.Reset()
	if err := l.attrs.Handle(ctx, r); err != nil {
		return err
	}
	attrs := bytes.TrimSpace(b.Bytes())
	line := make([]byte, 0, 64+len(r.Message)+len(attrs))
	line = r.Time.AppendFormat(line, time.TimeOnly)
	line = append(line, "  "...)
	line = append(line, r.Level.String()...)
	line = append(line, "  "...)
	line = append(line, r.Message...)
	if len(attrs) > 0 {
		line = append(line, "  "...)
		line = append(line, attrs...)
	}
	_, err := l.shared.out.Write(append(line, '\n'))
	return err
}

func (l *terminalLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &terminalLog{l.shared, l.attrs.WithAttrs(attrs)}
}

func (l *terminalLog) WithGroup(name string) slog.Handler {
	return &terminalLog{l.shared, l.attrs.WithGroup(name)}
}
