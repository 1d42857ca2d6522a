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
	"strings"
	"syscall"

	"github.com/downbeat/downbeat/localstack"
)

const localUsage = `Usage: downbeat local [flags]

Serves Maestro's REST API and runs workflows in this process, over an embedded store. What was acknowledged
survives a crash; a restart goes on where the last process stopped.

Flags:
`

func runLocal(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("local", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cfg := localstack.Config{Version: versionText()}
	flags.StringVar(&cfg.Addr, "addr", "127.0.0.1:8080", "`address` to listen on; port 0 takes a free one")
	flags.StringVar(&cfg.Data, "data", ".downbeat", "`folder` of the store, created if absent")
	flags.BoolVar(&cfg.Memory, "memory", false, "keep everything in memory, lose it at the end")
	allow := flags.String("http-allow", "", "`hosts` that steps of type Http may call, separated by commas; none by default")
	flags.StringVar(&cfg.EventsLog, "events-log", "", "append every published status event to this `file`, one JSON line each")
	verbose := flags.Bool("verbose", false, "log what the server decides")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), localUsage)
		flags.PrintDefaults()
	}
	for _, a := range args {
		if a == "--help" || a == "-help" || a == "-h" {
			flags.SetOutput(stdout)
		}
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "downbeat local: unexpected argument %q\n", flags.Arg(0))
		return 2
	}
	for _, h := range strings.Split(*allow, ",") {
		if h = strings.TrimSpace(h); h != "" {
			cfg.HTTPAllow = append(cfg.HTTPAllow, h)
		}
	}
	level := slog.LevelWarn
	if *verbose {
		level = slog.LevelDebug
	}
	cfg.Log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg.OnRun = newProgress(stdout).run
	server, err := localstack.Start(ctx, cfg)
	if err != nil {
		fmt.Fprintf(stderr, "downbeat local: %v\n", err)
		return 1
	}
	where := "in memory, lost at the end"
	if !cfg.Memory {
		where = "in " + cfg.Data
	}
	fmt.Fprintf(stdout, "downbeat %s serves %s/api/v3, data %s\n", versionText(), server.URL(), where)
	fmt.Fprintln(stdout, "stop it with Ctrl-C")
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-server.Failed():
	}
	if err := errors.Join(failed, server.Close()); err != nil {
		fmt.Fprintf(stderr, "downbeat local: %v\n", err)
		return 1
	}
	fmt.Fprintln(stdout, "stopped; nothing is lost")
	return 0
}
