package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"downbeat": main})
}

// TestScripts plays testdata/script: the command line as a person meets it. REWRITE=1 writes what the scripts compare
// with anew. Besides testscript's own commands there are
//
//	up                   waits until the server at $ADDR is up
//	call METHOD PATH [FILE]  makes a call as ann, with the file as the body; the answer goes to the file `answer`
//	term                 sends SIGTERM to what runs in the background; testscript's kill knows INT and KILL only
//	appear FILE TEXT     reads a file again and again until the text stands in it
//	see PATH TEXT        calls GET again and again until the text stands in the answer
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       os.Getenv("REWRITE") != "",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			env.Setenv("ADDR", l.Addr().String())
			return l.Close()
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"up": func(ts *testscript.TestScript, neg bool, args []string) {
				await(ts, "UP", get("/actuator/health"))
			},
			"term": func(ts *testscript.TestScript, neg bool, args []string) {
				for _, c := range ts.BackgroundCmds() {
					ts.Check(c.Process.Signal(syscall.SIGTERM))
				}
			},
			"see": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 2 {
					ts.Fatalf("usage: see PATH TEXT")
				}
				await(ts, args[1], get(args[0]))
			},
			"appear": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 2 {
					ts.Fatalf("usage: appear FILE TEXT")
				}
				await(ts, args[1], func(_ context.Context, ts *testscript.TestScript) (string, error) {
					text, err := os.ReadFile(ts.MkAbs(args[0]))
					return string(text), err
				})
			},
			"call": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) < 2 || len(args) > 3 {
					ts.Fatalf("usage: call METHOD PATH [FILE]")
				}
				body := ""
				if len(args) == 3 {
					body = ts.ReadFile(args[2])
				}
				answer, err := request(context.Background(), args[0], "http://"+ts.Getenv("ADDR")+args[1], body)
				ts.Check(err)
				ts.Check(os.WriteFile(ts.MkAbs("answer"), []byte(answer), 0o644))
			},
		},
	})
}

func request(ctx context.Context, method, url, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("user", "ann")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, url, resp.Status, text)
	}
	return string(text), err
}

// get is a look at what a GET answers.
func get(path string) func(context.Context, *testscript.TestScript) (string, error) {
	return func(ctx context.Context, ts *testscript.TestScript) (string, error) {
		return request(ctx, http.MethodGet, "http://"+ts.Getenv("ADDR")+path, "")
	}
}

// await looks until a text is seen.
func await(ts *testscript.TestScript, text string, look func(context.Context, *testscript.TestScript) (string, error)) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		seen, err := look(ctx, ts)
		if err == nil && strings.Contains(seen, text) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			ts.Fatalf("%q is not seen: %v %s", text, err, seen)
		}
	}
}
