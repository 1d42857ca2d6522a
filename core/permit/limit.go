package permit

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/timeline"
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
	events := make([]timeline.Event, len(l.Changes))
	for i, c := range l.Changes {
		events[i] = timeline.Line(c.Time, "limit of tag [%s] set to %d by user [%s]", l.Tag, c.Max, c.User)
	}
	lines, err := json.Marshal(events)
	if err != nil {
		return nil, err
	}
	tag, err := json.Marshal(l.Tag)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString(`{"tag":`)
	out.Write(tag)
	out.WriteString(`,"max_allowed":` + strconv.FormatInt(l.Max, 10) + `,"timeline":`)
	out.Write(lines)
	for _, e := range l.Extras {
		if e.Name == "timeline" {
			continue // the real one stands there
		}
		name, err := json.Marshal(e.Name)
		if err != nil {
			return nil, err
		}
		out.WriteByte(',')
		out.Write(name)
		out.WriteByte(':')
		out.Write(e.JSON)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
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
// is ignored. Every error is a BAD_REQUEST.
func ParseLimitRequest(body []byte) (LimitRequest, error) {
	var r LimitRequest
	if !utf8.Valid(body) {
		return r, fault.New(fault.BadRequest, "JSON parse error: the body is not UTF-8")
	}
	members, err := readObject(body)
	if err != nil {
		return r, err
	}
	var tag *string
	for _, m := range members {
		switch m.Name {
		case "tag":
			if tag, err = readText(m); err != nil {
				return r, err
			}
		case "max_allowed":
			if r.MaxAllowed, err = readInt(m); err != nil {
				return r, err
			}
		case "extra_info":
			if r.Extras = nil; string(m.JSON) == "null" {
				continue
			}
			inner, err := readObject(m.JSON)
			if err != nil {
				return r, fault.New(fault.BadRequest, "JSON parse error: extra_info: must be an object")
			}
			for _, e := range inner {
				r.Extras = setExtra(r.Extras, e)
			}
		default:
			r.Extras = setExtra(r.Extras, m)
		}
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

func setExtra(extras []Extra, e Extra) []Extra {
	for i := range extras {
		if extras[i].Name == e.Name {
			extras[i].JSON = e.JSON
			return extras
		}
	}
	return append(extras, e)
}

// readObject gives the members of the object at the beginning of data, in order, with repetitions.
func readObject(data []byte) ([]Extra, error) {
	bad := func(err error) error { return fault.New(fault.BadRequest, "JSON parse error: %s", err) }
	dec := json.NewDecoder(bytes.NewReader(data))
	t, err := dec.Token()
	switch {
	case len(bytes.TrimSpace(data)) == 0 || err == nil && t == nil:
		return nil, fault.New(fault.BadRequest, "Required request body is missing")
	case err != nil:
		return nil, bad(err)
	case t != json.Delim('{'):
		return nil, fault.New(fault.BadRequest, "JSON parse error: an object is needed")
	}
	var out []Extra
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, bad(err)
		}
		name, _ := t.(string)
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, bad(err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw); err != nil {
			return nil, bad(err)
		}
		out = append(out, Extra{Name: name, JSON: compact.Bytes()})
	}
	if _, err := dec.Token(); err != nil {
		return nil, bad(err)
	}
	return out, nil
}

// readText reads a text member: numbers and truth values keep their text, null is nil.
func readText(m Extra) (*string, error) {
	switch m.JSON[0] {
	case 'n':
		return nil, nil
	case '"':
		var s string
		if err := json.Unmarshal(m.JSON, &s); err != nil {
			return nil, fault.New(fault.BadRequest, "JSON parse error: %s: %s", m.Name, err)
		}
		return &s, nil
	case '{', '[':
		return nil, fault.New(fault.BadRequest, "JSON parse error: %s: must be a text", m.Name)
	}
	s := string(m.JSON)
	return &s, nil
}

// readInt reads a 32-bit number member: null and an empty text are 0.
func readInt(m Extra) (int64, error) {
	text := string(m.JSON)
	switch m.JSON[0] {
	case 'n':
		return 0, nil
	case '"':
		var s string
		if err := json.Unmarshal(m.JSON, &s); err != nil {
			return 0, fault.New(fault.BadRequest, "JSON parse error: %s: %s", m.Name, err)
		}
		if s = strings.TrimSpace(s); s == "" {
			return 0, nil
		}
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return 0, fault.New(fault.BadRequest, "JSON parse error: %s: %q is not a number of 32 bits", m.Name, s)
		}
		return n, nil
	case '{', '[', 't', 'f':
		return 0, fault.New(fault.BadRequest, "JSON parse error: %s: must be a number", m.Name)
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err == nil {
		return n, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f >= 1<<31 || f <= -1<<31-1 {
		return 0, fault.New(fault.BadRequest, "JSON parse error: %s: %s is not a number of 32 bits", m.Name, text)
	}
	return int64(f), nil
}
