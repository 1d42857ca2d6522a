package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/localstack/bolttable"
	"github.com/downbeat/downbeat/localstack/fileblob"
	"github.com/downbeat/downbeat/localstack/sysclock"
)

const parkedUsage = `Usage: downbeat parked [flags]

Lists the heads in a data folder that cannot be decoded, and that nothing moves any more: those of runs, lanes, permits,
signals, time triggers and deletions.
The server that uses the folder must be stopped.

  --data FOLDER   the data folder (.downbeat)
  --release KEY   put this head back, to be looked at when the server starts; KEY as the list shows it
`

// noQueue takes the messages of a command that makes none.
type noQueue struct{}

func (noQueue) Send(context.Context, queue.Name, []queue.Message) error {
	return errors.New("this command sends no messages")
}

// runParked is `downbeat parked`: status 0, 1 for a failure, 2 for a wrong call.
func runParked(args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("parked", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	data := fs.String("data", ".downbeat", "")
	release := fs.String("release", "", "")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, parkedUsage)
		return 0
	} else if err != nil || fs.NArg() > 0 {
		if err == nil {
			err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
		}
		fmt.Fprintf(stderr, "downbeat parked: %v\nRun \"downbeat parked --help\" for the flags.\n", err)
		return 2
	}
	if err := parked(context.Background(), *data, *release, stdout); err != nil {
		fmt.Fprintf(stderr, "downbeat parked: %v\n", err)
		return 1
	}
	return 0
}

func parked(ctx context.Context, data, release string, stdout io.Writer) (err error) {
	file := filepath.Join(data, "table.db")
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("--data %q: %w", data, err)
	}
	t, err := bolttable.Open(file)
	if err != nil {
		return fmt.Errorf("--data %q: %w", data, err)
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	sys := sysclock.New()
	a, err := app.New(app.Config{Table: t, Queue: noQueue{}, Blob: fileblob.Memory(), Clock: sys, IDs: sys})
	if err != nil {
		return err
	}
	if release != "" {
		pk, sk, ok := cutLast(release, "/")
		if !ok {
			return fmt.Errorf("--release %q: a key has a /", release)
		}
		found, err := a.Unpark(ctx, table.Key{PK: pk, SK: sk})
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("--release %q: no parked head has this key", release)
		}
		fmt.Fprintf(stdout, "%s is looked at when the server starts\n", release)
		return nil
	}
	var after table.Key
	for n := 0; ; {
		list, err := a.Parked(ctx, after, 100)
		if err != nil {
			return err
		}
		for _, p := range list {
			fmt.Fprintf(stdout, "%s\t%s\t%s\n", p.Key, time.UnixMilli(p.At).UTC().Format(time.RFC3339), p.Reason)
			after = p.Key
		}
		if n += len(list); len(list) < 100 {
			if n == 0 {
				fmt.Fprintln(stdout, "no head is parked")
			}
			return nil
		}
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+len(sep):], true
}
