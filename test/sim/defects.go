package sim

import (
	"slices"
	"strings"

	"github.com/downbeat/downbeat/core/permit"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
)

// Defects are deliberate faults of the application's protocols, made at its ports: each stands for a line of code that
// somebody might forget. They show that the invariants have teeth.
var Defects = map[string]string{
	"ack-first":         "messages that ask for starts are acknowledged before they are handled",
	"claim-condition":   "an attempt is claimed whether or not another invocation has claimed it",
	"control-condition": "a version is pushed whatever version the workflow has by now",
	"gone-forgotten":    "nothing stands for a deleted run: its head is absent again",
	"head-lost":         "the head of a run may not be stored when its order is taken for carried out",
	"lane-condition":    "the head of a lane is written without its condition",
	"lane-lost":         "the commit of a lane may be lost after its starts were answered",
	"lease-blind":       "permits are freed when their lease is over, whatever their run says",
	"mark-first":        "a fire of a time trigger is marked as handled before its run is stored",
	"no-due":            "the heads of runs carry no due time",
	"no-failed-mark":    "failed instances are not marked as blocking STRICT_SEQUENTIAL",
	"no-release":        "permits are not given back when an attempt ends",
	"page-name":         "pages are named without the token of their try, so that losers overwrite winners",
	"permit-condition":  "permits are written without their condition",
	"poison-dropped":    "a message that cannot be read is acknowledged",
	"publish-unsure":    "events whose publishing failed are taken for published",
	"push-in-pieces":    "a version is not stored in one transaction",
	"run-condition":     "the head of a run is written without its condition",
	"send-first":        "what follows from a commit of a run is sent before the commit, and the commit may fail",
	"time-condition":    "the schedule of time triggers is written without its condition",
	"time-due":          "the schedule of time triggers carries no due time after it has fired",
	"start-condition":   "a start and its number are written without their condition",
}

// DefectNames lists the names for a help text.
func DefectNames() string { return strings.Join(sortedKeys(Defects), ", ") }

// breaks tells whether a defect is put in.
func (s *system) breaks(defect string) bool { return s.opts.Break == defect }

// unconditional are the defects that leave out a condition, with the kind of item.
var unconditional = map[string]string{
	"run-condition": "run", "lane-condition": "lane", "permit-condition": "permit", "start-condition": "start", "claim-condition": "a",
	"time-condition": "time",
}

// kindOfItem is what kind of item a key names.
func kindOfItem(key table.Key) string {
	kind, _, _ := strings.Cut(key.PK, "#")
	return kind
}

// renamed is the key under which an item lies: another one with a defect in keys.
func (s *system) renamed(key table.Key) table.Key {
	if s.breaks("page-name") && kindOfItem(key) == "p" {
		key.SK, _, _ = strings.Cut(key.SK, ".")
	}
	return key
}

func (s *system) renamedAll(keys []table.Key) []table.Key {
	if s.opts.Break == "" {
		return keys
	}
	keys = slices.Clone(keys)
	for i := range keys {
		keys[i] = s.renamed(keys[i])
	}
	return keys
}

// broken changes a write as the injected defect would.
func (s *system) broken(w table.Write) table.Write {
	if s.opts.Break == "" {
		return w
	}
	w.Item.Key = s.renamed(w.Item.Key)
	kind := kindOfItem(w.Item.Key)
	switch {
	case unconditional[s.opts.Break] == kind:
		w.Cond = table.None()
	case s.breaks("no-due") && kind == "run":
		w.Item.Due = 0
	case s.breaks("time-due") && kind == "time" && w.Item.Rev > 1:
		w.Item.Due = 0
	case s.breaks("control-condition") && (kind == "ctl" || kind == "ver"):
		w.Cond = table.None()
	case s.breaks("gone-forgotten") && kind == "run" && store.IsGone(w.Item):
		w = table.Write{Op: table.OpDelete, Item: table.Item{Key: w.Item.Key}}
	case s.breaks("lease-blind") && kind == "permit":
		w.Item.Data = s.withoutOldHolders(w.Item.Data)
	}
	return w
}

// withoutOldHolders is a head of permits without the holders whose lease is over.
func (s *system) withoutOldHolders(data []byte) []byte {
	h, err := permit.Decode(data)
	if err != nil {
		return data
	}
	var left []permit.Holder
	for _, e := range h.Holders {
		if e.Verified+permit.LeaseMillis > s.w.now {
			left = append(left, e)
		}
	}
	h.Holders = left
	return h.Encode()
}

// swallowed tells whether a write is to be lost although it is reported.
func (s *system) swallowed(old table.Item, w table.Write) bool {
	kind := kindOfItem(w.Item.Key)
	switch s.opts.Break {
	case "send-first":
		// What a message sent too early amounts to.
		_, head := store.ParseRunKey(w.Item.Key)
		return head && s.w.rng.IntN(20) == 0
	case "head-lost":
		_, head := store.ParseRunKey(w.Item.Key)
		return head && !old.Exists() && s.w.rng.IntN(20) == 0
	case "lane-lost":
		return kind == "lane" && s.w.rng.IntN(20) == 0
	case "no-failed-mark":
		return kind == "failed" && w.Op == table.OpPut
	case "no-release":
		return kind == "permit" && fewerHolders(old.Data, w.Item.Data)
	}
	return false
}

func fewerHolders(old, now []byte) bool {
	a, err1 := permit.Decode(old)
	b, err2 := permit.Decode(now)
	return err1 == nil && err2 == nil && len(b.Holders) < len(a.Holders)
}

// transact makes writes in one transaction, or, with "push-in-pieces", one after another, between which an invocation may
// crash.
func (s *system) transact(p *proc, writes []table.Write) (table.Units, error) {
	if !s.breaks("push-in-pieces") {
		return s.table.Transact(background, writes)
	}
	for i, w := range writes {
		if i > 0 {
			p.point()
		}
		old, _, err := s.table.Get(background, w.Item.Key)
		if err == nil {
			_, err = s.table.Write(background, w)
		}
		if err != nil {
			return table.Units{}, err
		}
		s.wrote(p, []table.Item{old}, []table.Write{w})
	}
	return table.Units{}, nil
}

// handledAnyway tells whether a message that comes again is acknowledged nevertheless.
func (s *system) handledAnyway(m *message) bool { return s.breaks("poison-dropped") && m.poison }

// ackedFirst tells whether messages of a queue are acknowledged before they are handled.
func (s *system) ackedFirst(name queue.Name) bool {
	return s.breaks("ack-first") && name == queue.Trigger
}
