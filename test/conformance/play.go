package conformance

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"sort"
	"strings"
	"time"
)

// Options say how scenarios are played.
type Options struct {
	Base string // the server's address, e.g. http://127.0.0.1:8080; needed
	Stub string // address of the Stub that HTTP steps call; scenarios that use it fail without
	// Patience is a factor on every waiting time; 0 means 1. A loaded machine wants more.
	Patience float64
	// MaxWait bounds each wait, before Patience; 0 means what the scenario says.
	MaxWait time.Duration
	Poll    time.Duration // between two looks while waiting; 0 means 100 ms
	Client  *http.Client  // nil means one with a time-out of 60 s that follows no redirect
	Show    io.Writer     // gets each request with its normalised answer; nil means none
	// Published gives the status events that the server has published so far, one JSON document each, in any order
	// and with repetitions. Without it the events of a scenario are not compared.
	Published func(context.Context) ([][]byte, error)
	// MaxEventWait is how long the comparison waits for events that are missing, before Patience; 0 means 30 s.
	MaxEventWait time.Duration
}

// Report is what came of playing one scenario.
type Report struct {
	RunID       string
	Took        time.Duration
	Differences []string // empty: the scenario passed
	Messages    int      // events published for the scenario, counted before merging
}

// NewClient is an HTTP client as scenarios need it: answers are taken as they come, neither redirects followed nor
// bodies decompressed.
func NewClient(timeout time.Duration, connections int) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: connections},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Play plays the scenario once, under a run id of its own.
func (s *Scenario) Play(ctx context.Context, o Options) Report {
	if o.Patience == 0 {
		o.Patience = 1
	}
	if o.Poll == 0 {
		o.Poll = 100 * time.Millisecond
	}
	if o.Client == nil {
		o.Client = NewClient(60*time.Second, 2)
	}
	if o.MaxEventWait == 0 {
		o.MaxEventWait = 30 * time.Second
	}
	begin, id := time.Now(), newRunID()
	p := &player{
		scenario: s, options: o, names: map[string]any{"run": id, "stub": o.Stub},
		normaliser: newNormaliser(id, o.Stub), uuids: newSameUUIDs(),
	}
	p.play(ctx)
	r := Report{RunID: id, Differences: p.differences}
	if s.Events != nil && o.Published != nil {
		var diff []string
		r.Messages, diff = p.events(ctx)
		r.Differences = append(r.Differences, diff...)
	}
	r.Took = time.Since(begin)
	return r
}

// newRunID is 8 letters and digits, at least one of them a letter: a number alone could be mistaken for another.
func newRunID() string {
	const chars = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, 8)
	rand.Read(b)
	for i, c := range b {
		b[i] = chars[int(c)%len(chars)]
	}
	b[0] = chars[int(b[0])%26]
	return string(b)
}

type player struct {
	scenario    *Scenario
	options     Options
	names       map[string]any // what ${name} stands for
	normaliser  *normaliser
	uuids       *sameUUIDs
	differences []string
}

type answer struct {
	status      int
	contentType string
	body        any
}

func (p *player) play(ctx context.Context) {
	for i, step := range p.scenario.Steps {
		var err error
		switch {
		case step.Pause > 0:
			err = pause(ctx, seconds(step.Pause))
		case step.Until != nil:
			err = p.wait(ctx, step)
		default:
			err = p.call(ctx, i+1, step)
		}
		if err != nil { // what follows would only repeat that this is missing
			p.fail("step %d: %v", i+1, err)
			return
		}
	}
}

func (p *player) fail(format string, args ...any) {
	p.differences = append(p.differences, fmt.Sprintf(format, args...))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *player) call(ctx context.Context, number int, step Step) error {
	a, err := p.send(ctx, step)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(step.Save))
	for name := range step.Save {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		v := at(a.body, step.Save[name])
		if v == missing {
			return fmt.Errorf("%s: nothing at %s in %d %s", step.Call, step.Save[name], a.status, brief(a.body, 200))
		}
		p.names[name] = v
	}
	a.body = p.normaliser.value(a.body)
	if p.options.Show != nil {
		var b bytes.Buffer
		json.Indent(&b, compact(a.body), "", "  ")
		fmt.Fprintf(p.options.Show, "%d. %s -> %d\n%s\n", number, p.fillText(step.Call), a.status, b.Bytes())
	}
	return p.check(number, step, a)
}

// check compares an answer with the recorded one. Below 400 the whole body counts, from 400 on the family of the error.
func (p *player) check(number int, step Step, a answer) error {
	want := step.Expect
	if want == nil || step.Check == "none" {
		return nil
	}
	if want.Status == http.StatusInternalServerError && (a.status == 400 || a.status == 422) {
		return nil // the recorded server crashed here: a clear refusal is better
	}
	if want.Status != a.status {
		p.fail("step %d: %s: status: expected %d, got %d %s", number, step.Call, want.Status, a.status, brief(a.body, 300))
		return nil
	}
	if want.Error != nil {
		got := ErrorFamily{Type: a.contentType}
		if body, ok := a.body.(map[string]any); ok {
			got.Status = body["status"]
		}
		if !reflect.DeepEqual(*want.Error, got) {
			p.fail("step %d: %s: error: expected %s, got %s", number, step.Call, compact(want.Error), compact(got))
		}
		return nil
	}
	if want.Body == nil || step.Check == "status" {
		return nil
	}
	body, err := decode(want.Body)
	if err != nil {
		return fmt.Errorf("%s: recorded body: %w", step.Call, err)
	}
	r := rules{
		ignore:    patterns(p.scenario.Ignore, step.Ignore, alwaysIgnored),
		unordered: patterns(p.scenario.Unordered, step.Unordered),
		uuids:     p.uuids,
	}
	found := r.differences(body, a.body)
	for i, line := range found {
		if i == 8 {
			p.fail("step %d: … and %d more differences", number, len(found)-8)
			break
		}
		p.fail("step %d: %s: body%s", number, step.Call, line)
	}
	return nil
}

// wait repeats a call until the values at some pointers are among those wanted.
func (p *player) wait(ctx context.Context, step Step) error {
	limit := 30 * time.Second
	if step.Seconds > 0 {
		limit = seconds(step.Seconds)
	}
	if m := p.options.MaxWait; m > 0 {
		limit = min(limit, m)
	}
	limit = time.Duration(float64(limit) * p.options.Patience)
	pointers := make([]string, 0, len(step.Until))
	wanted := map[string][]any{}
	for pointer, raw := range step.Until {
		v, err := decode(raw)
		if err != nil {
			return fmt.Errorf("%s: until %s: %w", step.Call, pointer, err)
		}
		v = p.fill(v)
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		pointer = p.fillText(pointer)
		pointers, wanted[pointer] = append(pointers, pointer), list
	}
	sort.Strings(pointers)
	for deadline := time.Now().Add(limit); ; {
		a, err := p.send(ctx, step)
		if err != nil {
			return err
		}
		seen, all := make([]string, len(pointers)), true
		for i, pointer := range pointers {
			v := at(a.body, pointer)
			seen[i] = pointer + " " + brief(v, 200)
			all = all && among(v, wanted[pointer])
		}
		if all {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not %s within %v; last seen: %d %s", step.Call, brief(step.Until, 200), limit, a.status, strings.Join(seen, ", "))
		}
		if err := pause(ctx, p.options.Poll); err != nil {
			return err
		}
	}
}

func among(v any, list []any) bool {
	r := rules{uuids: newSameUUIDs()}
	for _, w := range list {
		if r.differ(w, v, nil) == nil {
			return true
		}
	}
	return false
}

func (p *player) send(ctx context.Context, step Step) (answer, error) {
	method, target, ok := strings.Cut(p.fillText(step.Call), " ")
	if !ok {
		return answer{}, fmt.Errorf("%q is no call", step.Call)
	}
	header := http.Header{"User": {"tester"}, "Accept": {"application/json"}}
	var body []byte
	switch {
	case step.Text != nil:
		body = []byte(p.fillText(*step.Text))
	case step.Body != nil:
		var err error
		if body, err = p.fillJSON(step.Body); err != nil {
			return answer{}, fmt.Errorf("%s: body: %w", step.Call, err)
		}
	}
	if body != nil {
		header.Set("Content-Type", "application/json")
	}
	for k, v := range step.Headers {
		if v == nil {
			header.Del(k)
		} else {
			header.Set(k, p.fillText(*v))
		}
	}
	base, err := url.Parse(p.options.Base)
	if err != nil {
		return answer{}, err
	}
	// Opaque keeps the path as the scenario spells it, escapes and all.
	route, query, asked := strings.Cut(target, "?")
	u := &url.URL{Scheme: base.Scheme, Host: base.Host, Opaque: strings.TrimRight(base.Path, "/") + route, RawQuery: query, ForceQuery: asked}
	req, err := http.NewRequestWithContext(ctx, method, base.String(), bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if body == nil {
		req.Body, req.GetBody, req.ContentLength = nil, nil, 0
	}
	req.URL, req.Header = u, header
	resp, err := p.options.Client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", step.Call, err)
	}
	a := answer{status: resp.StatusCode}
	a.contentType, _, err = mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		a.contentType = resp.Header.Get("Content-Type")
	}
	if len(data) > 0 {
		if a.body, err = decode(data); err != nil {
			a.body = map[string]any{"<not-json>": string(data[:min(len(data), 500)])}
		}
	}
	return a, nil
}

var nameInText = regexp.MustCompile(`\$\{([a-z_0-9]+)\}`)

// fillText puts values in the place of ${name}; a name that stands for nothing is left alone, since scenarios hold
// string interpolations too.
func (p *player) fillText(s string) string {
	return nameInText.ReplaceAllStringFunc(s, func(m string) string {
		switch v := p.names[m[2:len(m)-1]].(type) {
		case nil:
			return m
		case string:
			return v
		default:
			return string(compact(v))
		}
	})
}

// fillString is fillText, but a string that is nothing but one ${name} takes the value with its type.
func (p *player) fillString(s string) any {
	if m := nameInText.FindString(s); m == s && m != "" {
		if v, ok := p.names[m[2:len(m)-1]]; ok {
			return v
		}
	}
	return p.fillText(s)
}

func (p *player) fill(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[p.fillText(k)] = p.fill(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = p.fill(x)
		}
		return out
	case string:
		return p.fillString(v)
	}
	return v
}

// fillJSON fills a document in its own order: the order of members can matter to the server.
func (p *player) fillJSON(raw json.RawMessage) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var out bytes.Buffer
	if err := p.copyValue(d, &out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (p *player) copyValue(d *json.Decoder, out *bytes.Buffer) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	delim, nested := t.(json.Delim)
	if !nested {
		if s, ok := t.(string); ok {
			t = p.fillString(s)
		}
		out.Write(compact(t))
		return nil
	}
	out.WriteByte(byte(delim))
	for first := true; d.More(); first = false {
		if !first {
			out.WriteByte(',')
		}
		if delim == '{' {
			key, err := d.Token()
			if err != nil {
				return err
			}
			out.Write(compact(p.fillText(fmt.Sprint(key))))
			out.WriteByte(':')
		}
		if err := p.copyValue(d, out); err != nil {
			return err
		}
	}
	end, err := d.Token()
	if err != nil {
		return err
	}
	out.WriteByte(byte(end.(json.Delim)))
	return nil
}
