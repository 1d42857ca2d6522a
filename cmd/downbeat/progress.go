package main

import (
	"fmt"
	"io"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/store"
)

// progress prints a line for every run that ends, and one for those that still go on after a moment. When many end
// within a second it counts them instead: nobody reads a thousand lines a second.
type progress struct {
	out    io.Writer
	colour bool

	mu    sync.Mutex
	lines int                           // guarded by mu: lines printed in this second
	more  map[engine.InstanceStatus]int // guarded by mu: runs only counted in it
	begun map[store.RunID]begun         // guarded by mu: runs that began and were not announced yet
	timer *time.Timer                   // guarded by mu: ends the second; nil while nothing waits for it
}

// begun is a run of which nothing was printed yet.
type begun struct {
	at   time.Time
	news app.RunNews
}

const (
	// linesPerSecond is how many lines a second are printed before runs are only counted.
	linesPerSecond = 10
	// moment is after what time a run is announced that has not ended.
	moment = time.Second
	// maxBegun bounds how many runs are remembered in order to be announced.
	maxBegun = 1000
	// shownReason is how much of the reason of a failure is shown, in characters.
	shownReason = 160
)

func newProgress(out io.Writer, colour bool) *progress {
	return &progress{out: out, colour: colour, more: map[engine.InstanceStatus]int{}, begun: map[store.RunID]begun{}}
}

// run takes the news of a run.
func (p *progress) run(n app.RunNews) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case n.Status.Terminal():
		delete(p.begun, n.ID)
	case n.Status == engine.InstanceInProgress && len(p.begun) < maxBegun:
		p.begun[n.ID] = begun{time.Now(), n}
		p.wake()
		return
	default:
		return
	}
	p.wake()
	if p.lines == linesPerSecond {
		p.more[n.Status]++
		return
	}
	p.print(n.Status.String(), statusColour(n.Status), n, p.ended(n))
}

// wake has the second end at its time. The caller holds mu.
func (p *progress) wake() {
	if p.timer == nil {
		p.timer = time.AfterFunc(moment, p.second)
	}
}

// second ends a second: it prints what was only counted in it, and announces runs that go on.
func (p *progress) second() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = nil
	p.count()
	now := time.Now()
	var old []begun
	for id, b := range p.begun {
		if now.Sub(b.at) >= moment {
			old = append(old, b)
			delete(p.begun, id)
		}
	}
	sort.Slice(old, func(i, j int) bool { return old[i].news.ID.String() < old[j].news.ID.String() })
	for i, b := range old {
		if i == linesPerSecond/2 {
			fmt.Fprintf(p.out, "%s  %s  %d more runs\n", now.Format(time.TimeOnly), p.paint(grey, "goes on  "), len(old)-i)
			break
		}
		p.print("goes on", grey, b.news, steps(b.news.Total))
	}
	p.lines = 0
	if len(p.begun) > 0 {
		p.wake()
	}
}

// flush prints what is still to be told.
func (p *progress) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	p.count()
}

// count prints how many runs were only counted. The caller holds mu, as for all that follow.
func (p *progress) count() {
	for s := engine.InstanceCreated; s <= engine.InstanceSucceeded; s++ {
		switch n := p.more[s]; n {
		case 0:
		case 1:
			p.printCount(s, "1 more run")
		default:
			p.printCount(s, fmt.Sprintf("%d more runs", n))
		}
	}
	clear(p.more)
}

func (p *progress) printCount(s engine.InstanceStatus, text string) {
	fmt.Fprintf(p.out, "%s  %s  %s\n", time.Now().Format(time.TimeOnly), p.paint(statusColour(s), fmt.Sprintf("%-9s", s)), text)
}

func (p *progress) print(status string, c colour, n app.RunNews, text string) {
	p.lines++
	what := fmt.Sprintf("%s #%d", n.ID.Workflow, n.ID.Instance)
	if n.ID.Run > 1 {
		what += fmt.Sprintf(" run %d", n.ID.Run)
	}
	fmt.Fprintf(p.out, "%s  %s  %-28s  %s\n", p.paint(grey, time.Now().Format(time.TimeOnly)), p.paint(c, fmt.Sprintf("%-9s", status)), what, text)
}

// ended says how a run ended: how long it took, and which steps failed and why.
func (p *progress) ended(n app.RunNews) string {
	var parts []string
	if n.Start > 0 {
		parts = append(parts, duration(time.Duration(n.End-n.Start)*time.Millisecond))
		ran := steps(n.Total)
		if n.Steps != n.Total {
			ran = fmt.Sprintf("%d of %s", n.Steps, ran)
		}
		parts = append(parts, ran)
	} else {
		parts = append(parts, "never began")
	}
	for i, f := range n.Failed {
		if i == 3 {
			parts = append(parts, fmt.Sprintf("%d more failed", len(n.Failed)-i))
			break
		}
		text := f.ID + " " + f.Status.String()
		if f.Reason != "" {
			text += " (" + brief(f.Reason) + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

func steps(n int) string {
	if n == 1 {
		return "1 step"
	}
	return fmt.Sprintf("%d steps", n)
}

// brief is the first line of a text, cut where it is long.
func brief(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	if r := []rune(text); len(r) > shownReason {
		return string(r[:shownReason]) + "…"
	}
	return text
}

// duration is a time as a person says it: 8 ms, 2.5 s, 3 min 20 s, 2 h 5 min.
func duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// colour is an ANSI colour.
type colour int

const (
	red    colour = 31
	green  colour = 32
	yellow colour = 33
	grey   colour = 90
)

func statusColour(s engine.InstanceStatus) colour {
	switch s {
	case engine.InstanceSucceeded:
		return green
	case engine.InstanceFailed:
		return red
	}
	return yellow
}

func (p *progress) paint(c colour, text string) string {
	if !p.colour {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", c, text)
}
