// Package signal decides about signals: named streams of small records that start workflows, that steps wait for, and
// that callers and steps announce. It is pure; the shell stores streams, subscriptions and waiters.
package signal

import (
	"crypto/md5"
	"encoding/hex"
	"math"
	"slices"
	"sort"
	"unicode/utf16"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/pack"
	"github.com/downbeat/downbeat/core/request"
	"github.com/downbeat/downbeat/core/wire"
)

// Instance is one record of a signal's stream.
type Instance struct {
	Name string
	// Seq is its number in the stream, from 1 without gaps; 0 while it is not announced.
	Seq int64
	// ID is what makes it one: a second announcement with the same name and id is a duplicate. "" is an id too.
	ID          string
	Params      []Param      // what can be matched, in the order given
	Payload     []wire.Field // what cannot
	RequestTime int64        // epoch milliseconds, as announced
	CreateTime  int64        // epoch milliseconds
}

// Param is a param of a signal: a long or a text.
type Param struct {
	Name  string
	Value definition.SignalValue
}

// Param finds a param by its name.
func (i *Instance) Param(name string) (definition.SignalValue, bool) {
	for _, p := range i.Params {
		if p.Name == name {
			return p.Value, true
		}
	}
	return definition.SignalValue{}, false
}

// Read reads the body of an announcement. The instance has no number and no create time yet.
func Read(body []byte, now int64) (*Instance, error) {
	o, err := request.Object(body)
	if err != nil {
		return nil, err
	}
	in := &Instance{RequestTime: now}
	in.Name = o.Str("name")
	named := false
	if n := o.Get("request_id"); !n.IsNull() {
		if s := n.StrOpt(); s != nil {
			in.ID, named = *s, true
		}
	}
	if o.Has("request_time") {
		in.RequestTime = o.Long("request_time")
	}
	for _, m := range o.Members("params") {
		in.Params = append(in.Params, Param{m.Name, readValue(m.Node, m.Name)})
	}
	in.Payload, err = payload(o)
	if err != nil {
		return nil, err
	}
	if err := o.Close(); err != nil {
		return nil, err
	}
	if msg := definition.CheckName(in.Name); msg != "" {
		return nil, fault.New(fault.BadRequest, "name: %s", msg)
	}
	if !named {
		in.ID = DerivedID(in.Name, in.Params)
	}
	return in, nil
}

// payload collects the members that have no other meaning. After an explicit null nothing may be added any more: the
// collection is not there, a quirk that callers see as a refusal.
func payload(o *wire.Object) ([]wire.Field, error) {
	gone := false
	for _, f := range o.Node().Value().Fields() {
		switch f.Name {
		case "name", "params", "request_id", "request_time":
		case "payload":
			gone = f.Value.IsNull()
		default:
			if gone {
				return nil, fault.New(fault.BadRequest, "payload: [%s] cannot be added to a payload that is null", f.Name)
			}
		}
	}
	return o.Rest("payload"), nil
}

func readValue(n wire.Node, name string) definition.SignalValue {
	v := n.Value()
	switch v.Kind() {
	case wire.KindString:
		return definition.SignalValue{IsText: true, Text: v.Text()}
	case wire.KindNumber:
		return definition.SignalValue{Long: cut(n)}
	}
	n.Fail("param [%s] of a signal must be a number or a string", name)
	return definition.SignalValue{}
}

// cut gives a number as a long: integers exactly, others cut toward zero and kept within 64 bits.
func cut(n wire.Node) int64 {
	text := n.Value().Text()
	integer := true
	for _, c := range text {
		integer = integer && (c == '-' || c >= '0' && c <= '9')
	}
	if integer {
		return n.Long() // out of range is refused
	}
	f := n.DoubleOpt()
	switch {
	case f == nil || math.IsNaN(*f):
		return 0
	case *f >= math.MaxInt64:
		return math.MaxInt64
	case *f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(*f)
}

// DerivedID is the id of an announcement that names none: the version 3 UUID of its name and params. Neither payload nor
// times count, so what says the same is the same.
func DerivedID(name string, params []Param) string {
	w := wire.NewWriter(nil)
	w.Open()
	w.Str("name", name)
	if len(params) > 0 {
		sorted := append([]Param(nil), params...)
		sort.SliceStable(sorted, func(i, j int) bool {
			return slices.Compare(utf16.Encode([]rune(sorted[i].Name)), utf16.Encode([]rune(sorted[j].Name))) < 0
		})
		w.Object("params")
		for _, p := range sorted {
			writeValue(w, p.Name, p.Value)
		}
		w.Close()
	}
	w.Long("request_time", 0)
	w.Close()
	return nameUUID(w.Bytes())
}

func nameUUID(text []byte) string {
	sum := md5.Sum(text)
	sum[6] = sum[6]&0x0f | 0x30
	sum[8] = sum[8]&0x3f | 0x80
	h := hex.EncodeToString(sum[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func writeValue(w *wire.Writer, name string, v definition.SignalValue) {
	if v.IsText {
		w.Str(name, v.Text)
		return
	}
	w.Long(name, v.Long)
}

// AppendJSON writes the instance as it is shown.
func (i *Instance) AppendJSON(b []byte) []byte {
	w := wire.NewWriter(b)
	w.Open()
	w.Str("name", i.Name)
	w.Long("seq_id", i.Seq)
	w.StrIf("instance_id", i.ID)
	if len(i.Params) > 0 {
		w.Object("params")
		for _, p := range i.Params {
			writeValue(w, p.Name, p.Value)
		}
		w.Close()
	}
	if len(i.Payload) > 0 {
		w.Object("payload")
		for _, f := range i.Payload {
			w.Value(f.Name, f.Value)
		}
		w.Close()
	}
	w.Long("request_time", i.RequestTime)
	w.Long("create_time", i.CreateTime)
	w.Close()
	return w.Bytes()
}

const instanceFormat = 1

// Encode is the stored form.
func (i *Instance) Encode() []byte {
	var w pack.Writer
	w.Format(instanceFormat)
	w.Str(i.Name)
	w.Int(i.Seq)
	w.Str(i.ID)
	encodeParams(&w, i.Params)
	p := wire.NewWriter(nil)
	p.Open()
	for _, f := range i.Payload {
		p.Value(f.Name, f.Value)
	}
	p.Close()
	w.Bytes(p.Bytes())
	w.Int(i.RequestTime)
	w.Int(i.CreateTime)
	return w.Buf
}

func encodeParams(w *pack.Writer, params []Param) {
	w.Uint(uint64(len(params)))
	for _, p := range params {
		w.Str(p.Name)
		encodeValue(w, p.Value)
	}
}

func encodeValue(w *pack.Writer, v definition.SignalValue) {
	w.Bool(v.IsText)
	if v.IsText {
		w.Str(v.Text)
		return
	}
	w.Int(v.Long)
}

func decodeValue(r *pack.Reader) definition.SignalValue {
	if r.Bool() {
		return definition.SignalValue{IsText: true, Text: r.Str()}
	}
	return definition.SignalValue{Long: r.Int()}
}

// Decode reads the stored form.
func Decode(data []byte) (*Instance, error) {
	r, _, err := pack.NewReader(data, instanceFormat)
	if err != nil {
		return nil, err
	}
	i := &Instance{Name: r.Str(), Seq: r.Int(), ID: r.Str()}
	for n := r.Count(); n > 0; n-- {
		i.Params = append(i.Params, Param{r.Str(), decodeValue(r)})
	}
	payload := r.Bytes()
	i.RequestTime, i.CreateTime = r.Int(), r.Int()
	if r.Err() != nil {
		return nil, r.Err()
	}
	v, err := wire.Parse(payload)
	if err != nil {
		return nil, err
	}
	i.Payload = v.Fields()
	return i, nil
}
