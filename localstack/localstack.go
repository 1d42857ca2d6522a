// Package localstack is AWS on one machine in one process: it wires the handlers that run as Lambda functions over
// embedded adapters, feeds them from local queues, sweeps once a minute, and serves the REST API. With a data folder
// everything that was acknowledged survives kill -9; without one nothing outlives the process.
package localstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/downbeat/downbeat/core/api"
	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/blob"
	"github.com/downbeat/downbeat/core/bus"
	"github.com/downbeat/downbeat/core/clock"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/localstack/bolttable"
	"github.com/downbeat/downbeat/localstack/fileblob"
	"github.com/downbeat/downbeat/localstack/localbus"
	"github.com/downbeat/downbeat/localstack/localqueue"
	"github.com/downbeat/downbeat/localstack/memtable"
	"github.com/downbeat/downbeat/localstack/sysclock"
)

// Server is a running local server.
type Server struct {
	App     *app.App
	Queue   *localqueue.Queue
	cfg     Config
	http    *http.Server
	url     string
	stop    context.CancelFunc // nothing new is begun
	cancel  context.CancelFunc // what goes on is given up
	workers *workers
	wg      sync.WaitGroup
	closers []io.Closer
	resumed int
	failed  chan error
}

// Start opens the store, resumes what was running, and serves. Errors tell what is in the way: a port or a data folder
// in use, a folder that cannot be written.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, failed: make(chan error, 1)}
	// The port comes first: a second server on the same port must not disturb the first one's data.
	listener, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, &ConfigError{Field: "Addr", Value: cfg.Addr, Err: errors.New("in use: is another server running?"), InUse: true}
		}
		return nil, &ConfigError{Field: "Addr", Value: cfg.Addr, Err: err}
	}
	s.url = "http://" + listener.Addr().String()
	if err := s.open(ctx); err != nil {
		_ = listener.Close()
		s.closeAll(ctx)
		return nil, err
	}
	handler, err := api.New(api.Config{App: s.App, Log: cfg.Log})
	if err != nil {
		_ = listener.Close()
		s.closeAll(ctx)
		return nil, err
	}
	s.http = &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		if err := s.http.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.failed <- err
		}
	}()
	return s, nil
}

func (s *Server) open(parent context.Context) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	taking, stop := context.WithCancel(ctx)
	s.cancel, s.stop = cancel, stop
	cfg := s.cfg
	sys := sysclock.New()
	var clk clock.Clock = sys
	if cfg.Clock != nil {
		clk = cfg.Clock
	}
	tbl := cfg.Table
	var blobs blob.Store
	var durable *bolttable.Table
	switch {
	case cfg.Memory || cfg.Table != nil:
		if tbl == nil {
			tbl = memtable.New()
		}
		blobs = fileblob.Memory()
	default:
		if err := os.MkdirAll(cfg.Data, 0o755); err != nil {
			return &ConfigError{Field: "Data", Value: cfg.Data, Err: err}
		}
		t, err := bolttable.Open(filepath.Join(cfg.Data, "table.db"))
		if errors.Is(err, bolttable.ErrInUse) {
			return &ConfigError{Field: "Data", Value: cfg.Data, Err: errors.New("in use by another process: a folder has one server at a time"), InUse: true}
		}
		if err != nil {
			return &ConfigError{Field: "Data", Value: cfg.Data, Err: err}
		}
		s.closers = append(s.closers, t)
		tbl, durable = t, t
		if blobs, err = fileblob.Open(filepath.Join(cfg.Data, "blobs")); err != nil {
			return &ConfigError{Field: "Data", Value: cfg.Data, Err: err}
		}
	}
	q, err := localqueue.New(localqueue.Config{Clock: clk, Durable: durable})
	if err != nil {
		return err
	}
	s.Queue = q
	s.closers = append(s.closers, q)
	publish := cfg.EventsLog != "" || cfg.Subscribe != nil
	var publisher bus.Publisher
	if publish {
		b, err := localbus.New(localbus.Config{File: cfg.EventsLog, Subscribe: cfg.Subscribe})
		if err != nil {
			return &ConfigError{Field: "EventsLog", Value: cfg.EventsLog, Err: err}
		}
		s.closers = append(s.closers, b)
		publisher = b
	}
	httpSteps, err := step.NewHTTP(step.HTTPConfig{AllowedHosts: cfg.HTTPAllow})
	if err != nil {
		return err
	}
	s.workers = startWorkers(ctx, 4)
	s.App, err = app.New(app.Config{
		Table: tbl, Queue: q, Blob: blobs, Bus: publisher, Clock: clk, IDs: sys,
		Runtimes: step.Registry{"Http": httpSteps, step.SimulatedType: &step.Simulated{Hint: true}},
		Log:      cfg.Log, Metrics: cfg.Metrics,
		Settings: app.Settings{Publish: publish, PublishTypes: cfg.EventTypes},
		Defer:    s.workers.add, OnRun: cfg.OnRun,
		Since: clk.Now(), NoCache: cfg.NoCache,
	})
	if err != nil {
		return err
	}
	for _, name := range queue.Names() {
		for range receivers[name] {
			s.wg.Add(1)
			go func() {
				defer s.wg.Done()
				s.receive(taking, ctx, name)
			}()
		}
	}
	// The queues were lost with the last process, their facts were not: everything that is not at rest is looked at.
	if s.resumed, err = s.App.Recover(ctx); err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		s.sweep(taking, ctx, clk)
	}()
	return nil
}

// sweep runs once a minute, as the schedule does. When it comes late, since the machine slept, everything that is not at
// rest is looked at, as after a start: sweeps look for what the one before them found a minute ago, and would make up for
// those that did not run within an hour only.
func (s *Server) sweep(taking, ctx context.Context, clk clock.Clock) {
	for taking.Err() == nil {
		now := time.UnixMilli(clk.Now())
		next := now.Truncate(time.Minute).Add(time.Minute)
		if err := clk.Sleep(taking, next.Sub(now)); err != nil {
			return
		}
		var err error
		if time.UnixMilli(clk.Now()).Sub(next) < lateSweep {
			err = s.App.Sweep(ctx, next.UnixMilli())
		} else {
			_, err = s.App.Recover(ctx)
		}
		if err != nil {
			s.cfg.Log.Error("sweep", "error", err)
		}
	}
}

// lateSweep is how late a sweep is when others were left out.
const lateSweep = 2 * time.Minute

// URL is the base address, such as http://127.0.0.1:8080.
func (s *Server) URL() string { return s.url }

// Resumed is how many runs that had not ended were found in the data folder, and go on.
func (s *Server) Resumed() int { return s.resumed }

// Failed tells when the server stops serving on its own.
func (s *Server) Failed() <-chan error { return s.failed }

// grace is how long Close lets what is being done come to its end.
const grace = 5 * time.Second

// Close stops taking requests and messages, lets those being handled end, and closes the store. What takes too long is
// given up, as in a crash: the next start finds it.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	return errors.Join(err, s.closeAll(ctx))
}

// closeAll gives up what has not ended when ctx ends.
func (s *Server) closeAll(ctx context.Context) error {
	if s.stop != nil {
		s.stop()
		context.AfterFunc(ctx, s.cancel)
	}
	if s.workers != nil {
		s.workers.close()
	}
	s.wg.Wait()
	if s.cancel != nil {
		s.cancel()
	}
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i].Close())
	}
	return errors.Join(errs...)
}
