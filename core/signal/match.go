package signal

import (
	"cmp"
	"sort"
	"strings"

	"github.com/downbeat/downbeat/core/definition"
)

// Condition compares a param of an instance with a value. One without operator or value is met by nothing.
type Condition struct {
	Name     string
	Value    *definition.SignalValue
	Operator definition.Operator
}

// Holds tells whether an instance meets all conditions. Types do not mix: a long neither equals nor orders against a
// text.
func Holds(conditions []Condition, i *Instance) bool {
	for _, c := range conditions {
		v, ok := i.Param(c.Name)
		if !ok || c.Value == nil || v.IsText != c.Value.IsText || !c.holds(v) {
			return false
		}
	}
	return true
}

func (c *Condition) holds(v definition.SignalValue) bool {
	n := cmp.Compare(v.Long, c.Value.Long)
	if v.IsText {
		n = strings.Compare(v.Text, c.Value.Text)
	}
	switch c.Operator {
	case definition.Equal:
		return n == 0
	case definition.Greater:
		return n > 0
	case definition.GreaterOrEqual:
		return n >= 0
	case definition.Less:
		return n < 0
	case definition.LessOrEqual:
		return n <= 0
	}
	return false
}

// KeyOf is the condition under which those who wait, and the history, are filed: the equality on the smallest name (P33).
// false: there is none, and everything of the name must be looked at.
func KeyOf(conditions []Condition) (Param, bool) {
	var keys []Param
	for _, c := range conditions {
		if c.Operator == definition.Equal && c.Value != nil {
			keys = append(keys, Param{c.Name, *c.Value})
		}
	}
	if len(keys) == 0 {
		return Param{}, false
	}
	sort.SliceStable(keys, func(i, j int) bool { return keys[i].Name < keys[j].Name })
	return keys[0], true
}

// ConditionsOf are the conditions of a trigger on one of its signals.
func ConditionsOf(e *definition.SignalEntry) []Condition {
	if e == nil {
		return nil
	}
	var list []Condition
	for _, m := range e.MatchParams {
		list = append(list, Condition{m.Name, m.Value, m.Operator})
	}
	return list
}

// joined are the values of the join keys of an instance, in their order; false when one is missing.
func joined(e *definition.SignalEntry, i *Instance) ([]definition.SignalValue, bool) {
	if e == nil {
		return nil, true
	}
	values := make([]definition.SignalValue, 0, len(e.JoinKeys))
	for _, k := range e.JoinKeys {
		if k == nil {
			return nil, false
		}
		v, ok := i.Param(*k)
		if !ok {
			return nil, false
		}
		values = append(values, v)
	}
	return values, true
}
