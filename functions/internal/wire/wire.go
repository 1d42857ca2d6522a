// Package wire makes of a function's environment what the function is: the adapters over AWS, the application over
// them, and the edge that Lambda calls. The main.go of each function names its handler and nothing else.
package wire

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/downbeat/downbeat/core/api"
	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/bus"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/functions/adapter/awsconf"
	"github.com/downbeat/downbeat/functions/adapter/dynamotable"
	"github.com/downbeat/downbeat/functions/adapter/eventbridgebus"
	"github.com/downbeat/downbeat/functions/adapter/s3blob"
	"github.com/downbeat/downbeat/functions/adapter/snsbus"
	"github.com/downbeat/downbeat/functions/adapter/sqsqueue"
	"github.com/downbeat/downbeat/functions/emf"
	"github.com/downbeat/downbeat/functions/env"
	"github.com/downbeat/downbeat/functions/internal/edge"
	"github.com/downbeat/downbeat/localstack/sysclock"
)

// version is what a build calls itself (VERSION=… infra/scripts/build.sh); otherwise the build's own record is told. Each
// environment logs it as it begins.
var version = ""

func versionText() string {
	if info, ok := debug.ReadBuildInfo(); ok && version == "" {
		return info.Main.Version
	}
	return version
}

// Function is a function, wired. All invocations of an environment share it; it keeps nothing mutable but caches.
type Function struct {
	Settings env.Settings
	App      *app.App
	edge     edge.Edge
	queues   *sqsqueue.Queue
}

// Main is the whole of a function: it wires it, has handler made of it, and lets Lambda call that until the environment
// ends. An environment that cannot be wired says why and exits: Lambda reports it and tries another one.
func Main(name string, handler func(*Function) (any, error)) {
	f, err := New(context.Background(), name, os.Getenv, os.Stdout)
	var h any
	if err == nil {
		h, err = handler(f)
	}
	if err != nil {
		slog.New(edge.NewLogs(os.Stdout, "ERROR", name)).Error("the function cannot start", "error", err)
		os.Exit(1)
	}
	lambda.Start(h)
}

// New wires the function with a name. get is os.Getenv, out the standard output, outside tests. It calls nobody.
//
// Nothing is deferred here (app.Config.Defer): an environment is frozen between invocations, and what is not done when
// an invocation answers would stand still with it. What exceeds an invocation's budget goes into a queue.
func New(ctx context.Context, name string, get func(string) string, out io.Writer) (*Function, error) {
	s, err := env.Read(get)
	if err != nil {
		return nil, err
	}
	logs := edge.NewLogs(out, s.LogLevel, name)
	log := slog.New(logs)
	log.InfoContext(ctx, "environment begins", "version", versionText())
	metricsOut := out
	if !s.Metrics {
		metricsOut = nil
	}
	metrics := emf.New(metricsOut, s.Stack, name, time.Now)

	cfg, err := awsconf.Load(ctx)
	if err != nil {
		return nil, err
	}
	sys := sysclock.New()
	table, err := dynamotable.New(dynamotable.Config{
		Client: dynamotable.NewClient(cfg), Table: s.Table, Sleep: sys.Sleep, Rand: sys.Float,
	})
	if err != nil {
		return nil, err
	}
	blobs, err := s3blob.New(s3blob.Config{Client: s3blob.NewClient(cfg), Bucket: s.Bucket, Sleep: sys.Sleep, Rand: sys.Float})
	if err != nil {
		return nil, err
	}
	queues, err := sqsqueue.New(sqsqueue.Config{Client: sqsqueue.NewClient(cfg), URLs: s.Queues, Sleep: sys.Sleep, Rand: sys.Float})
	if err != nil {
		return nil, err
	}
	var buses []bus.Publisher
	if s.Bus != "" {
		b, err := eventbridgebus.New(eventbridgebus.Config{Client: eventbridgebus.NewClient(cfg), Bus: s.Bus, Sleep: sys.Sleep, Rand: sys.Float})
		if err != nil {
			return nil, err
		}
		buses = append(buses, b)
	}
	if s.Topic != "" {
		b, err := snsbus.New(snsbus.Config{Client: snsbus.NewClient(cfg), Topic: s.Topic, Bundle: s.TopicBundle, Sleep: sys.Sleep, Rand: sys.Float})
		if err != nil {
			return nil, err
		}
		buses = append(buses, b)
	}
	http, err := step.NewHTTP(step.HTTPConfig{AllowedHosts: s.HTTPAllow, Timeout: exchangeTimeout(s.ClaimTimeout)})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", env.HTTPAllow, err)
	}
	application, err := app.New(app.Config{
		Table: table, Queue: queues, Blob: blobs, Bus: bus.All(buses...), Clock: sys, IDs: sys,
		Runtimes: step.Registry{step.HTTPType: http, step.SimulatedType: &step.Simulated{Hint: true}},
		Log:      log, Metrics: metrics, Parallel: parallel,
		Settings: app.Settings{
			Cluster: s.Cluster, Environment: s.Environment, ClaimTimeout: s.ClaimTimeout, Publish: len(buses) > 0, PublishTypes: s.EventTypes,
		},
	})
	if err != nil {
		return nil, err
	}
	return &Function{
		Settings: s, App: application, queues: queues, edge: edge.Edge{Log: log, Logs: logs, Metrics: metrics},
	}, nil
}

// exchangeTimeout bounds the request of an HTTP step: the 30 s of Maestro, or less where a function does not live that
// long. A claim outlives its function's time-out twice; of that a third is left for everything else that `execute` does.
func exchangeTimeout(claim time.Duration) time.Duration { return min(30*time.Second, claim/3) }

// Queue is the handler of the function that a queue feeds.
func (f *Function) Queue(name queue.Name) any {
	q := &edge.Queue{Edge: f.edge, Name: name, Batch: f.App.HandleBatch, Messages: f.queues}
	return q.Handle
}

// API is the handler of the HTTP API.
func (f *Function) API() (any, error) {
	handler, err := api.New(api.Config{App: f.App, Log: f.edge.Log})
	if err != nil {
		return nil, err
	}
	return edge.NewHTTP(f.edge, f.Settings.User, handler).Handle, nil
}

// Sweep is the handler of each minute.
func (f *Function) Sweep() any {
	s := &edge.Sweep{Edge: f.edge, Run: f.App.Sweep}
	return s.Handle
}

// parallel calls do for 0 to n-1 at once. A panic in one must not take the others' messages with it: it is raised again
// when all have returned, for the handler to see.
func parallel(n int, do func(i int)) {
	var wait sync.WaitGroup
	died := make(chan any, n)
	for i := range n {
		wait.Add(1)
		go func() {
			defer wait.Done()
			defer func() {
				if p := recover(); p != nil {
					died <- p
				}
			}()
			do(i)
		}()
	}
	wait.Wait()
	select {
	case p := <-died:
		panic(p)
	default:
	}
}
