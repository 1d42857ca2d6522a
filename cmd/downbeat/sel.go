package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/sel/jsonl"
)

const selUsage = `Usage: downbeat sel EXPRESSION [flags]
       downbeat sel --json < requests > answers

Evaluates an expression of the language SEL and prints the type and the value of its result.

  -p name=value        a parameter: an integer is a LONG, a number a DOUBLE, true and false a BOOLEAN,
                       JSON text in brackets an array or a map, anything else a STRING
  -p name:TYPE=value   a parameter of that type
  --params FILE        parameters from JSON: {"name": value} or {"name": {"type": …, "value": …}}
  --timezone ID        default time zone (UTC)
  --now MILLIS         the current time, in epoch milliseconds
  --timeout DURATION   time to give up after (120s)
  --json               answer JSON lines from standard input: {"expr", "entry", "params", "limits", …}
`

// paramFlags collects -p.
type paramFlags []string

func (p *paramFlags) String() string     { return strings.Join(*p, " ") }
func (p *paramFlags) Set(s string) error { *p = append(*p, s); return nil }

// runSEL is `downbeat sel`: status 0, 1 for an expression that fails, 2 for a wrong call.
func runSEL(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("sel", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	var params paramFlags
	fs.Var(&params, "p", "")
	file := fs.String("params", "", "")
	zone := fs.String("timezone", "", "")
	now := fs.Int64("now", time.Now().UnixMilli(), "")
	timeout := fs.Duration("timeout", sel.DefaultLimits().Timeout, "")
	lines := fs.Bool("json", false, "")
	wrong := func(format string, a ...any) int {
		fmt.Fprintf(stderr, "downbeat sel: "+format+"\nRun \"downbeat sel --help\" for the flags.\n", a...)
		return 2
	}
	var exprs []string
	for rest := args; len(rest) > 0; {
		if err := fs.Parse(rest); errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stdout, selUsage)
			return 0
		} else if err != nil {
			return wrong("%v", err)
		}
		// The expression may stand before, between or behind the flags.
		if rest = fs.Args(); len(rest) > 0 {
			exprs = append(exprs, rest[0])
			rest = rest[1:]
		}
	}
	d := jsonl.Defaults{Now: func() int64 { return time.Now().UnixMilli() }, Random: randomBits, Zone: *zone}
	if *lines {
		if len(exprs) > 0 {
			return wrong("--json takes its expressions from standard input")
		}
		if err := jsonl.Serve(context.Background(), stdin, stdout, d); err != nil {
			fmt.Fprintf(stderr, "downbeat sel: %v\n", err)
			return 1
		}
		return 0
	}
	if len(exprs) != 1 {
		return wrong("one expression is needed, %d given", len(exprs))
	}
	env := sel.Env{NowMillis: *now, Zone: *zone, Random: randomBits, Inputs: map[string]sel.Value{}}
	if *file != "" {
		text, err := os.ReadFile(*file)
		if err != nil {
			return wrong("%v", err)
		}
		if env.Inputs, err = jsonl.ParseParams(string(text)); err != nil {
			return wrong("%s: %v", *file, err)
		}
	}
	for _, p := range params {
		name, v, err := jsonl.ParseParam(p)
		if err != nil {
			return wrong("-p %s: %v", p, err)
		}
		env.Inputs[name] = v
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	p, err := sel.Compile(sel.Complete(exprs[0]))
	var v sel.Value
	if err == nil {
		v, err = sel.Eval(ctx, p, env)
	}
	if err != nil {
		fmt.Fprintf(stderr, "%v\n", err)
		return 1
	}
	if text := v.Text(); text != "" {
		fmt.Fprintf(stdout, "%s %s\n", v.Type(), text)
	} else {
		fmt.Fprintln(stdout, v.Type())
	}
	return 0
}

func randomBits() uint64 {
	var b [8]byte
	// crypto/rand does not fail on the systems that Go supports.
	_, _ = rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}
