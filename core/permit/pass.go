package permit

import "slices"

// How a permit goes from an attempt that has ended to another one of its run without a write.

// Inherits tells for all heads of the tags what Head.Inherits tells for one. Heads that are not at hand, or are not the
// same for both, are none to inherit in.
func (heads Heads) Inherits(from string, have, want []Tag) bool {
	names := HeadsOf(want)
	if !slices.Equal(names, HeadsOf(have)) {
		return false
	}
	limited := false
	for _, name := range names {
		h := heads[name]
		if h == nil {
			return false
		}
		if len(h.limited(want, name))+len(h.limited(have, name)) == 0 {
			continue
		}
		limited = true
		if !h.Inherits(from, tagsAt(have, name), tagsAt(want, name)) {
			return false
		}
	}
	return limited
}

// Passes tells whether the attempt to, which waits for the tags want, would be granted them next, and nobody else would be,
// if the holder from, with the tags have, gave back what it holds. Then it can go on with the permit of from, as Inherits
// tells, and give up its place. Passes returns the heads concerned as they will be then; these stay as they are.
func (heads Heads) Passes(from string, have []Tag, to string, want []Tag, now int64) (Heads, bool) {
	names := HeadsOf(want)
	if !slices.Equal(names, HeadsOf(have)) {
		return nil, false
	}
	after := make(Heads, len(names))
	waiters, waits := 0, 0
	for _, name := range names {
		h := heads[name]
		if h == nil || !h.alike(tagsAt(have, name), tagsAt(want, name)) || len(h.limited(want, name)) > 0 && !h.holds(from) {
			return nil, false
		}
		after[name] = &Head{Limits: h.Limits, Holders: slices.Clone(h.Holders), Waiters: slices.Clone(h.Waiters)}
		waiters += len(h.Waiters)
		if h.waits(to) {
			waits++
		}
	}
	if waits == 0 {
		return nil, false
	}
	Release(after, []string{from}, now)
	left := 0
	for _, name := range names {
		h := after[name]
		if i := slices.IndexFunc(h.Holders, func(e Holder) bool { return e.UUID == to }); i >= 0 {
			h.Holders[i].UUID = from
		} else if len(h.limited(want, name)) > 0 {
			return nil, false
		}
		for _, w := range h.Waiters {
			if w.Reserved > now {
				return nil, false // somebody needs this and more
			}
		}
		left += len(h.Waiters)
	}
	return after, left == waiters-waits
}

func tagsAt(tags []Tag, name string) []Tag {
	var out []Tag
	for _, t := range tags {
		if HeadOf(t.Name) == name {
			out = append(out, t)
		}
	}
	return out
}
