// Package app is the shell around the deciders: it loads heads, lets the pure packages decide, commits on the revision
// that was read, and does what follows from the committed state. Lambda functions and the local server wire the same
// App over different ports.
//
// All kinds of heads move by one pattern (move in this package): load, decide, commit, follow. What follows is a list
// of tasks; an invocation does them itself while its budget lasts and sends the rest as pokes (P3). Whatever is lost
// on the way is found by the sweep, because every head that is not at rest has a due time (P8).
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/downbeat/downbeat/core/blob"
	"github.com/downbeat/downbeat/core/bus"
	"github.com/downbeat/downbeat/core/clock"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/events"
)

// Metrics counts what operators watch. Names are those of the Count constants.
type Metrics interface {
	Count(name string, n float64)
}

// Names of counters.
const (
	CountDecisions  = "Decisions"     // committed decisions over runs
	CountConflicts  = "Conflicts"     // commits that lost a race
	CountFolds      = "Folds"         // inputs folded into commits
	CountSwept      = "SweptHeads"    // heads that the sweep sent a poke for
	CountParked     = "ParkedHeads"   // heads that cannot be decoded
	CountDeaths     = "DeadDecisions" // decisions that died, by a panic or with their process
	CountDropped    = "DroppedMessages"
	CountRetried    = "RetriedMessages"
	CountRefused    = "RefusedStarts" // starts that events asked for and that can never succeed
	CountDone       = "HandledMessages"
	CountReadUnits  = "ReadUnits"
	CountWriteUnits = "WriteUnits"
	CountSends      = "QueueMessages"
	CountPublished  = "PublishedEvents" // handed to the bus, repetitions too
)

// NoMetrics counts nothing.
type NoMetrics struct{}

// Count does nothing.
func (NoMetrics) Count(string, float64) {}

// Settings are the values that change observable behaviour. The zero value of each means its default.
type Settings struct {
	// Cluster is cluster_name in published events. Default "test", as Maestro's.
	Cluster string
	// Environment is what expressions get from getExecutionEnvironment. Default "test".
	Environment string
	// InlineBudget is how long an invocation goes on with what follows from its own commits before it sends the rest
	// as pokes. Default 1 s; the REST API uses at most 50 ms (P37).
	InlineBudget time.Duration
	// CommitEvery is how long an invocation decides before it must commit a page. Default 1 s.
	CommitEvery time.Duration
	// ActionTimeout is how long a blocking step action waits for its effect. Default 5 s, as Maestro's.
	ActionTimeout time.Duration
	// ClaimTimeout is after how long an attempt that was claimed and gave no sign may be started again (P20). It must
	// exceed the execute function's time-out. Default 6 min.
	ClaimTimeout time.Duration
	// Publish turns published events on. Off, no event is derived.
	Publish bool
	// PublishTypes are the types of events that are published, of events.PublishedTypes. Empty: all. What is not wanted
	// costs nothing, neither on the bus nor in the table.
	PublishTypes []string
	// MaxGroups is group_info of new instances. Default 3.
	MaxGroups int64
}

func (s Settings) withDefaults() Settings {
	if s.Cluster == "" {
		s.Cluster = "test"
	}
	if s.Environment == "" {
		s.Environment = "test"
	}
	if s.InlineBudget == 0 {
		s.InlineBudget = time.Second
	}
	if s.CommitEvery == 0 {
		s.CommitEvery = time.Second
	}
	if s.ActionTimeout == 0 {
		s.ActionTimeout = 5 * time.Second
	}
	if s.ClaimTimeout == 0 {
		s.ClaimTimeout = 6 * time.Minute
	}
	if s.MaxGroups == 0 {
		s.MaxGroups = 3
	}
	return s
}

// Config is what an App is made of. Table, Queue, Blob, Clock and IDs are required.
type Config struct {
	Table table.Table
	Queue queue.Sender
	Blob  blob.Store
	// Bus receives published status events; nil together with Settings.Publish false.
	Bus   bus.Publisher
	Clock clock.Clock
	IDs   clock.IDs
	// Runtimes run the step types that execute outside the decider, by the text of the type.
	Runtimes step.Registry
	Log      *slog.Logger
	Metrics  Metrics
	Settings Settings
	// OnRun, if set, is told of every run that this App has made begin or end, after the commit. It is for people who
	// watch; what must not be missed is published.
	OnRun func(RunNews)
	// Decoded, if set, gives what was made of the same bytes before, or decodes and keeps it: for a process that runs many
	// Apps over one table, as a simulation does. kind tells apart what may be made of equal bytes. What it gives is shared
	// and never changed. An App's own cache, which goes by key, spares it the read as well. Default: decode every time.
	Decoded func(kind string, data []byte, decode func() (any, error)) (any, error)
	// NoCache keeps nothing that was read or written: everything is read and decoded again, as if every call met a process
	// that has just begun. For tests.
	NoCache bool
	// Codec compresses bodies. Default: one of its own; Apps of one process may share it.
	Codec *store.Codec
	// Defer hands work to somebody who does it soon, outside the caller's request, in place of a poke; nil where an
	// invocation ends with its answer, as on Lambda. What is lost with the process is found by the sweep.
	Defer func(work func(ctx context.Context))
	// Decide decides about runs. Default engine.Decide; tests set one that dies.
	Decide Decider
	// Parallel, if set, calls do for 0 to n-1 at once and returns when all have returned. Nil: one after the other. A
	// batch of calls to the outside takes as long as the longest with it, and as all together without.
	Parallel func(n int, do func(i int))
	// Since, in epoch milliseconds, is when this process began, where it is the only one that works on the table and has
	// queues of its own: messages that were sent and claims that were made before died with those who held them. 0, as on
	// AWS, where queues outlive invocations: they live for ClaimTimeout.
	Since int64
}

// App is the whole application. It is safe for concurrent use. It keeps nothing mutable between calls but caches of
// immutable things and hints that may be lost.
type App struct {
	cfg    Config
	set    Settings
	log    *slog.Logger
	lanes  laneCombiner
	runs   keyedLocks
	cache  *cache
	bodies *store.Bodies
}

// New checks the configuration and makes an App.
func New(cfg Config) (*App, error) {
	for name, missing := range map[string]bool{
		"Table": cfg.Table == nil, "Queue": cfg.Queue == nil, "Blob": cfg.Blob == nil, "Clock": cfg.Clock == nil, "IDs": cfg.IDs == nil,
	} {
		if missing {
			return nil, fmt.Errorf("app: config %s is required", name)
		}
	}
	if cfg.Settings.Publish && cfg.Bus == nil {
		return nil, errors.New("app: config Bus is required when events are published")
	}
	for _, t := range cfg.Settings.PublishTypes {
		if !slices.Contains(events.PublishedTypes(), t) {
			return nil, fmt.Errorf("app: settings PublishTypes: %q is none of %s", t, strings.Join(events.PublishedTypes(), ", "))
		}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Decide == nil {
		cfg.Decide = engine.Decide
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NoMetrics{}
	}
	if cfg.Codec == nil {
		var err error
		if cfg.Codec, err = store.NewCodec(); err != nil {
			return nil, err
		}
	}
	limit := 64 << 20
	if cfg.NoCache {
		limit = 0
	}
	return &App{
		bodies: store.NewBodies(cfg.Blob, cfg.Codec), cfg: cfg, set: cfg.Settings.withDefaults(), log: cfg.Log, cache: newCache(limit),
	}, nil
}

// decoded is what decode makes of data.
func decoded[T any](a *App, kind string, data []byte, decode func() (T, error)) (T, error) {
	if a.cfg.Decoded == nil {
		return decode()
	}
	v, err := a.cfg.Decoded(kind, data, func() (any, error) { return decode() })
	if err != nil {
		var zero T
		return zero, err
	}
	return v.(T), nil
}

func (a *App) now() int64 { return a.cfg.Clock.Now() }

func (a *App) count(name string, n float64) { a.cfg.Metrics.Count(name, n) }

func (a *App) spend(u table.Units) {
	if u.Read > 0 {
		a.count(CountReadUnits, u.Read)
	}
	if u.Write > 0 {
		a.count(CountWriteUnits, u.Write)
	}
}

// The calls of the table, each of which counts what it cost.

func (a *App) get(ctx context.Context, key table.Key) (table.Item, error) {
	it, u, err := a.cfg.Table.Get(ctx, key)
	a.spend(u)
	return living(it), err
}

func (a *App) batchGet(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	its, u, err := a.cfg.Table.BatchGet(ctx, keys)
	a.spend(u)
	for i := range its {
		its[i] = living(its[i])
	}
	return its, err
}

func (a *App) query(ctx context.Context, q table.Query) (table.Page, error) {
	p, u, err := a.cfg.Table.Query(ctx, q)
	a.spend(u)
	p.Items = slices.DeleteFunc(p.Items, store.IsGone)
	return p, err
}

// living is the item, or an absent one for what was deleted for good.
func living(it table.Item) table.Item {
	if store.IsGone(it) {
		return table.Item{Key: it.Key}
	}
	return it
}

func (a *App) write(ctx context.Context, w table.Write) error {
	u, err := a.cfg.Table.Write(ctx, w)
	a.spend(u)
	return err
}

// put writes data as the next revision of the item that was read: created if it was absent, else on its revision.
func (a *App) put(ctx context.Context, prev table.Item, key table.Key, data []byte, due int64) error {
	return a.write(ctx, a.next(prev, key, data, due))
}

// next is the conditional write that moves an item by one revision.
func (a *App) next(prev table.Item, key table.Key, data []byte, due int64) table.Write {
	tokens := append([]table.Token{table.Token(a.cfg.IDs.Token())}, prev.Tokens...)
	if len(tokens) > table.KeptTokens {
		tokens = tokens[:table.KeptTokens]
	}
	cond := table.Absent()
	if prev.Exists() {
		cond = table.RevIs(prev.Rev)
	}
	rev := prev.Rev + 1
	if !prev.Exists() && store.ComesAgain(key) {
		rev += int64(tokens[0] >> 4)
	}
	return table.Write{Item: table.Item{Key: key, Rev: rev, Tokens: tokens, Due: due, Data: data}, Cond: cond}
}

// maxTries is how often a move is tried in place before it is left to a poke (P9: the first, and two retries), and
// how often where the caller waits for the answer and there is nobody to leave it to.
const (
	maxTries        = 3
	maxTriesWaiting = 12
)

// lost tells whether a write may be decided again from a fresh read: the race was lost, or its outcome is unknown, in
// which case the read shows it.
func lost(err error) bool {
	switch table.CodeOf(err) {
	case table.CodeConflict, table.CodeContended, table.CodeUnknown, table.CodeThrottled:
		return true
	}
	return false
}

// jitter is after how many milliseconds somebody else goes on with what could not be done here (P9).
func (a *App) jitter() int64 { return 50 + int64(a.cfg.IDs.Float()*450) }

// backOff waits before try n+1 (n from 0), 50 ms doubling to at most 500 ms, with full jitter so that those who lost
// one race do not meet in the next. The first retry does not wait.
func (a *App) backOff(ctx context.Context, n int) error {
	if n == 0 {
		return ctx.Err()
	}
	ceiling := min(50*time.Millisecond<<min(n-1, 4), 500*time.Millisecond)
	return a.cfg.Clock.Sleep(ctx, time.Duration(a.cfg.IDs.Float()*float64(ceiling)))
}
