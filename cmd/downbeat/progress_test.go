package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/store"
)

// clockText is the time at the beginning of a line.
var clockText = regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d  `)

func news(id string, instance, run int64, status engine.InstanceStatus, took int64) app.RunNews {
	n := app.RunNews{ID: store.RunID{Workflow: id, Instance: instance, Run: run}, Status: status, Start: 1000, Total: 3}
	if status.Terminal() {
		n.End, n.Steps = 1000+took, 3
	}
	return n
}

// play runs f with a progress under a clock of its own and compares what is printed, without the times.
func play(t *testing.T, f func(p *progress), want string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(&out, false)
		f(p)
		time.Sleep(5 * moment) // of the test's clock
		synctest.Wait()
		if got := clockText.ReplaceAllString(out.String(), ""); got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
	})
}

func TestProgress(t *testing.T) {
	t.Run("a run that ends at once", func(t *testing.T) {
		play(t, func(p *progress) {
			p.run(news("daily.load", 7, 1, engine.InstanceSucceeded, 8))
		}, "SUCCEEDED  daily.load #7                 8 ms, 3 steps\n")
	})
	t.Run("a restart that takes its time", func(t *testing.T) {
		play(t, func(p *progress) {
			p.run(news("report", 1, 2, engine.InstanceInProgress, 0))
			time.Sleep(3 * moment)
			p.run(news("report", 1, 2, engine.InstanceTimedOut, 200_000))
		}, "goes on    report #1 run 2               3 steps\nTIMED_OUT  report #1 run 2               3 min 20 s, 3 steps\n")
	})
	t.Run("one step", func(t *testing.T) {
		play(t, func(p *progress) {
			n := news("report", 1, 1, engine.InstanceInProgress, 0)
			n.Steps, n.Total = 0, 1
			p.run(n)
			time.Sleep(3 * moment)
			n = news("report", 1, 1, engine.InstanceStopped, 1000)
			n.Steps, n.Total = 0, 1
			p.run(n)
			n.ID.Instance, n.Steps = 2, 1
			p.run(n)
		}, "goes on    report #1                     1 step\nSTOPPED    report #1                     1.0 s, 0 of 1 step\nSTOPPED    report #2                     1.0 s, 1 step\n")
	})
	t.Run("a failure with its reason", func(t *testing.T) {
		play(t, func(p *progress) {
			n := news("report", 1, 1, engine.InstanceFailed, 2500)
			n.Steps, n.Failed = 2, []app.FailedStep{{ID: "post", Status: engine.StepFatallyFailed, Reason: "host ledger.example.com is not allowed\nmore"}, {ID: "send", Status: engine.StepStopped}}
			p.run(n)
		}, "FAILED     report #1                     2.5 s, 2 of 3 steps, post FATALLY_FAILED (host ledger.example.com is not allowed), send STOPPED\n")
	})
	t.Run("one that never began", func(t *testing.T) {
		play(t, func(p *progress) {
			n := news("report", 2, 1, engine.InstanceStopped, 0)
			n.Start, n.Steps = 0, 0
			p.run(n)
		}, "STOPPED    report #2                     never began\n")
	})
	t.Run("a thousand in a second", func(t *testing.T) {
		var want strings.Builder
		for i := 1; i <= linesPerSecond; i++ {
			fmt.Fprintf(&want, "SUCCEEDED  %-28s  1 ms, 3 steps\n", fmt.Sprintf("load #%d", i))
		}
		want.WriteString("FAILED     1 more run\nSUCCEEDED  989 more runs\nSUCCEEDED  load #1001                    1 ms, 3 steps\n")
		play(t, func(p *progress) {
			for i := int64(1); i <= 1000; i++ {
				status := engine.InstanceSucceeded
				if i == 500 {
					status = engine.InstanceFailed
				}
				p.run(news("load", i, 1, status, 1))
			}
			time.Sleep(2 * moment)
			p.run(news("load", 1001, 1, engine.InstanceSucceeded, 1))
		}, want.String())
	})
	t.Run("a hundred that go on", func(t *testing.T) {
		want := ""
		for i := 10; i < 15; i++ {
			want += fmt.Sprintf("goes on    load #%d                      3 steps\n", i)
		}
		play(t, func(p *progress) {
			for i := int64(10); i < 100; i++ {
				p.run(news("load", i, 1, engine.InstanceInProgress, 0))
			}
		}, want+"goes on    85 more runs\n")
	})
	t.Run("at the end what was counted is told", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			p := newProgress(&out, false)
			for i := int64(0); i < linesPerSecond+2; i++ {
				p.run(news("load", i, 1, engine.InstanceSucceeded, 1))
			}
			p.flush()
			if !strings.HasSuffix(out.String(), "SUCCEEDED  2 more runs\n") {
				t.Errorf("got %q", out.String())
			}
		})
	})
}

func TestColours(t *testing.T) {
	var plain, painted bytes.Buffer
	newProgress(&plain, colours(&plain)).run(news("load", 1, 1, engine.InstanceFailed, 1))
	newProgress(&painted, true).run(news("load", 1, 1, engine.InstanceFailed, 1))
	if strings.Contains(plain.String(), "\x1b") {
		t.Errorf("a file is coloured: %q", plain.String())
	}
	if !strings.Contains(painted.String(), "\x1b[31mFAILED   \x1b[0m") {
		t.Errorf("got %q", painted.String())
	}
}

func TestTerminalLog(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(newTerminalLog(&out, slog.LevelWarn))
	log.Info("not shown")
	log.Warn("message comes again", "queue", "advance", "error", "line 1: x")
	log.With("run", 7).WithGroup("g").Error("handler died", "stack", "a\nb", "msg", "kept")
	want := "WARN  message comes again  queue=advance error=\"line 1: x\"\nERROR  handler died  run=7 g.stack=\"a\\nb\" g.msg=kept\n"
	if got := clockText.ReplaceAllString(out.String(), ""); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 ms", 999 * time.Millisecond: "999 ms", time.Second: "1.0 s", 59_940 * time.Millisecond: "59.9 s", time.Minute: "1 min 0 s", 125 * time.Minute: "2 h 5 min",
	} {
		if got := duration(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
