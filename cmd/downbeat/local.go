package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"

	"github.com/downbeat/downbeat/localstack"
)

const localUsage = `Usage: downbeat local [flags]

Serves Maestro's REST API and runs workflows in this process, over an embedded store. What was answered survives a
crash; the next start goes on where the last process stopped.

  --addr HOST:PORT     where to listen (127.0.0.1:8080); port 0 takes a free one
  --data FOLDER        everything that must last (.downbeat), created if it is missing
  --memory             keep everything in memory instead, and lose it at the end
  --http-allow HOSTS   hosts that steps of type Http may call, separated by commas; without it they may call none
  --events-log FILE    append every published status event to the file, one JSON line each
  --event-types TYPES  the types of those events, separated by commas; without it all
  --verbose            log what the server decides
`

// flagOf names the flag that sets a field of the configuration.
var flagOf = map[string]string{"Addr": "--addr", "Data": "--data", "HTTPAllow": "--http-allow", "EventsLog": "--events-log", "EventTypes": "--event-types"}

var oneDash = regexp.MustCompile(`(\s)-([a-z])`)

// localFlags reads the command line. The error is one sentence that names the flag; flag.ErrHelp asks for the usage.
func localFlags(args []string) (cfg localstack.Config, verbose bool, err error) {
	flags := flag.NewFlagSet("local", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	flags.StringVar(&cfg.Addr, "addr", "127.0.0.1:8080", "")
	flags.StringVar(&cfg.Data, "data", ".downbeat", "")
	flags.BoolVar(&cfg.Memory, "memory", false, "")
	allow := flags.String("http-allow", "", "")
	flags.StringVar(&cfg.EventsLog, "events-log", "", "")
	types := flags.String("event-types", "", "")
	flags.BoolVar(&verbose, "verbose", false, "")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return cfg, false, err
	} else if err != nil {
		// Package flag spells flags with one dash, these pages with two.
		return cfg, false, errors.New(oneDash.ReplaceAllString(err.Error(), "$1--$2"))
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	switch {
	case flags.NArg() > 0:
		return cfg, false, fmt.Errorf("unexpected argument %q: local takes flags only", flags.Arg(0))
	case cfg.Memory && given["data"]:
		return cfg, false, errors.New("--memory and --data exclude each other: what is kept in memory has no folder")
	case given["event-types"] && !given["events-log"]:
		return cfg, false, errors.New("--event-types says what goes to --events-log, which is not given")
	}
	for name := range given {
		if f := flags.Lookup(name); f.Value.String() == "" {
			return cfg, false, fmt.Errorf("--%s must not be empty", name)
		}
	}
	if given["http-allow"] {
		cfg.HTTPAllow = strings.Split(*allow, ",")
	}
	if given["event-types"] {
		cfg.EventTypes = strings.Split(*types, ",")
	}
	return cfg, verbose, cfg.Check()
}

func runLocal(args []string, stdout, stderr io.Writer) int {
	cfg, verbose, err := localFlags(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, localUsage)
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "downbeat local: %s\nRun \"downbeat local --help\" for the flags.\n", explain(err))
		return 2
	}
	level := slog.LevelWarn
	if verbose {
		level = slog.LevelDebug
	}
	cfg.Log = newLog(stderr, level)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	progress := newProgress(stdout, colours(stdout))
	cfg.OnRun = progress.run
	server, err := localstack.Start(ctx, cfg)
	if err != nil {
		fmt.Fprintf(stderr, "downbeat local: %s\n", explain(err))
		return 1
	}
	greet(stdout, server, cfg)
	var failed error
	select {
	case <-ctx.Done():
		stop() // a second Ctrl-C ends the process at once
	case failed = <-server.Failed():
	}
	err = errors.Join(failed, server.Close())
	progress.flush()
	if err != nil {
		fmt.Fprintf(stderr, "downbeat local: %v\n", err)
		return 1
	}
	if cfg.Memory {
		fmt.Fprintln(stdout, "stopped; what was in memory is gone")
	} else {
		fmt.Fprintln(stdout, "stopped; nothing is lost")
	}
	return 0
}

// greet says where to call, what lasts and how to stop.
func greet(out io.Writer, server *localstack.Server, cfg localstack.Config) {
	where := "memory, lost at the end"
	if !cfg.Memory {
		where = cfg.Data
	}
	fmt.Fprintf(out, "downbeat %s serves %s/api/v3\n", versionText(), server.URL())
	fmt.Fprintf(out, "  data   %s\n", where)
	if len(cfg.HTTPAllow) > 0 {
		fmt.Fprintf(out, "  http   steps may call %s\n", strings.Join(cfg.HTTPAllow, ", "))
	}
	if cfg.EventsLog != "" {
		fmt.Fprintf(out, "  events %s\n", cfg.EventsLog)
	}
	switch n := server.Resumed(); n {
	case 0:
	case 1:
		fmt.Fprintln(out, "  1 run goes on that the last process left")
	default:
		fmt.Fprintf(out, "  %d runs go on that the last process left\n", n)
	}
	fmt.Fprintln(out, "  stop with Ctrl-C")
}

// explain says what is wrong with the command line in its own words.
func explain(err error) string {
	var c *localstack.ConfigError
	if !errors.As(err, &c) {
		return err.Error()
	}
	text := fmt.Sprintf("%s %q: %v", flagOf[c.Field], c.Value, c.Err)
	if c.InUse {
		text += fmt.Sprintf(" (choose another with %s)", flagOf[c.Field])
	}
	return text
}
