package store

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/lane"
	"github.com/downbeat/downbeat/core/pack"
	"github.com/downbeat/downbeat/core/table"
)

// InboxShards is over how many partitions the pointers into one lane are spread.
const InboxShards = 16

func InboxPK(workflow string, shard int) string {
	return fmt.Sprintf("lane#%s#inbox#%d", workflow, shard)
}

// InboxKey names what the caller with this ask leaves in a lane's inbox after losing to a revision of the lane. Pointers
// are read in the order of revisions.
func InboxKey(workflow string, rev int64, ask string) table.Key {
	return table.Key{PK: InboxPK(workflow, int(AskHash(ask)%InboxShards)), SK: num(rev) + "." + ask}
}

// InboxFrom is the smallest sort key of a pointer left at a revision.
func InboxFrom(rev int64) string { return num(rev) }

// ParseInboxKey reads revision and ask out of a pointer's key.
func ParseInboxKey(k table.Key) (lane.Pointer, string, bool) {
	text, ask, ok := strings.Cut(k.SK, ".")
	var rev int64
	if _, err := fmt.Sscanf(text, "%d", &rev); !ok || err != nil {
		return lane.Pointer{}, "", false
	}
	return lane.Pointer{Rev: rev, Hash: AskHash(ask)}, ask, true
}

// AskHash is the short name of an ask.
func AskHash(ask string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(ask))
	return h.Sum64()
}

// Pointer is what a caller leaves in the inbox of a lane that others move: a start that wants a number, or the end of a
// run. It promises nothing: the start item and the run's head are the facts.
type Pointer struct {
	// At is when it was left, in epoch milliseconds. An old one is of a caller that has given up.
	At int64
	// Start is nil for the end of a run.
	Start *lane.Arrival
	// Check tells that the start may have a number already, written to its start item.
	Check bool
	Ended lane.Entry
}

// Format 1 did not tell the life of a start's workflow.
const pointerFormat = 2

// Encode gives the stored form.
func (p *Pointer) Encode() []byte {
	var w pack.Writer
	w.Format(pointerFormat)
	w.Int(p.At)
	w.Bool(p.Start != nil)
	if s := p.Start; s != nil {
		w.Str(s.UUID)
		w.Int(s.Instance)
		w.Bool(s.Failed)
		w.Bool(s.Given)
		w.Bool(p.Check)
		w.Int(s.Life)
		return w.Buf
	}
	w.Int(p.Ended.Instance)
	w.Int(p.Ended.Run)
	return w.Buf
}

// DecodePointer reads a stored pointer.
func DecodePointer(data []byte) (*Pointer, error) {
	r, format, err := pack.NewReader(data, pointerFormat)
	if err != nil {
		return nil, fmt.Errorf("pointer in an inbox: %w", err)
	}
	p := &Pointer{At: r.Int()}
	if r.Bool() {
		p.Start = &lane.Arrival{UUID: r.Str(), Instance: r.Int(), Failed: r.Bool(), Given: r.Bool()}
		p.Check = r.Bool()
		if format > 1 {
			p.Start.Life = r.Int()
		}
	} else {
		p.Ended = lane.Entry{Instance: r.Int(), Run: r.Int()}
	}
	if r.Err() != nil {
		return nil, fmt.Errorf("pointer in an inbox: %w", r.Err())
	}
	return p, nil
}

// FoldsPK is the partition of the answers to those who left pointers.
func FoldsPK(workflow string) string { return "lane#" + workflow + "#folds" }

// FoldKey names the answers that a commit of the lane gave.
func FoldKey(workflow string, rev int64) table.Key {
	return table.Key{PK: FoldsPK(workflow), SK: num(rev)}
}

// Fold is the answers that one commit of a lane gave to pointers. Losing one costs its readers time: what it says
// follows from the lane and the start items.
type Fold struct{ Answers []Answer }

// Answer is the answer to an ask.
type Answer struct {
	Ask string
	// Err is why a start got no number.
	Err error
	// Order is what is to be made of a start, with its number; zero for the end of a run.
	Order lane.Order
}

const foldFormat = 1

// Encode gives the stored form.
func (f *Fold) Encode() []byte {
	var w pack.Writer
	w.Format(foldFormat)
	w.Uint(uint64(len(f.Answers)))
	for _, a := range f.Answers {
		w.Str(a.Ask)
		w.Bool(a.Err != nil)
		if a.Err != nil {
			code, text := fault.CodeOf(a.Err), a.Err.Error()
			var f *fault.Error
			if errors.As(a.Err, &f) {
				text = f.Message
			}
			w.Str(string(code))
			w.Str(text)
			continue
		}
		w.Int(a.Order.Instance)
		w.Int(a.Order.Run)
		w.Uint(uint64(a.Order.Target))
		w.Int(a.Order.By)
	}
	return w.Buf
}

// DecodeFold reads stored answers.
func DecodeFold(data []byte) (*Fold, error) {
	r, _, err := pack.NewReader(data, foldFormat)
	if err != nil {
		return nil, fmt.Errorf("answers of a lane: %w", err)
	}
	f := &Fold{}
	for n := r.Count(); n > 0; n-- {
		a := Answer{Ask: r.Str()}
		if r.Bool() {
			code := fault.Code(r.Str())
			a.Err = fault.New(code, "%s", r.Str())
		} else {
			a.Order = lane.Order{Entry: lane.Entry{Instance: r.Int(), Run: r.Int()}, Target: lane.Target(r.Uint()), By: r.Int()}
		}
		f.Answers = append(f.Answers, a)
	}
	if r.Err() != nil {
		return nil, fmt.Errorf("answers of a lane: %w", r.Err())
	}
	return f, nil
}
