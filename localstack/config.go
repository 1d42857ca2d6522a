package localstack

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/clock"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/events"
)

// Config says how a local server runs.
type Config struct {
	// Addr is where it listens. Default 127.0.0.1:8080; port 0 takes a free one.
	Addr string
	// Data is the folder of everything durable; ignored with Memory. Default .downbeat.
	Data string
	// Memory keeps everything in memory.
	Memory bool
	// HTTPAllow are the hosts that steps of type Http may call. Empty blocks all of them.
	HTTPAllow []string
	// EventsLog, if set, is a file to which every published status event is appended as a JSON line.
	EventsLog string
	// EventTypes are the types of events that are published (events.PublishedTypes). Empty: all.
	EventTypes []string
	// Subscribe, if set, is called with every published status event.
	Subscribe func(event []byte)
	// OnRun, if set, is told of every run that begins or ends.
	OnRun func(app.RunNews)
	// Log receives what the server has to say. Default: nothing.
	Log *slog.Logger
	// Metrics counts; default: nothing.
	Metrics app.Metrics
	// Table, if set, replaces the embedded table, and Clock the system's (benchmarks with simulated latencies).
	Table table.Table
	Clock clock.Clock
	// NoCache makes every read go to the table (app.Config.NoCache).
	NoCache bool
}

// ConfigError is a value of a Config with which no server can run: it cannot be meant, or what it names is in use.
type ConfigError struct {
	Field string // of Config
	Value string
	Err   error // the rule that it breaks, or what is in the way
	InUse bool  // another process has it
}

func (e *ConfigError) Error() string { return fmt.Sprintf("%s %q: %v", e.Field, e.Value, e.Err) }

func (e *ConfigError) Unwrap() error { return e.Err }

// Check tells whether the values can be meant; the error is a *ConfigError.
func (c Config) Check() error { return c.validate() }

// validate fills in defaults.
func (c *Config) validate() error {
	if c.Addr == "" {
		c.Addr = "127.0.0.1:8080"
	}
	if c.Data == "" {
		c.Data = ".downbeat"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	_, port, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return &ConfigError{Field: "Addr", Value: c.Addr, Err: errors.New("must have the form host:port")}
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return &ConfigError{Field: "Addr", Value: c.Addr, Err: errors.New("the port must be a number from 0 to 65535")}
	}
	for _, h := range c.HTTPAllow {
		if _, err := step.Host(h); err != nil {
			return &ConfigError{Field: "HTTPAllow", Value: h, Err: err}
		}
	}
	for _, t := range c.EventTypes {
		if !slices.Contains(events.PublishedTypes(), t) {
			return &ConfigError{Field: "EventTypes", Value: t, Err: fmt.Errorf("is none of %s", strings.Join(events.PublishedTypes(), ", "))}
		}
	}
	return nil
}
