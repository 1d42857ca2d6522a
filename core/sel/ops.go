package sel

import (
	"math"
	"strings"

	"github.com/downbeat/downbeat/core/sel/javatext"
	"github.com/downbeat/downbeat/core/sel/joda"
	"github.com/downbeat/downbeat/core/sel/syntax"
)

// typesByName are the names that may stand in type and `new` position (section 5.2).
var typesByName = map[string]Type{
	"int": TypeLong, "long": TypeLong, "Integer": TypeLong, "Long": TypeLong,
	"float": TypeDouble, "double": TypeDouble, "Float": TypeDouble, "Double": TypeDouble,
	"boolean": TypeBoolean, "Boolean": TypeBoolean, "String": TypeString,
	"Map": TypeMap, "HashMap": TypeMap, "LinkedHashMap": TypeMap,
	"DateTime": TypeDateTime, "DateTimeZone": TypeDateTimeZone,
	"DateTimeFormat": TypeDateTimeFormatter, "DateTimeFormatter": TypeDateTimeFormatter,
	"Property": TypeDateTimeProperty, "Days": TypeDateTimeDays, "UUID": TypeUUID,
}

// predefined are the variables that every evaluation begins with.
var predefined = map[string]Type{
	"Integer": TypeLong, "Long": TypeLong, "Float": TypeDouble, "Double": TypeDouble, "Boolean": TypeBoolean,
	"String": TypeString, "Map": TypeMap, "HashMap": TypeMap, "LinkedHashMap": TypeMap,
	"DateTime": TypeDateTime, "DateTimeZone": TypeDateTimeZone, "DateTimeFormat": TypeDateTimeFormatter,
	"DateTimeFormatter": TypeDateTimeFormatter, "Property": TypeDateTimeProperty, "Days": TypeDateTimeDays,
	"UUID": TypeUUID, "Math": TypeMath, "Util": TypeUtil,
	"System": TypeMisc, "Arrays": TypeMisc, "DateTimeConstants": TypeMisc, "params": TypeParams,
}

// emptyCell has what a variable without initialiser holds.
func emptyCell(typ Type) cell {
	c := cell{typ: typ}
	switch {
	case typ == TypeLong || typ == TypeDouble || typ == TypeBoolean || typ >= TypeMath && typ <= TypeMisc:
	case typ.isArray():
		c.ref = &array{}
	default:
		c.null = true
	}
	return c
}

func (ev *evaluator) defaultCell(typ Type) *cell {
	c := ev.make(typ)
	if c != nil {
		*c = emptyCell(typ)
	}
	return c
}

// variable finds a name that no slot holds yet: a predefined name, an input, or NULL.
func (ev *evaluator) variable(slot int) *cell {
	name := ev.prog.slotNames[slot]
	if typ, ok := predefined[name]; ok {
		c := ev.newCell()
		*c = emptyCell(typ)
		ev.vars[slot] = c
		return c
	}
	c, found := ev.input(name)
	if c != nil && found {
		ev.vars[slot] = c
	}
	return c
}

// input copies an input; NULL and false if there is none, nil after a failure.
func (ev *evaluator) input(name string) (c *cell, found bool) {
	v, ok := ev.env.Inputs[name]
	if !ok && ev.env.Lookup != nil {
		var err error
		if v, ok, err = ev.env.Lookup(name); err != nil {
			ev.fail(outside(err))
			return nil, false
		}
	}
	if !ok {
		return nullCell, false
	}
	return ev.fromValue(v, 0), true
}

func (ev *evaluator) mismatch(l, r Type) *cell {
	ev.failf(CatTypeMismatch, "Type mismatch, lhs type: %s, rhs object type: %s", l, r)
	return nil
}

func subject(t Type) string {
	switch t {
	case TypeLong:
		return "int/Integer/long/Long"
	case TypeDouble:
		return "float/Float/double/Doubles"
	}
	return t.String()
}

func (ev *evaluator) noOperation(t Type, op syntax.Op) *cell {
	ev.failf(CatNoOperation, "%s DO NOT support expression operation %s", subject(t), op)
	return nil
}

func (ev *evaluator) noContent(t Type) *cell {
	ev.failf(CatNoContent, "%s does not support getInternalVal operation.", t)
	return nil
}

func (ev *evaluator) castError(t Type, to string) *cell {
	ev.failf(CatArgumentType, "%s cannot be cast to %s", t, to)
	return nil
}

func (ev *evaluator) nullObject(what string) *cell {
	ev.failf(CatNullObject, "%s is null", what)
	return nil
}

// contentText is the text of a cell's content in `+`.
func (ev *evaluator) contentText(c *cell) (string, bool) {
	if !c.hasContent() {
		ev.noContent(c.typ)
		return "", false
	}
	switch {
	case c.typ == TypeMap && !c.null:
		b, ok := ev.appendMap(nil, c, 0)
		return javatext.Normalize(string(b)), ok
	case c.typ.isArray() || c.typ == TypeDateTimeFormatter && !c.null:
		return ev.identity(c.typ), true
	}
	return c.scalarText(), true
}

// identityMark stands where Maestro shows the identity of an array or a formatter ([J@1b2c3d), which is
// another one each time. Different from there, a result that shows it is an error. It is a character for
// private use, and only looked for once an identity was used.
const identityMark = "\U000F5E1D"

func (ev *evaluator) identity(t Type) string {
	if ev.identityUsed == nil {
		ev.identityUsed = &Error{Category: CatNoContent, Message: t.String() + " has no text"}
	}
	return identityMark
}

// shows refuses text that leaves the evaluation with an identity in it.
func (ev *evaluator) shows(s string) bool {
	if ev.identityUsed != nil && strings.Contains(s, identityMark) {
		ev.fail(ev.identityUsed)
		return true
	}
	return false
}

// appendMap writes the text of a map (section 7.6).
func (ev *evaluator) appendMap(out []byte, c *cell, depth int) ([]byte, bool) {
	if depth > maxNesting {
		return out, ev.failf(CatResultExtraction, "Invalid map: it contains itself, or maps nested more than %d deep", maxNesting)
	}
	if c.null {
		return append(out, "null"...), true
	}
	m := c.ref.(*hashMap)
	out = append(out, '{')
	ok := true
	for n, i := range m.order() {
		e := m.entries[i]
		if n > 0 {
			out = append(out, ", "...)
		}
		out = append(out, e.key.scalarText()...)
		out = append(out, '=')
		if out, ok = ev.appendMapValue(out, e.val, depth); !ok || !ev.fits(len(out)) {
			return out, false
		}
	}
	return append(out, '}'), true
}

// fits refuses a text under construction that could not be counted against the memory limit any more,
// and counts the work.
func (ev *evaluator) fits(n int) bool {
	if int64(n) > ev.limits.Memory-ev.memory+64 {
		return ev.charge(int64(n))
	}
	return ev.spend(8)
}

func (ev *evaluator) appendMapValue(out []byte, v *cell, depth int) ([]byte, bool) {
	switch {
	case v.typ == TypeMap:
		return ev.appendMap(out, v, depth+1)
	case v.typ == TypeNull:
		return append(out, "NULL"...), true
	case v.typ.isArray():
		out = append(out, '[')
		for i := range v.ref.(*array).elems {
			if i > 0 {
				out = append(out, ", "...)
			}
			out = append(out, v.ref.(*array).elems[i].scalarText()...)
			if !ev.fits(len(out)) {
				return out, false
			}
		}
		return append(out, ']'), true
	case v.typ == TypeDateTimeFormatter:
		return append(out, ev.identity(v.typ)...), true
	case !v.hasContent():
		return out, ev.failf(CatNoContent, "%s does not support getInternalVal operation.", v.typ)
	}
	return append(out, v.scalarText()...), true
}

func (ev *evaluator) unary(op syntax.Op, x *cell) *cell {
	switch x.typ {
	case TypeLong:
		switch op {
		case syntax.OpAdd:
			return ev.long(x.num)
		case syntax.OpSub:
			return ev.long(-x.num)
		}
	case TypeDouble:
		switch op {
		case syntax.OpAdd:
			return ev.doubleCell(x.double())
		case syntax.OpSub:
			return ev.doubleCell(-x.double())
		}
	case TypeBoolean:
		if op == syntax.OpNot {
			return ev.boolean(!x.truth())
		}
	}
	return ev.noOperation(x.typ, op)
}

func (ev *evaluator) binary(op syntax.Op, x, y *cell) *cell {
	switch x.typ {
	case TypeLong:
		switch y.typ {
		case TypeLong:
			return ev.longOp(op, x.num, y.num)
		case TypeDouble:
			if !ev.charge(32) { // the widened left side
				return nil
			}
			return ev.doubleOp(op, float64(x.num), y.double())
		case TypeString:
			return ev.textOp(op, x, y)
		case TypeNull:
			switch op {
			case syntax.OpEq, syntax.OpNe:
				return ev.boolean(op == syntax.OpNe)
			}
		}
		return ev.mismatch(x.typ, y.typ)
	case TypeDouble:
		switch y.typ {
		case TypeLong:
			return ev.doubleOp(op, x.double(), float64(y.num))
		case TypeDouble:
			return ev.doubleOp(op, x.double(), y.double())
		case TypeString:
			return ev.textOp(op, x, y)
		case TypeNull:
			if op == syntax.OpEq || op == syntax.OpNe {
				return ev.boolean(op == syntax.OpNe)
			}
			ev.failf(CatNoOperation, "DOUBLE DO NOT support %s for rhs with NULL value", op)
			return nil
		}
		_, ok := ev.asDouble(y)
		if !ok {
			return nil
		}
		return ev.castError(y.typ, "java.lang.Number")
	case TypeString:
		return ev.stringOp(op, x, y)
	case TypeBoolean:
		switch y.typ {
		case TypeBoolean:
			a, b := x.truth(), y.truth()
			switch op {
			case syntax.OpEq:
				return ev.boolean(a == b)
			case syntax.OpNe:
				return ev.boolean(a != b)
			case syntax.OpAnd:
				return ev.boolean(a && b)
			case syntax.OpOr:
				return ev.boolean(a || b)
			}
			return ev.noOperation(x.typ, op)
		case TypeNull:
			if op == syntax.OpEq || op == syntax.OpNe {
				return ev.boolean(op == syntax.OpNe)
			}
		}
		return ev.mismatch(x.typ, y.typ)
	case TypeNull:
		switch op {
		case syntax.OpAdd:
			return ev.concat("null", y)
		case syntax.OpEq, syntax.OpNe:
			if !y.hasContent() {
				return ev.noContent(y.typ)
			}
			return ev.boolean(y.isNull() == (op == syntax.OpEq))
		case syntax.OpLt, syntax.OpGt:
			return ev.boolean(false)
		}
	}
	return ev.noOperation(x.typ, op)
}

// asDouble reads the number on the right of a DOUBLE, or an argument of Math.pow.
func (ev *evaluator) asDouble(y *cell) (float64, bool) {
	switch {
	case y.typ == TypeLong:
		return float64(y.num), true
	case y.typ == TypeDouble:
		return y.double(), true
	case !y.hasContent():
		ev.noContent(y.typ)
	case y.null:
		ev.nullObject(y.typ.String())
	default:
		ev.castError(y.typ, "java.lang.Number")
	}
	return 0, false
}

func (ev *evaluator) longOp(op syntax.Op, a, b int64) *cell {
	switch op {
	case syntax.OpAdd:
		return ev.long(a + b)
	case syntax.OpSub:
		return ev.long(a - b)
	case syntax.OpMul:
		return ev.long(a * b)
	case syntax.OpDiv, syntax.OpRem:
		switch {
		case b == 0:
			ev.failf(CatDivision, "/ by zero")
			return nil
		case op == syntax.OpDiv:
			return ev.long(a / b)
		}
		return ev.long(a % b)
	case syntax.OpEq, syntax.OpNe, syntax.OpLt, syntax.OpGt, syntax.OpLe, syntax.OpGe:
		return ev.boolean(compareLongs(op, a, b))
	}
	return ev.noOperation(TypeLong, op)
}

func compareLongs(op syntax.Op, a, b int64) bool {
	switch op {
	case syntax.OpEq:
		return a == b
	case syntax.OpNe:
		return a != b
	case syntax.OpLt:
		return a < b
	case syntax.OpGt:
		return a > b
	case syntax.OpLe:
		return a <= b
	}
	return a >= b
}

func (ev *evaluator) doubleOp(op syntax.Op, a, b float64) *cell {
	switch op {
	case syntax.OpAdd:
		return ev.doubleCell(a + b)
	case syntax.OpSub:
		return ev.doubleCell(a - b)
	case syntax.OpMul:
		return ev.doubleCell(a * b)
	case syntax.OpDiv:
		return ev.doubleCell(a / b)
	case syntax.OpRem:
		return ev.doubleCell(math.Mod(a, b))
	case syntax.OpEq:
		return ev.boolean(a == b)
	case syntax.OpNe:
		return ev.boolean(a != b)
	case syntax.OpLt:
		return ev.boolean(a < b)
	case syntax.OpGt:
		return ev.boolean(a > b)
	case syntax.OpLe:
		return ev.boolean(a <= b)
	case syntax.OpGe:
		return ev.boolean(a >= b)
	}
	return ev.noOperation(TypeDouble, op)
}

// textOp is a number on the left of a text: its text takes its place.
func (ev *evaluator) textOp(op syntax.Op, x, y *cell) *cell {
	t := ev.text(x.scalarText())
	if t == nil {
		return nil
	}
	return ev.stringOp(op, t, y)
}

func (ev *evaluator) stringOp(op syntax.Op, x, y *cell) *cell {
	switch op {
	case syntax.OpAdd:
		return ev.concat(x.scalarText(), y)
	case syntax.OpEq, syntax.OpNe:
		var same bool
		switch {
		case y.typ == TypeNull:
			same = x.null
		case y.typ != TypeString:
			return ev.mismatch(x.typ, y.typ)
		default:
			if !ev.spend(min(len(x.str), len(y.str)) / 8) {
				return nil
			}
			same = x.null == y.null && x.str == y.str
		}
		return ev.boolean(same == (op == syntax.OpEq))
	}
	return ev.noOperation(TypeString, op)
}

func (ev *evaluator) concat(left string, y *cell) *cell {
	r, ok := ev.contentText(y)
	if !ok {
		return nil
	}
	// Refused before the text is made; ev.text counts it exactly.
	if !ev.fits((len(left)+len(r))/2) || !ev.spend((len(left)+len(r))/8) {
		return nil
	}
	return ev.text(javatext.Join(left, r))
}

// assignVar is `name op= v`.
func (ev *evaluator) assignVar(slot int, op syntax.Op, v *cell) *cell {
	c := ev.vars[slot]
	if c == nil {
		if c = ev.variable(slot); c == nil {
			return nil
		}
	}
	if c.typ != TypeNull {
		return ev.assignTo(c, op, v)
	}
	if op != syntax.OpNone {
		ev.failf(CatNoOperation, "NULL DO NOT support assignment operation %s=", op)
		return nil
	}
	switch v.typ {
	case TypeNull, TypeMath, TypeParams, TypeUtil, TypeMisc, TypeVoid, TypeError:
		ev.failf(CatNoDefault, "Not support creating an empty object for type %s", v.typ)
		return nil
	}
	if c = ev.defaultCell(v.typ); c == nil {
		return nil
	}
	if r := ev.assignTo(c, op, v); r == nil {
		return nil
	}
	ev.vars[slot] = c
	return c
}

// assignTo is the assignment to an existing cell (section 6).
func (ev *evaluator) assignTo(c *cell, op syntax.Op, v *cell) *cell {
	switch c.typ {
	case TypeLong, TypeDouble:
		if v.typ != c.typ {
			return ev.mismatch(c.typ, v.typ)
		}
		if op == syntax.OpNone {
			c.num = v.num
			return c
		}
		if c.typ == TypeDouble {
			c.num = int64(math.Float64bits(doubleArith(op, c.double(), v.double())))
			return c
		}
		switch op {
		case syntax.OpAdd:
			c.num += v.num
		case syntax.OpSub:
			c.num -= v.num
		case syntax.OpMul:
			c.num *= v.num
		default:
			if v.num == 0 {
				ev.failf(CatDivision, "/ by zero")
				return nil
			}
			if op == syntax.OpDiv {
				c.num /= v.num
			} else {
				c.num %= v.num
			}
		}
		return c
	case TypeString:
		switch op {
		case syntax.OpNone:
			if v.typ != TypeString {
				return ev.mismatch(c.typ, v.typ)
			}
			c.assign(v)
			return c
		case syntax.OpAdd:
			left := c.scalarText()
			r, ok := ev.contentText(v)
			if !ok {
				return nil
			}
			// Different from Maestro, which does not count what += adds.
			if !ev.charge(2*int64(javatext.Len(r))) || !ev.spend((len(left)+len(r))/8) {
				return nil
			}
			c.str, c.null = javatext.Join(left, r), false
			return c
		}
		return ev.noAssignment(c.typ.String(), op)
	case TypeUUID, TypeMath, TypeParams, TypeUtil, TypeMisc:
		return ev.noAssignment(c.typ.String(), op)
	}
	if op != syntax.OpNone {
		if c.typ == TypeBoolean {
			return ev.noAssignment("boolean/Boolean", op)
		}
		return ev.noAssignment(c.typ.String(), op)
	}
	if v.typ != c.typ {
		return ev.mismatch(c.typ, v.typ)
	}
	c.assign(v)
	return c
}

func (ev *evaluator) noAssignment(who string, op syntax.Op) *cell {
	text := "="
	if op != syntax.OpNone {
		text = op.String() + "="
	}
	ev.failf(CatNoOperation, "%s DO NOT support assignment operation %s", who, text)
	return nil
}

func doubleArith(op syntax.Op, a, b float64) float64 {
	switch op {
	case syntax.OpAdd:
		return a + b
	case syntax.OpSub:
		return a - b
	case syntax.OpMul:
		return a * b
	case syntax.OpDiv:
		return a / b
	}
	return math.Mod(a, b)
}

// assignElem is `name[index] op= v`.
func (ev *evaluator) assignElem(slot int, index *cell, op syntax.Op, v *cell) *cell {
	c := ev.vars[slot]
	if c == nil {
		if c = ev.variable(slot); c == nil {
			return nil
		}
	}
	if index.typ != TypeLong {
		return ev.castError(index.typ, "an index")
	}
	e := ev.element(c, index)
	if e == nil {
		return nil
	}
	return ev.assignTo(e, op, v)
}

// element is array[index] with a LONG index.
func (ev *evaluator) element(c, index *cell) *cell {
	if !c.typ.isArray() {
		return ev.castError(c.typ, "an array")
	}
	a := c.ref.(*array)
	i := int(int32(index.num))
	if i < 0 || i >= len(a.elems) {
		ev.failf(CatIndex, "Index %d out of bounds for length %d", i, len(a.elems))
		return nil
	}
	return &a.elems[i]
}

// index is x[i].
func (ev *evaluator) index(x, i *cell) *cell {
	switch i.typ {
	case TypeLong:
		return ev.element(x, i)
	case TypeString:
		if x.typ != TypeParams {
			return ev.castError(x.typ, "params")
		}
		c, _ := ev.input(i.scalarText())
		return c
	}
	ev.failf(CatInvalidIndexType, "Invalid index type: %s", i.typ)
	return nil
}

// field is x.name.
func (ev *evaluator) field(x *cell, name string) *cell {
	switch {
	case x.typ.isArray() && name == "length":
		return ev.long(int64(len(x.ref.(*array).elems)))
	case x.typ == TypeDateTimeZone && name == "UTC":
		return ev.zoneCell(joda.UTC)
	case x.typ == TypeMisc && name == "SUNDAY":
		return ev.long(7)
	case x.typ == TypeParams:
		c, _ := ev.input(name)
		return c
	}
	e := &Error{Category: CatNoField, Message: x.typ.String() + " DO NOT support accessing field: " + name}
	if x.typ == TypeNull {
		e.Hint = "the value before the dot is NULL; is its name spelt as the parameter is?"
	}
	ev.fail(e)
	return nil
}

func (ev *evaluator) zoneCell(z *joda.Zone) *cell {
	c := ev.make(TypeDateTimeZone)
	if c != nil {
		c.ref = z
	}
	return c
}

func (ev *evaluator) newArray(elem Type, size *cell) *cell {
	if size.typ != TypeLong {
		return ev.castError(size.typ, "an array size")
	}
	n := int64(int32(size.num))
	if n >= int64(ev.limits.Array) {
		ev.failf(CatLimitArray, "New array size is over the limit: %d vs length: %d", ev.limits.Array, n)
		return nil
	}
	if elem < TypeString || elem > TypeBoolean {
		ev.failf(CatArrayElement, "NOT support creating an array with the element type %s", elem)
		return nil
	}
	if n < 0 {
		ev.failf(CatNegativeSize, "%d", n)
		return nil
	}
	c, a := ev.arrayOf(arrayType(elem), int(n))
	if c == nil {
		return nil
	}
	if elem == TypeString {
		for i := range a.elems {
			a.elems[i].null = true
		}
	}
	return c
}

func (ev *evaluator) initArray(elem Type, elems []*cell) *cell {
	if len(elems) >= ev.limits.Array {
		ev.failf(CatLimitArray, "New array size is over the limit: %d vs length: %d", ev.limits.Array, len(elems))
		return nil
	}
	if elem < TypeString || elem > TypeBoolean {
		ev.failf(CatArrayElement, "NOT support creating an array with the element type %s", elem)
		return nil
	}
	c, a := ev.arrayOf(arrayType(elem), len(elems))
	if c == nil {
		return nil
	}
	for i, e := range elems {
		if e.typ != elem {
			return ev.mismatch(elem, e.typ)
		}
		a.elems[i].assign(e)
	}
	return c
}
