package wire

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/downbeat/downbeat/core/sel/javatext"
)

// decoder keeps the first error of a document.
type decoder struct{ err *Error }

// place is where a value stands.
type place struct {
	up    *place
	name  string
	index int // of an element; names have -1
}

func (p *place) String() string {
	if p == nil {
		return ""
	}
	if p.index >= 0 {
		return fmt.Sprintf("%s[%d]", p.up, p.index)
	}
	if up := p.up.String(); up != "" {
		return up + "." + p.name
	}
	return p.name
}

// Node is a value in a document that is being read: the getters convert it by Maestro's rules (workflow-definition 1) and
// record an error when it does not fit. The zero Node is absent.
type Node struct {
	d  *decoder
	at *place
	v  Value
}

// Root is the Node of a whole document. path names it in errors; it may be "". Its errors are found by Err.
func Root(v Value, path string) Node {
	n := Node{d: &decoder{}, v: v}
	if path != "" {
		n.at = &place{name: path, index: -1}
	}
	return n
}

// Open begins to read a document that must be an object. path names it in errors; it may be "".
func Open(v Value, path string) (*Object, error) {
	n := Root(v, path)
	if v.kind != KindObject {
		n.Fail("expected an object, found %s", v.kind)
		return nil, n.Err()
	}
	return n.Object(), nil
}

// Value is the tree itself.
func (n Node) Value() Value { return n.v }

// IsNull reports that the value is null or absent.
func (n Node) IsNull() bool { return n.v.kind == KindNull }

// Path is where the value stands, as errors show it.
func (n Node) Path() string { return n.at.String() }

// Err is the first error of the document so far, nil if there is none.
func (n Node) Err() error {
	if n.d == nil || n.d.err == nil {
		return nil
	}
	return n.d.err
}

// Fail records an error at this place. Only the first error of a document is kept.
func (n Node) Fail(format string, args ...any) {
	if n.d != nil && n.d.err == nil {
		n.d.err = &Error{Path: n.at.String(), Msg: fmt.Sprintf(format, args...)}
	}
}

// Check records err, if it is not nil, as an error of this place. An *Error keeps its own path below this one.
func (n Node) Check(err error) {
	if err == nil || n.d == nil || n.d.err != nil {
		return
	}
	e, ok := err.(*Error)
	if !ok {
		n.Fail("%s", err.Error())
		return
	}
	c := *e
	if up := n.at.String(); up != "" && !strings.HasPrefix(c.Path, up) {
		c.Path = strings.TrimSuffix(up+"."+c.Path, ".")
	}
	n.d.err = &c
}

func (n Node) mismatch(want string) { n.Fail("expected %s, found %s", want, n.v.kind) }

// StrOpt is a text; numbers and booleans are taken as their text. nil for null.
func (n Node) StrOpt() *string {
	switch n.v.kind {
	case KindString, KindNumber, KindBool:
		s := n.v.text
		return &s
	case KindArray, KindObject:
		n.mismatch("a string")
	}
	return nil
}

// Str is StrOpt with "" for null.
func (n Node) Str() string {
	if s := n.StrOpt(); s != nil {
		return *s
	}
	return ""
}

// blank reports text that counts as null for numbers and booleans: nothing, blanks, or the word null.
func blank(s string) bool { return s == "" || s == "null" }

// LongOpt is a 64-bit integer: fractions are cut toward zero, texts of integers are read, "" and null give nil.
func (n Node) LongOpt() *int64 { return n.integer(math.MinInt64, math.MaxInt64, "a long") }

// Long is LongOpt with 0 for null.
func (n Node) Long() int64 {
	if v := n.LongOpt(); v != nil {
		return *v
	}
	return 0
}

// IntOpt is LongOpt within 32 bits.
func (n Node) IntOpt() *int64 { return n.integer(math.MinInt32, math.MaxInt32, "an integer") }

func (n Node) integer(lo, hi int64, want string) *int64 {
	var v int64
	switch n.v.kind {
	case KindNull:
		return nil
	case KindNumber:
		var ok bool
		if v, ok = Truncate(n.v.text); !ok {
			n.Fail("number %s is out of the range of %s", n.v.text, want)
			return nil
		}
	case KindString:
		s := strings.TrimSpace(n.v.text)
		if blank(s) {
			return nil
		}
		var err error
		if v, err = javatext.ParseLong(s); err != nil {
			n.Fail("text %q is not %s", n.v.text, want)
			return nil
		}
	default:
		n.mismatch(want)
		return nil
	}
	if v < lo || v > hi {
		n.Fail("number %d is out of the range of %s", v, want)
		return nil
	}
	return &v
}

// Truncate is the integer part of a JSON number; false when 64 bits do not hold it.
func Truncate(number string) (int64, bool) {
	if v, err := strconv.ParseInt(number, 10, 64); err == nil {
		return v, true
	}
	d, ok := ParseDecimal(number)
	if !ok {
		return 0, false
	}
	digits := d.Digits
	switch cut := int64(len(digits)) - d.Scale; {
	case digits == "0" || cut <= 0:
		return 0, true
	case cut > 19:
		return 0, false
	case d.Scale >= 0:
		digits = digits[:cut]
	default:
		digits += strings.Repeat("0", int(-d.Scale))
	}
	if d.Negative {
		digits = "-" + digits
	}
	v, err := strconv.ParseInt(digits, 10, 64)
	return v, err == nil
}

// DecimalOpt is an exact decimal, from a number or its text; "" and null give false.
func (n Node) DecimalOpt() (Decimal, bool) {
	s := n.v.text
	switch n.v.kind {
	case KindNull:
		return Decimal{}, false
	case KindString:
		if s = strings.TrimSpace(s); blank(s) {
			return Decimal{}, false
		}
	case KindNumber:
	default:
		n.mismatch("a number")
		return Decimal{}, false
	}
	d, ok := ParseDecimal(s)
	if !ok {
		n.Fail("text %q is not a decimal number", n.v.text)
	}
	return d, ok
}

// DoubleOpt is a double, from a number or its text; "" and null give nil.
func (n Node) DoubleOpt() *float64 {
	if n.v.kind == KindString {
		s := strings.TrimSpace(n.v.text)
		if blank(s) {
			return nil
		}
		f, err := javatext.ParseDouble(s)
		if err != nil {
			n.Fail("text %q is not a double", n.v.text)
			return nil
		}
		return &f
	}
	if n.v.kind == KindNumber {
		f, _ := strconv.ParseFloat(n.v.text, 64) // beyond the range it is an infinity
		return &f
	}
	if n.v.kind != KindNull {
		n.mismatch("a number")
	}
	return nil
}

// BoolOpt is a boolean: also the texts true, True, TRUE and their counterparts, and integers, of which 0 is false. ""
// and null give nil.
func (n Node) BoolOpt() *bool {
	var v bool
	switch n.v.kind {
	case KindNull:
		return nil
	case KindBool:
		v = n.v.text == "true"
	case KindNumber:
		if !isInteger(n.v.text) {
			n.Fail("number %s is not a boolean", n.v.text)
			return nil
		}
		v = n.v.text != "0" && n.v.text != "-0"
	case KindString:
		switch s := strings.TrimSpace(n.v.text); s {
		case "true", "True", "TRUE":
			v = true
		case "false", "False", "FALSE":
		default:
			if !blank(s) {
				n.Fail("text %q is not a boolean: only \"true\" and \"false\" are", n.v.text)
			}
			return nil
		}
	default:
		n.mismatch("a boolean")
		return nil
	}
	return &v
}

// Bool is BoolOpt with false for null.
func (n Node) Bool() bool {
	v := n.BoolOpt()
	return v != nil && *v
}

// Enum is a text that is, in any letter case, one of the names; the result is the name as listed, "" for null.
func (n Node) Enum(names []string) string {
	if n.v.kind == KindNull {
		return ""
	}
	if n.v.kind != KindString {
		n.mismatch("one of " + strings.Join(names, ", "))
		return ""
	}
	up := strings.ToUpper(n.v.text)
	for _, name := range names {
		if name == n.v.text || strings.ToUpper(name) == up {
			return name
		}
	}
	n.Fail("%q is not one of %s", n.v.text, strings.Join(names, ", "))
	return ""
}

// EnumExact is a name in exactly the listed case, or its number in the list, from 0; "" for null. An empty text is an
// error.
func (n Node) EnumExact(names []string) string {
	switch n.v.kind {
	case KindNull:
		return ""
	case KindString:
		for _, name := range names {
			if name == n.v.text {
				return name
			}
		}
	case KindNumber:
		if k, err := strconv.Atoi(n.v.text); err == nil && k >= 0 && k < len(names) {
			return names[k]
		}
	}
	n.Fail("%q is not one of %s", n.v.text, strings.Join(names, ", "))
	return ""
}

// Object is the members of an object; nil for null and, with an error recorded, for anything else.
func (n Node) Object() *Object {
	if n.v.kind == KindObject {
		return &Object{n: n}
	}
	if n.v.kind != KindNull {
		n.mismatch("an object")
	}
	return nil
}

// List is the elements of an array, null ones included; nil for null, and, with an error recorded, for anything else.
func (n Node) List() []Node {
	if n.v.kind != KindArray {
		if n.v.kind != KindNull {
			n.mismatch("an array")
		}
		return nil
	}
	list := make([]Node, len(n.v.list))
	places := make([]place, len(n.v.list))
	for i, v := range n.v.list {
		places[i] = place{up: n.at, index: i}
		list[i] = Node{d: n.d, at: &places[i], v: v}
	}
	return list
}

// Member is a member of a map.
type Member struct {
	Name string
	Node
}

// Members are the members of an object that is a map of names, in order, null ones included; nil for null, and, with an
// error recorded, for anything else.
func (n Node) Members() []Member {
	if n.v.kind != KindObject {
		if n.v.kind != KindNull {
			n.mismatch("an object")
		}
		return nil
	}
	members := make([]Member, len(n.v.fields))
	places := make([]place, len(n.v.fields))
	for i := range n.v.fields {
		f := &n.v.fields[i]
		places[i] = place{up: n.at, name: f.Name, index: -1}
		members[i] = Member{f.Name, Node{d: n.d, at: &places[i], v: f.Value}}
	}
	return members
}

// Object reads the members of one object. Every getter takes the name of a member, which is then known.
//
// A nil *Object has no members: getters give what they give for absent ones.
type Object struct {
	n    Node
	used []bool // of the fields; nil until the first is used
}

// Node is the object as a value.
func (o *Object) Node() Node {
	if o == nil {
		return Node{}
	}
	return o.n
}

// Fail records an error of the object.
func (o *Object) Fail(format string, args ...any) { o.Node().Fail(format, args...) }

// Get is a member, an absent Node (with a path) when there is none.
func (o *Object) Get(name string) Node {
	if o == nil {
		return Node{}
	}
	n := Node{d: o.n.d, at: &place{up: o.n.at, name: name, index: -1}}
	for i := range o.n.v.fields {
		if o.n.v.fields[i].Name == name {
			o.use(i)
			n.v = o.n.v.fields[i].Value
			break
		}
	}
	return n
}

func (o *Object) use(i int) {
	if o.used == nil {
		o.used = make([]bool, len(o.n.v.fields))
	}
	o.used[i] = true
}

// Has reports a member that is there, even as null.
func (o *Object) Has(name string) bool {
	if o == nil {
		return false
	}
	for i := range o.n.v.fields {
		if o.n.v.fields[i].Name == name {
			o.use(i)
			return true
		}
	}
	return false
}

// Ignore makes members known without looking at them.
func (o *Object) Ignore(names ...string) {
	for _, name := range names {
		o.Has(name)
	}
}

// Value is the tree of a member, null when it is absent.
func (o *Object) Value(name string) Value { return o.Get(name).v }

// Str is Node.Str of a member.
func (o *Object) Str(name string) string { return o.Get(name).Str() }

// StrOpt is Node.StrOpt of a member.
func (o *Object) StrOpt(name string) *string { return o.Get(name).StrOpt() }

// Long is Node.Long of a member.
func (o *Object) Long(name string) int64 { return o.Get(name).Long() }

// LongOpt is Node.LongOpt of a member.
func (o *Object) LongOpt(name string) *int64 { return o.Get(name).LongOpt() }

// IntOpt is Node.IntOpt of a member.
func (o *Object) IntOpt(name string) *int64 { return o.Get(name).IntOpt() }

// DecimalOpt is Node.DecimalOpt of a member.
func (o *Object) DecimalOpt(name string) (Decimal, bool) { return o.Get(name).DecimalOpt() }

// DoubleOpt is Node.DoubleOpt of a member.
func (o *Object) DoubleOpt(name string) *float64 { return o.Get(name).DoubleOpt() }

// Bool is Node.Bool of a member.
func (o *Object) Bool(name string) bool { return o.Get(name).Bool() }

// BoolOpt is Node.BoolOpt of a member.
func (o *Object) BoolOpt(name string) *bool { return o.Get(name).BoolOpt() }

// Object is Node.Object of a member.
func (o *Object) Object(name string) *Object { return o.Get(name).Object() }

// List is Node.List of a member.
func (o *Object) List(name string) []Node { return o.Get(name).List() }

// Members are Node.Members of a member.
func (o *Object) Members(name string) []Member { return o.Get(name).Members() }

// Enum is Node.Enum of a member.
func (o *Object) Enum(name string, names []string) string { return o.Get(name).Enum(names) }

// EnumExact is Node.EnumExact of a member.
func (o *Object) EnumExact(name string, names []string) string { return o.Get(name).EnumExact(names) }

// Strs is a list of texts; null elements become "". nil for null.
func (o *Object) Strs(name string) []string {
	list := o.List(name)
	if list == nil {
		return nil
	}
	s := make([]string, len(list))
	for i, n := range list {
		s[i] = n.Str()
	}
	return s
}

// Type is the member that tells the type of a polymorphic object, `type` as a rule: one of the names in any letter case,
// given as listed. Without the member, or with another text, an error is recorded and the result is "".
func (o *Object) Type(name string, names []string) string {
	n := o.Get(name)
	if n.IsNull() {
		o.Fail("missing type id property '%s'", name)
		return ""
	}
	text := n.v.text
	if n.v.kind == KindArray || n.v.kind == KindObject {
		n.mismatch("a string")
		return ""
	}
	up := strings.ToUpper(text)
	for _, known := range names {
		if strings.ToUpper(known) == up {
			return known
		}
	}
	o.Fail("Could not resolve type id '%s', known type ids = [%s]", text, strings.Join(names, ", "))
	return ""
}

// Rest hands out the members that no getter has asked for, in order, null ones included: the extras of objects that
// collect them. A member named collector (if not "") with an object as value sets the whole collection: it replaces
// what stands before it in the document, and what stands after it is added. Afterwards every member is known.
func (o *Object) Rest(collector string) []Field {
	if o == nil {
		return nil
	}
	var rest []Field
	put := func(f Field) {
		for i := range rest {
			if rest[i].Name == f.Name {
				rest[i] = f
				return
			}
		}
		rest = append(rest, f)
	}
	for i, f := range o.n.v.fields {
		if o.used != nil && o.used[i] {
			continue
		}
		if collector != "" && f.Name == collector {
			switch f.Value.kind {
			case KindObject:
				rest = append(rest[:0:0], f.Value.fields...)
			case KindNull:
				rest = nil
			default:
				o.Get(collector).mismatch("an object")
			}
		} else {
			put(f)
		}
		o.use(i)
	}
	return rest
}

// Close ends the reading: the first error of the document so far, or an error for a member that no getter has asked
// for. nil on a nil Object.
func (o *Object) Close() error {
	if o == nil {
		return nil
	}
	for i := range o.n.v.fields {
		if o.n.d.err != nil {
			break
		}
		if o.used == nil || !o.used[i] {
			o.Fail("Unrecognized field %q, not marked as ignorable", o.n.v.fields[i].Name)
		}
	}
	return o.n.Err()
}
