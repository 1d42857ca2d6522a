// Play plays recorded scenarios against a server and prints what it answers differently.
//
//	play --base http://127.0.0.1:8080                       every scenario of this repository
//	play --base ... --only foreach                          those whose name contains a word
//	play --base ... --show scenarios/engine/dag-wide.json   with every request and its answer
//	play --summary                                          how many pass, by area
//
// Files and folders given are read from disk; without any, the scenarios built into the program are played. Without
// --base, DOWNBEAT_BASE names the server; without that, one is started in this process. Exit status: 0 all passed, or
// only those did not that stand in pending.txt; 1 others did not, or some in pending.txt did; 2 could not play.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/downbeat/downbeat/test/conformance"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	code, err := run(ctx, os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "play:", err)
		code = 2
	}
	os.Exit(code)
}

func run(ctx context.Context, args []string, out io.Writer) (int, error) {
	flags := flag.NewFlagSet("play", flag.ContinueOnError)
	base := flags.String("base", os.Getenv("DOWNBEAT_BASE"), "address of the server")
	only := flags.String("only", "", "only scenarios whose name contains this")
	skip := flags.Bool("skip-pending", false, "leave out what stands in pending.txt")
	jobs := flags.Int("jobs", 16, "scenarios at a time")
	patience := flags.Float64("patience", 1, "factor on every waiting time")
	maxWait := flags.Duration("max-wait", 0, "bound of each wait (default: what the scenario says)")
	summary := flags.Bool("summary", false, "print only how many pass, by area")
	show := flags.Bool("show", false, "print each request with its normalised answer")
	stubAddr := flags.String("stub", "127.0.0.1:0", "address of the HTTP server that HTTP steps call")
	eventsFile := flags.String("events", "", "file to which the server appends the events it publishes, one JSON document a line")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0, nil
	} else if err != nil {
		return 2, err
	}
	scenarios, pending, err := load(flags.Args(), *only)
	if err != nil {
		return 2, err
	}
	if *skip {
		scenarios = slices.DeleteFunc(scenarios, func(s *conformance.Scenario) bool { return pending[s.Name] != "" })
	}
	var published func(context.Context) ([][]byte, error)
	if *eventsFile != "" {
		published = func(context.Context) ([][]byte, error) { return lines(*eventsFile) }
	}
	if *base == "" {
		local, err := conformance.StartLocal(ctx)
		if err != nil {
			return 2, err
		}
		defer local.Close()
		*base, published = local.URL(), local.Published
	}
	stub, err := conformance.StartStub(*stubAddr)
	if err != nil {
		return 2, err
	}
	defer stub.Close()

	shown := map[*conformance.Scenario]*bytes.Buffer{}
	client := conformance.NewClient(60*time.Second, *jobs)
	for _, s := range scenarios {
		shown[s] = new(bytes.Buffer)
	}
	options := func(s *conformance.Scenario) conformance.Options {
		o := conformance.Options{Base: *base, Stub: stub.URL(), Patience: *patience, MaxWait: *maxWait, Client: client, Published: published}
		if *show {
			o.Show = shown[s]
		}
		return o
	}
	passed, total := map[string]int{}, map[string]int{}
	surprises := 0
	conformance.PlayAll(ctx, scenarios, *jobs, options, func(s *conformance.Scenario, r conformance.Report) {
		total[s.Area()]++
		ok := len(r.Differences) == 0
		if ok {
			passed[s.Area()]++
		}
		if ok == (pending[s.Name] != "") {
			surprises++
		}
		if *summary {
			return
		}
		word := "FAIL"
		switch {
		case ok && pending[s.Name] != "":
			word = "PASS" // although it stands in pending.txt
		case ok:
			word = "ok  "
		case pending[s.Name] != "":
			word = "pend"
		}
		fmt.Fprintf(out, "%s  %s  (%.1f s)\n", word, s.Name, r.Took.Seconds())
		for _, line := range strings.Split(strings.TrimRight(shown[s].String()+strings.Join(r.Differences, "\n"), "\n"), "\n") {
			if line != "" {
				fmt.Fprintln(out, "      "+line)
			}
		}
	})
	areas := make([]string, 0, len(total))
	all := 0
	for area := range total {
		areas = append(areas, area)
		all += passed[area]
	}
	sort.Strings(areas)
	for _, area := range areas {
		fmt.Fprintf(out, "%-12s %3d of %3d\n", area, passed[area], total[area])
	}
	fmt.Fprintf(out, "%-12s %3d of %3d passed\n", "all", all, len(scenarios))
	if published == nil && slices.ContainsFunc(scenarios, func(s *conformance.Scenario) bool { return s.Events != nil }) {
		fmt.Fprintln(out, "published events were not looked at: --events tells where the server writes them")
	}
	if surprises > 0 {
		return 1, nil
	}
	return 0, nil
}

// load reads the scenarios at the paths, or those built in, and the reasons of pending ones.
func load(paths []string, only string) ([]*conformance.Scenario, map[string]string, error) {
	fsys, roots := conformance.Files(), [][]string{{".", "scenarios"}, {".", "events"}}
	if len(paths) > 0 {
		fsys, roots = nil, nil
		for _, p := range paths {
			dir, name := filepath.Split(filepath.Clean(p))
			roots = append(roots, []string{dir, name})
		}
	}
	var out []*conformance.Scenario
	for _, root := range roots {
		from := fsys
		if from == nil {
			from = fs.FS(os.DirFS(orDot(root[0])))
		}
		list, err := conformance.List(from, root[1])
		if err != nil {
			return nil, nil, err
		}
		for _, file := range list {
			s, err := conformance.Load(from, file)
			if err != nil {
				return nil, nil, err
			}
			if fsys == nil && !strings.Contains(s.Name, "/") { // a single file: its folder is its area
				s.Name = filepath.Base(filepath.Clean(orDot(root[0]))) + "/" + s.Name
			}
			if strings.Contains(s.Name, only) {
				out = append(out, s)
			}
		}
	}
	if len(out) == 0 {
		return nil, nil, fmt.Errorf("no scenario found")
	}
	var known []string
	builtIn, err := conformance.List(conformance.Files(), "scenarios", "events")
	if err != nil {
		return nil, nil, err
	}
	for _, file := range builtIn {
		known = append(known, strings.TrimPrefix(strings.TrimSuffix(file, ".json"), "scenarios/"))
	}
	pending, err := conformance.Pending(conformance.Files(), known)
	return out, pending, err
}

func orDot(dir string) string {
	if dir == "" {
		return "."
	}
	return dir
}

// lines reads a file of JSON documents, one a line. A line that is not complete yet is left for the next look.
func lines(file string) ([][]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var out [][]byte
	r := bufio.NewReader(bytes.NewReader(data))
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return out, nil
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			out = append(out, line)
		}
	}
}
