package store

import (
	"encoding/json"
	"fmt"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/pack"
	"github.com/downbeat/downbeat/core/timeline"
)

// RunHead is the one item whose conditional write moves a run. It holds what is weighed before anything else is read,
// the run record, and names the pages that count. The attempts themselves are in the pages, which are immutable and
// therefore cached: a warm decision reads the head alone. It stays below 1 KB but for long timelines.
type RunHead struct {
	// UUID finds the body (StartKey).
	UUID string
	Run  engine.RunRecord
	// Pages in the order in which they were written; of two records of one attempt the later page's counts.
	Pages []PageRef
	// Tail is a page that lies in the head itself, as EncodePage and Bodies.Pack give it: the newest records, while they are few. One
	// write then moves the run, in place of two, and one read shows it. It counts after all of Pages.
	Tail []byte
	// Live counts the attempts that are not at rest: 0 lets a reader and the sweep skip the pages.
	Live int
	// Published is how many of Pages have been published as status events, Changes are the changes of the run's own status
	// that have not, oldest first (P35).
	Published int
	Changes   []engine.InstanceChange
}

// PageRef names a page.
type PageRef struct {
	N       int    // running number, from 0
	Token   uint32 // of the write that made it: a loser's page of the same number is another item
	Records int
	Bytes   int
}

// runFormat is the newest stored format of a run's head. Format 1 has no Tail, and told in place of Changes up to which
// status they had been published.
const runFormat = 2

// Encode gives the stored form.
func (h *RunHead) Encode() ([]byte, error) {
	var w pack.Writer
	w.Format(runFormat)
	w.Str(h.UUID)
	r := &h.Run
	w.Uint(uint64(r.Status))
	w.Uint(uint64(r.RunStatus))
	w.Uint(uint64(r.Failed))
	w.Bool(r.Executed)
	w.Int(r.StartTime)
	w.Int(r.EndTime)
	w.Int(r.ModifyTime)
	w.Int(r.LastTime)
	w.Int(r.NextStepInstanceID)
	w.Int(r.CheckAt)
	w.Int(r.Seq)
	if err := writeTimeline(&w, r.Timeline); err != nil {
		return nil, fmt.Errorf("timeline of a run: %w", err)
	}
	if err := writeJSON(&w, r.Ending, r.Ending == nil); err != nil {
		return nil, fmt.Errorf("ending of a run: %w", err)
	}
	w.Uint(uint64(len(h.Pages)))
	for _, p := range h.Pages {
		w.Uint(uint64(p.N))
		w.Uint(uint64(p.Token))
		w.Uint(uint64(p.Records))
		w.Uint(uint64(p.Bytes))
	}
	w.Uint(uint64(h.Live))
	w.Uint(uint64(h.Published))
	w.Uint(uint64(len(h.Changes)))
	for _, c := range h.Changes {
		w.Uint(uint64(c.From))
		w.Uint(uint64(c.To))
		w.Int(c.Time)
	}
	w.Bytes(h.Tail)
	return w.Buf, nil
}

// DecodeRunHead reads a stored head. A newer format gives pack.ErrNewer.
func DecodeRunHead(data []byte) (*RunHead, error) {
	r, format, err := pack.NewReader(data, runFormat)
	if err != nil {
		return nil, fmt.Errorf("head of a run: %w", err)
	}
	h := &RunHead{UUID: r.Str()}
	h.Run = engine.RunRecord{
		Status: engine.InstanceStatus(r.Uint()), RunStatus: engine.InstanceStatus(r.Uint()), Failed: engine.FailedCode(r.Uint()),
		Executed: r.Bool(), StartTime: r.Int(), EndTime: r.Int(), ModifyTime: r.Int(), LastTime: r.Int(),
		NextStepInstanceID: r.Int(), CheckAt: r.Int(), Seq: r.Int(),
	}
	if h.Run.Timeline, err = readTimeline(r); err != nil {
		return nil, fmt.Errorf("timeline of a run: %w", err)
	}
	var ending engine.Ending
	has, err := readJSON(r, &ending)
	if err != nil {
		return nil, fmt.Errorf("ending of a run: %w", err)
	}
	if has {
		h.Run.Ending = &ending
	}
	for n := r.Count(); n > 0; n-- {
		h.Pages = append(h.Pages, PageRef{N: int(r.Uint()), Token: uint32(r.Uint()), Records: int(r.Uint()), Bytes: int(r.Uint())})
	}
	h.Live = int(r.Uint())
	h.Published = int(r.Uint())
	if format == 1 {
		h.Changes = changesSince(engine.InstanceStatus(r.Uint()), &h.Run)
	} else {
		for n := r.Count(); n > 0; n-- {
			h.Changes = append(h.Changes, engine.InstanceChange{From: engine.InstanceStatus(r.Uint()), To: engine.InstanceStatus(r.Uint()), Time: r.Int()})
		}
		if tail := r.Bytes(); len(tail) > 0 {
			h.Tail = tail
		}
	}
	if r.Err() != nil {
		return nil, fmt.Errorf("head of a run: %w", r.Err())
	}
	return h, nil
}

// changesSince are the changes of a run that follow the status up to which they were published: it begins once and ends
// once.
func changesSince(status engine.InstanceStatus, r *engine.RunRecord) []engine.InstanceChange {
	var out []engine.InstanceChange
	from := engine.InstanceCreated
	if r.Executed {
		if status < engine.InstanceInProgress {
			out = append(out, engine.InstanceChange{From: from, To: engine.InstanceInProgress, Time: r.StartTime})
		}
		from = engine.InstanceInProgress
	}
	if r.Status.Terminal() && !status.Terminal() {
		out = append(out, engine.InstanceChange{From: from, To: r.Status, Time: r.EndTime})
	}
	return out
}

// writeTimeline tells nil, which readers see as absent, from empty.
func writeTimeline(w *pack.Writer, events []timeline.Event) error {
	if events == nil {
		w.Uint(0)
		return nil
	}
	w.Uint(uint64(len(events)) + 1)
	for _, e := range events {
		if e.Type == timeline.Log {
			w.Bool(true)
			w.Int(e.Timestamp)
			w.Str(string(e.Level))
			w.Str(e.Message)
			continue
		}
		w.Bool(false)
		if err := writeJSON(w, e, false); err != nil {
			return err
		}
	}
	return nil
}

func readTimeline(r *pack.Reader) ([]timeline.Event, error) {
	n := r.Uint()
	if n == 0 {
		return nil, r.Err()
	}
	events := []timeline.Event{}
	for n--; n > 0 && r.Err() == nil; n-- {
		if r.Bool() {
			events = append(events, timeline.Event{Timestamp: r.Int(), Type: timeline.Log, Level: timeline.Level(r.Str()), Message: r.Str()})
			continue
		}
		var e timeline.Event
		if _, err := readJSON(r, &e); err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, r.Err()
}

// writeJSON appends a rare or irregular member as JSON; absent ones take one byte.
func writeJSON(w *pack.Writer, v any, absent bool) error {
	if absent {
		w.Uint(0)
		return nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Bytes(data)
	return nil
}

func readJSON(r *pack.Reader, v any) (bool, error) {
	data := r.Bytes()
	if len(data) == 0 {
		return false, r.Err()
	}
	return true, json.Unmarshal(data, v)
}

// Number is the number that the lane gave to a start.
type Number struct {
	Instance, Run int64
	// Rejected: the run was refused by its strategy and stored as STOPPED.
	Rejected bool
}

// Encode gives the stored form.
func (n Number) Encode() []byte {
	var w pack.Writer
	w.Format(1)
	w.Int(n.Instance)
	w.Int(n.Run)
	w.Bool(n.Rejected)
	return w.Buf
}

// DecodeNumber reads a stored number.
func DecodeNumber(data []byte) (Number, error) {
	r, _, err := pack.NewReader(data, 1)
	if err != nil {
		return Number{}, fmt.Errorf("number of a start: %w", err)
	}
	n := Number{Instance: r.Int(), Run: r.Int(), Rejected: r.Bool()}
	return n, r.Err()
}
