package param

import (
	"fmt"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/sel/javatext"
)

// MaxSize is the most characters of JSON, in UTF-16 units, that the params of a run or of an attempt may have
// (parameters.md 15).
const MaxSize = 750_000

// MaxRunParams is the most params of one map of a request.
const MaxRunParams = 128

// CheckSize holds the params against MaxSize. The error is a BAD_REQUEST.
func (p *Params) CheckSize() error {
	bound := 2
	for i := range p.Len() {
		// What is written besides names, values and results: keys, punctuation, mode, source, time.
		bound += 256 + 6*len(p.list[i].Name) + p.list[i].Value.bound()
	}
	if bound <= MaxSize {
		return nil
	}
	n := javatext.Len(string(p.AppendJSON(nil)))
	if n <= MaxSize {
		return nil
	}
	return fault.New(fault.BadRequest, "Parameters' total size [%d] is larger than system limit [%d]", n, MaxSize)
}

// bound is at least the length of the JSON, less a constant.
func (p *Param) bound() int {
	n := p.Definition.bound() + valueBound(p.Result) + 6*(len(p.Info)+len(p.Warn))
	return n
}

func (d *Definition) bound() int {
	n := 0
	if d.Value != nil {
		n += valueBound(d.Value.V) + 32*len(d.Value.Decimals)
		for _, x := range d.Value.Decimals {
			n += len(x.Digits)
		}
		for name, m := range d.Value.Members.All() {
			n += 256 + 6*len(name) + m.bound()
		}
	}
	if d.Expression != nil {
		n += 6 * len(*d.Expression)
	}
	if d.Validator != nil {
		n += 6 * len(*d.Validator)
	}
	for _, t := range d.Tags {
		n += 64 + 6*(len(t.Name)+len(t.Namespace))
		for _, a := range t.Attributes {
			n += 8 + 6*len(a.Name) + len(a.Value.AppendJSON(nil))
		}
	}
	for _, f := range d.Meta {
		n += 8 + 6*len(f.Name) + len(f.Value.AppendJSON(nil))
	}
	return n
}

func valueBound(v sel.Value) int {
	switch v.Type() {
	case sel.TypeString:
		return 8 + 6*len(v.AsString())
	case sel.TypeStringArray:
		n := 2
		texts, _ := v.AsStrings()
		for _, s := range texts {
			n += 8 + 6*len(s)
		}
		return n
	case sel.TypeMap:
		n := 2
		for _, e := range v.Entries() {
			n += 8 + 6*len(e.Key) + valueBound(e.Value)
		}
		return n
	}
	return 32 + 32*v.Len()
}

func tooMany(n int) string {
	return fmt.Sprintf("[param definition] contain the number of params [%d] more than param size limit %d", n, MaxRunParams)
}
