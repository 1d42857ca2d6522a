package permit

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/timeline"
	"github.com/downbeat/downbeat/core/wire"
)

// MaxChanges is how many of the newest changes of a limit are kept.
const MaxChanges = 32

// maxUser is how many bytes of the name of a user are kept with a change.
const maxUser = 256

// Limit is a limit that was set by the tag-permit API.
type Limit struct {
	Tag     string
	Max     int64    // 0 blocks the tag
	Extras  []Extra  // what the request held besides, in its order
	Changes []Change // oldest first
}

// Extra is a member of a request that means nothing to us. It is given back as it came.
type Extra struct {
	Name string
	JSON json.RawMessage
}

// Change is one setting of a limit.
type Change struct {
	Time int64 // epoch milliseconds
	User string
	Max  int64
}

// LimitRequest is the body of POST /tag-permits.
type LimitRequest struct {
	Tag        string
	MaxAllowed int64 // 0 to 2147483647
	Extras     []Extra
}

func (h *Head) findLimit(tag string) (int, bool) {
	return slices.BinarySearchFunc(h.Limits, tag, func(l Limit, tag string) int { return strings.Compare(l.Tag, tag) })
}

// SetLimit sets the limit of a tag that is counted in this head, replaces its extras and notes the change, and returns
// the runs to poke, sorted. Holders above a lower limit keep what they hold. A BAD_REQUEST says that the extras do not
// fit beside those of the head's other limits.
func (h *Head) SetLimit(r LimitRequest, user string, now int64) ([]string, error) {
	if len(user) > maxUser {
		user = strings.ToValidUTF8(user[:maxUser], "")
	}
	l := Limit{Tag: r.Tag, Max: r.MaxAllowed, Extras: r.Extras}
	i, ok := h.findLimit(r.Tag)
	if ok {
		l.Changes = h.Limits[i].Changes
	}
	l.Changes = append(slices.Clip(l.Changes), Change{Time: now, User: user, Max: r.MaxAllowed})
	if n := len(l.Changes) - MaxChanges; n > 0 {
		l.Changes = l.Changes[n:]
	}
	weight := l.weight()
	for j := range h.Limits {
		if !ok || j != i {
			weight += h.Limits[j].weight()
		}
	}
	if weight > maxLimitWeight {
		return nil, fault.New(fault.BadRequest, "tag permit [%s]: extra info takes too much space: must be less than %d bytes", r.Tag, maxLimitWeight)
	}
	if ok {
		h.Limits[i] = l
	} else {
		h.Limits = slices.Insert(h.Limits, i, l)
	}
	h.changed = true
	return h.Settle(now), nil
}

// DeleteLimit takes the limit of a tag away with all that was noted of it, and returns the runs to poke, sorted.
// Deleting an absent one changes nothing. Maestro goes on showing a deleted limit for some time; here it is gone.
func (h *Head) DeleteLimit(tag string, now int64) []string {
	i, ok := h.findLimit(tag)
	if !ok {
		return nil
	}
	h.Limits = slices.Delete(h.Limits, i, i+1)
	h.changed = true
	return h.Settle(now)
}

// LimitOf gives the limit that was set for the tag, or NOT_FOUND.
func (h *Head) LimitOf(tag string) (Limit, error) {
	i, ok := h.findLimit(tag)
	if !ok {
		return Limit{}, fault.New(fault.NotFound, "no tag permit for tag [%s]", tag)
	}
	return h.Limits[i], nil
}

// MarshalJSON writes the answer of GET /tag-permits/{tag}: tag, max_allowed, timeline, then the extras.
func (l Limit) MarshalJSON() ([]byte, error) {
	w := wire.NewWriter(nil)
	w.Open()
	w.Str("tag", l.Tag)
	w.Long("max_allowed", l.Max)
	w.List("timeline")
	for _, c := range l.Changes {
		line, err := timeline.Line(c.Time, "limit of tag [%s] set to %d by user [%s]", l.Tag, c.Max, c.User).MarshalJSON()
		if err != nil {
			return nil, err
		}
		w.RawItem(line)
	}
	w.CloseList()
	for _, e := range l.Extras {
		if e.Name == "timeline" {
			continue // the real one stands there
		}
		w.Raw(e.Name, e.JSON)
	}
	w.Close()
	return w.Bytes(), nil
}

func (l *Limit) weight() int {
	n := 16 + len(l.Tag)
	for _, e := range l.Extras {
		n += 4 + len(e.Name) + len(e.JSON)
	}
	for _, c := range l.Changes {
		n += 16 + len(c.User)
	}
	return n
}

// ParseLimitRequest reads the body of POST /tag-permits by the reading rules of the API: unknown members become extras,
// the member `extra_info` sets all of them, numbers may stand in texts, fractions are cut off, and text after the object
// is ignored. Every error holds a *fault.Error with BAD_REQUEST.
func ParseLimitRequest(body []byte) (LimitRequest, error) {
	var r LimitRequest
	doc, err := wire.Parse(body)
	if err != nil {
		return r, err
	}
	o, err := wire.Open(doc, "")
	if err != nil {
		return r, err
	}
	tag := o.StrOpt("tag")
	if n := o.IntOpt("max_allowed"); n != nil {
		r.MaxAllowed = *n
	}
	for _, f := range o.Rest("extra_info") {
		r.Extras = append(r.Extras, Extra{Name: f.Name, JSON: f.Value.AppendJSON(nil)})
	}
	if err := o.Close(); err != nil {
		return r, err
	}
	var wrong []string
	if tag == nil {
		wrong = append(wrong, "tag must not be null")
	} else if r.Tag = *tag; strings.TrimSpace(r.Tag) == "" || len(r.Tag) > maxTag {
		wrong = append(wrong, "tag must have between 1 and "+strconv.Itoa(maxTag)+" characters and not be blank")
	}
	if r.MaxAllowed < 0 {
		wrong = append(wrong, "maxAllowed must be greater than or equal to 0")
	}
	if len(wrong) > 0 {
		return r, fault.New(fault.BadRequest, "Validation failed for argument [0] in a tag permit request").With(wrong...)
	}
	return r, nil
}

// maxTag is the longest tag that can be limited, in bytes: a tag name of a definition has up to 256 characters, a
// derived one is longer by two ids.
const maxTag = 1024
