package param

import (
	"slices"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/sel"
)

// Layer says how a map of definitions is merged over what is there.
type Layer struct {
	Source Source // written to the merged definitions
	// Upstream is set for what a parent step hands to a run: definitions whose own source is set and is not DEFINITION
	// then go past the modes (parameters.md 4.4).
	Upstream bool
	Restart  bool // the stricter row of the matrix of modes
}

// permits reports whether a differing definition may replace one of that mode (parameters.md 4.4).
func (l Layer) permits(m Mode) bool {
	switch {
	case l.Source.system():
		return true
	case l.Source == SourceOutputParameter:
		return m <= Mutable
	case l.Source == SourceRestart || l.Restart:
		return m <= MutableOnStartRestart
	}
	return m <= MutableOnStart
}

// Merge merges a map over another one, which stays as it is (parameters.md 5): the names of base in their order, then
// the new ones. Errors are *fault.Error, BAD_REQUEST.
func Merge(base, over *Definitions, l Layer) (*Definitions, error) {
	out := base.Clone()
	if err := out.merge(over, l); err != nil {
		return nil, err
	}
	return out, nil
}

// merge merges over into d.
func (d *Definitions) merge(over *Definitions, l Layer) error { return d.mergeUnder(over, l, 0) }

func (d *Definitions) mergeUnder(over *Definitions, l Layer, parent Mode) error {
	if over.Len() == 0 {
		return nil
	}
	// Names that are there already come first, so that of several errors the one of the earliest name is reported.
	fresh := 0
	for i := range over.list {
		at := d.find(over.list[i].Name)
		if at < 0 {
			fresh++
			continue
		}
		m, err := l.one(over.list[i].Name, over.list[i].Value, d.list[at].Value, parent)
		if err != nil {
			return err
		}
		d.list[at].Value = m
	}
	for i := range over.list {
		if fresh == 0 {
			break
		}
		if d.find(over.list[i].Name) >= 0 {
			continue
		}
		m, err := l.one(over.list[i].Name, over.list[i].Value, nil, parent)
		if err != nil {
			return err
		}
		d.Set(over.list[i].Name, m)
	}
	return nil
}

// one merges the definition p over b, which is nil for a new name.
func (l Layer) one(name string, p, b *Definition, parent Mode) (*Definition, error) {
	out := &Definition{Type: p.Type, Value: p.Value, Expression: p.Expression, Validator: p.Validator, builtin: p.builtin}
	members := p.Type == sel.ParamMap && p.Value != nil
	if err := l.value(name, out, p, b, parent); err != nil {
		return nil, err
	}

	out.Mode, out.InternalMode = p.Mode, p.InternalMode
	var old Mode
	if b != nil {
		old = b.Mode
		if out.Mode == 0 {
			out.Mode = old
		}
		if b.InternalMode != 0 {
			out.InternalMode = b.InternalMode
		}
		if out.Validator == nil {
			out.Validator = b.Validator
		}
		out.Tags = p.Tags.union(b.Tags)
	} else {
		out.Tags = p.Tags.union(nil)
	}
	out.Mode = max(out.Mode, out.InternalMode.implied(), Mutable)
	if l.Upstream {
		out.Mode = max(out.Mode, old)
	}
	out.Mode = max(out.Mode, parent)

	equal := b != nil && out.equal(b)
	// A literal MAP is checked member by member only: new members may come even into a CONSTANT one.
	if b != nil && !equal && !members && !l.Source.system() && !l.bypasses(p) {
		if err := l.check(name, p, out, old); err != nil {
			return nil, err
		}
	}

	out.Source = l.Source
	switch {
	case equal && (l.Source.system() || l.Upstream) && b.Source != 0:
		out.Source = b.Source
	case b == nil && l.Source.system() && p.Source != 0:
		out.Source = p.Source
	case b != nil && !equal && !l.Source.system() && !l.Upstream && p.Source != 0:
		return nil, fault.New(fault.BadRequest, "Cannot modify source for parameter [%s]", name)
	}
	return out, nil
}

// bypasses reports that the modes do not hold for p.
func (l Layer) bypasses(p *Definition) bool {
	return l.Upstream && p.Source != 0 && p.Source != SourceDefinition
}

func (l Layer) check(name string, p, out *Definition, old Mode) error {
	switch {
	case !l.permits(out.Mode):
		return fault.New(fault.BadRequest, "Cannot modify param with mode [%s] for parameter [%s]", out.Mode, name)
	case out.Mode < old:
		return fault.New(fault.BadRequest, "Cannot modify param mode to be less strict for parameter [%s] from [%s] to [%s]", name, old, out.Mode)
	case p.InternalMode != 0:
		return fault.New(fault.BadRequest, "Cannot modify system mode for parameter [%s]", name)
	case out.InternalMode == Reserved:
		return fault.New(fault.BadRequest, "Cannot modify param with system mode [%s] for parameter [%s]", Reserved, name)
	}
	return nil
}

// value sets the value, the expression and the type of the merged definition (parameters.md 5.1, 5.2).
func (l Layer) value(name string, out, p, b *Definition, parent Mode) error {
	if p.Value != nil && (p.Type == sel.ParamMap || p.Type == sel.ParamStringMap) {
		if b != nil && b.Type != p.Type {
			return fault.New(fault.BadRequest, "ParameterDefinition type mismatch, [%s] is not a [%s] but [%s]", name, p.Type, b.Type)
		}
		if b != nil && b.Value == nil && b.Expression != nil {
			return fault.New(fault.BadRequest, "%s param [%s] definition exp=[%s] is not a literal", p.Type, name, *b.Expression)
		}
		if p.Type == sel.ParamStringMap {
			if b != nil && b.Value != nil {
				out.Value = &Literal{V: uniteEntries(b.Value.V, p.Value.V)}
			}
			return nil
		}
		mode, members := p.Mode, &Definitions{}
		if b != nil {
			mode = b.Mode
			if b.Value != nil {
				members = b.Value.Members.Clone()
			}
		}
		if err := members.mergeUnder(p.Value.Members, l, max(parent, mode)); err != nil {
			return err
		}
		out.Value = &Literal{Members: members}
		return nil
	}
	if b == nil || b.Type == p.Type && (p.Type != sel.ParamDouble || p.Value == nil || p.Value.equal(b.Value)) {
		return nil
	}
	out.Type = b.Type
	if p.Value == nil {
		return nil // an expression is converted when it is evaluated
	}
	cast, ok := castLiteral(p.Value, p.Type, b.Type)
	if !ok {
		return fault.New(fault.BadRequest, "ParameterDefinition type mismatch name [%s] from [%s] != to [%s]", name, p.Type, b.Type)
	}
	out.Value = cast
	return nil
}

// uniteEntries is a MAP with the entries of b, over which those of p are put.
func uniteEntries(b, p sel.Value) sel.Value {
	entries := append(make([]sel.Entry, 0, b.Len()+p.Len()), b.Entries()...)
	at := make(map[string]int, len(entries))
	for i, e := range entries {
		at[e.Key] = i
	}
	for _, e := range p.Entries() {
		if i, ok := at[e.Key]; ok {
			entries[i] = e
			continue
		}
		entries = append(entries, e)
	}
	return sel.Map(entries)
}

// equal reports what the check of permissions takes for unchanged: value, expression, validator, tags and mode.
func (d *Definition) equal(e *Definition) bool {
	return d.Type == e.Type && d.Mode == e.Mode && equalText(d.Expression, e.Expression) && equalText(d.Validator, e.Validator) &&
		(d.Tags == nil) == (e.Tags == nil) && d.Tags.Equal(e.Tags) && d.Value.equal(e.Value)
}

func equalText(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

func (l *Literal) equal(m *Literal) bool {
	if l == m {
		return true
	}
	if l == nil || m == nil || len(l.Decimals) != len(m.Decimals) || !slices.Equal(l.NullDecimals, m.NullDecimals) ||
		(l.Members == nil) != (m.Members == nil) || l.Members.Len() != m.Members.Len() {
		return false
	}
	for i := range l.Decimals {
		if l.Decimals[i] != m.Decimals[i] {
			return false
		}
	}
	for name, d := range l.Members.All() {
		e := m.Members.Get(name)
		if e == nil || !d.equal(e) {
			return false
		}
	}
	return equalValue(l.V, m.V)
}

// Cleanup takes out what may be absent and is, and refuses what is missing (parameters.md 5.6). It ends a series of
// merges; internal modes are gone afterwards. The map is changed, definitions in it are replaced.
func (d *Definitions) Cleanup() error {
	kept := d.list[:0]
	index := d.index
	for _, e := range d.list {
		def := e.Value
		if def.Value != nil && def.Type == sel.ParamMap && def.Value.Members.Len() > 0 && def.Value.Members.needsCleanup() {
			members := def.Value.Members.Clone()
			if err := members.Cleanup(); err != nil {
				return err
			}
			c := *def
			c.Value = &Literal{Members: members}
			def = &c
		}
		empty := def.Value == nil && def.Expression == nil
		if def.InternalMode == Optional && (empty || def.Value != nil && def.Type == sel.ParamMap && def.Value.Members.Len() == 0) {
			delete(index, e.Name)
			continue
		}
		if empty {
			return fault.New(fault.BadRequest, "[%s] is a required parameter (type=[%s])", e.Name, def.Type)
		}
		if def.InternalMode != 0 {
			if def == e.Value {
				c := *def
				def = &c
			}
			def.InternalMode = 0
		}
		kept = append(kept, named[*Definition]{e.Name, def})
	}
	clear(d.list[len(kept):])
	d.list = kept
	for i := range kept {
		if index != nil {
			index[kept[i].Name] = i
		}
	}
	return nil
}

// needsCleanup reports whether Cleanup would change anything, or fail.
func (d *Definitions) needsCleanup() bool {
	for _, e := range d.list {
		def := e.Value
		if def.InternalMode != 0 || def.Value == nil && def.Expression == nil {
			return true
		}
		if def.Value != nil && def.Type == sel.ParamMap && def.Value.Members.Len() > 0 && def.Value.Members.needsCleanup() {
			return true
		}
	}
	return false
}
