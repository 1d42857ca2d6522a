package sel

import (
	"github.com/downbeat/downbeat/core/sel/syntax"
)

type (
	litExpr struct {
		pre int64
		id  int
		c   cell
		pos syntax.Pos
	}
	nameExpr struct {
		pre  int64
		slot int
		pos  syntax.Pos
	}
	unaryExpr struct {
		op  syntax.Op
		x   expression
		pos syntax.Pos
	}
	binaryExpr struct {
		op   syntax.Op
		x, y expression
		pos  syntax.Pos
	}
	ternaryExpr struct {
		cond, x, y expression
		condPos    syntax.Pos
	}
	assignExpr struct {
		pre   int64
		slot  int
		index expression
		op    syntax.Op
		value expression
		pos   syntax.Pos
	}
	indexExpr struct {
		x, index expression
		pos      syntax.Pos
	}
	fieldExpr struct {
		x    expression
		name string
		pos  syntax.Pos
	}
	callExpr struct {
		x    expression
		name string
		args []expression
		pos  syntax.Pos
	}
	newExpr struct {
		pre  int64
		typ  typeRef
		args []expression
		pos  syntax.Pos
	}
	newArrayExpr struct {
		pre  int64
		typ  typeRef
		size expression
		pos  syntax.Pos
	}
	initArrayExpr struct {
		pre   int64
		typ   typeRef
		elems []expression
		pos   syntax.Pos
	}
	typeRef struct {
		pos   syntax.Pos
		name  string
		typ   Type
		known bool
		array bool
	}

	exprStmt  struct{ x expression }
	blockStmt struct {
		pre   int64
		items []statement
	}
	ifStmt struct {
		cond expression
		pos  syntax.Pos
		then statement
		els  statement
	}
	// loopStmt is while and for.
	loopStmt struct {
		pre     int64
		pos     syntax.Pos
		init    statement
		cond    expression
		condPos syntax.Pos
		update  expression
		body    statement
	}
	jumpStmt struct {
		pre  int64
		cont bool
	}
	returnStmt struct{ x expression }
	throwStmt  struct {
		x   expression
		pos syntax.Pos
	}
	declStmt struct {
		pre  int64
		pos  syntax.Pos
		typ  typeRef
		vars []declVar
	}
	declVar struct {
		slot int
		init expression
		pos  syntax.Pos
	}
)

func (n *litExpr) eval(ev *evaluator) *cell {
	if !ev.visit(n.pre) || !ev.push() {
		ev.at(n.pos)
		return nil
	}
	if n.c.typ == TypeNull {
		return nullCell
	}
	c := ev.lits[n.id]
	if c == nil {
		c = ev.newCell()
		*c = n.c
		ev.lits[n.id] = c
	}
	return c
}

func (n *nameExpr) eval(ev *evaluator) *cell {
	if !ev.visit(n.pre) || !ev.push() {
		ev.at(n.pos)
		return nil
	}
	c := ev.vars[n.slot]
	if c == nil {
		if c = ev.variable(n.slot); c == nil {
			ev.at(n.pos)
		}
	}
	return c
}

func (n *unaryExpr) eval(ev *evaluator) *cell {
	x := n.x.eval(ev)
	if x == nil {
		return nil
	}
	r := ev.unary(n.op, x)
	if r == nil {
		ev.at(n.pos)
	}
	return r
}

func (n *binaryExpr) eval(ev *evaluator) *cell {
	x := n.x.eval(ev)
	if x == nil {
		return nil
	}
	y := n.y.eval(ev)
	if y == nil {
		return nil
	}
	ev.slots--
	r := ev.binary(n.op, x, y)
	if r == nil || ev.identityUsed != nil {
		ev.at(n.pos)
	}
	return r
}

// condition evaluates what must be a BOOLEAN, and frees its slot.
func condition(ev *evaluator, x expression, pos syntax.Pos) (truth, ok bool) {
	var c *cell
	if b, is := x.(*binaryExpr); is {
		l := b.x.eval(ev)
		if l == nil {
			return false, false
		}
		r := b.y.eval(ev)
		if r == nil {
			return false, false
		}
		ev.slots -= 2
		// The usual case needs no cell for its result; it counts all the same.
		if l.typ == TypeLong && r.typ == TypeLong && b.op >= syntax.OpEq && b.op <= syntax.OpGe {
			if !ev.charge(32) {
				ev.at(b.pos)
				return false, false
			}
			return compareLongs(b.op, l.num, r.num), true
		}
		if c = ev.binary(b.op, l, r); c == nil {
			ev.at(b.pos)
			return false, false
		}
	} else {
		if c = x.eval(ev); c == nil {
			return false, false
		}
		ev.slots--
	}
	if c.typ != TypeBoolean {
		ev.failf(CatArgumentType, "class %s cannot be cast to a condition: it must be BOOLEAN", c.typ)
		ev.at(pos)
		return false, false
	}
	return c.truth(), true
}

func (n *ternaryExpr) eval(ev *evaluator) *cell {
	t, ok := condition(ev, n.cond, n.condPos)
	switch {
	case !ok:
		return nil
	case t:
		return n.x.eval(ev)
	}
	return n.y.eval(ev)
}

func (n *assignExpr) eval(ev *evaluator) *cell {
	if !ev.visit(n.pre) {
		ev.at(n.pos)
		return nil
	}
	var index *cell
	if n.index != nil {
		if index = n.index.eval(ev); index == nil {
			return nil
		}
	}
	v := n.value.eval(ev)
	if v == nil {
		return nil
	}
	var r *cell
	if index != nil {
		ev.slots--
		// Only now: an error of the value comes before one of the target.
		r = ev.assignElem(n.slot, index, n.op, v)
	} else {
		r = ev.assignVar(n.slot, n.op, v)
	}
	if r == nil {
		ev.at(n.pos)
	}
	return r
}

func (n *indexExpr) eval(ev *evaluator) *cell {
	x := n.x.eval(ev)
	if x == nil {
		return nil
	}
	i := n.index.eval(ev)
	if i == nil {
		return nil
	}
	ev.slots--
	r := ev.index(x, i)
	if r == nil {
		ev.at(n.pos)
	}
	return r
}

func (n *fieldExpr) eval(ev *evaluator) *cell {
	x := n.x.eval(ev)
	if x == nil {
		return nil
	}
	if !ev.visit(2) || !ev.push() {
		ev.at(n.pos)
		return nil
	}
	ev.slots--
	r := ev.field(x, n.name)
	if r == nil {
		ev.at(n.pos)
	}
	return r
}

// evalArgs puts the arguments on ev.args; the caller frees the slots. ok is false after a failure.
func evalArgs(ev *evaluator, xs []expression) (args []*cell, ok bool) {
	if len(xs) == 0 {
		return nil, ev.visit(2)
	}
	base := len(ev.args)
	for _, x := range xs {
		c := x.eval(ev)
		if c == nil {
			return nil, false
		}
		ev.args = append(ev.args, c)
	}
	return ev.args[base:], true
}

func (n *callExpr) eval(ev *evaluator) *cell {
	x := n.x.eval(ev)
	if x == nil {
		return nil
	}
	if !ev.visit(2) || !ev.push() {
		ev.at(n.pos)
		return nil
	}
	base := len(ev.args)
	args, ok := evalArgs(ev, n.args)
	if !ok {
		ev.at(n.pos)
		return nil
	}
	ev.slots -= 1 + len(args)
	r := ev.call(x, n.name, args)
	ev.args = ev.args[:base]
	if r == nil || ev.identityUsed != nil {
		ev.at(n.pos)
	}
	return r
}

// typeSlot visits a type's nodes and takes its slot; it fails for an unknown name.
func (ev *evaluator) typeSlot(t *typeRef, pre int64) bool {
	if ev.visit(pre) {
		if !t.known {
			e := &Error{Category: CatUnknownClass, Message: "Please check the manual for supported classes, which does not include class:  " + t.name}
			e.Hint = suggest(t.name, typesByName)
			ev.fail(e)
		} else if ev.push() {
			return true
		}
	}
	ev.at(t.pos)
	return false
}

func (n *newExpr) eval(ev *evaluator) *cell {
	if !ev.typeSlot(&n.typ, n.pre) {
		return nil
	}
	base := len(ev.args)
	args, ok := evalArgs(ev, n.args)
	if !ok {
		ev.at(n.pos)
		return nil
	}
	ev.slots -= len(args)
	r := ev.construct(n.typ.typ, n.typ.name, args)
	ev.args = ev.args[:base]
	if r == nil {
		ev.at(n.pos)
	}
	return r
}

func (n *newArrayExpr) eval(ev *evaluator) *cell {
	if !ev.typeSlot(&n.typ, n.pre) {
		return nil
	}
	size := n.size.eval(ev)
	if size == nil {
		return nil
	}
	ev.slots--
	r := ev.newArray(n.typ.typ, size)
	if r == nil {
		ev.at(n.pos)
	}
	return r
}

func (n *initArrayExpr) eval(ev *evaluator) *cell {
	if !ev.typeSlot(&n.typ, n.pre) {
		return nil
	}
	base := len(ev.args)
	if len(n.elems) == 0 && !ev.visit(1) {
		ev.at(n.pos)
		return nil
	}
	for _, x := range n.elems {
		c := x.eval(ev)
		if c == nil {
			return nil
		}
		ev.args = append(ev.args, c)
	}
	ev.slots -= len(n.elems)
	r := ev.initArray(n.typ.typ, ev.args[base:])
	ev.args = ev.args[:base]
	if r == nil {
		ev.at(n.pos)
	}
	return r
}

func (n *exprStmt) run(ev *evaluator) (ending, *cell) {
	c := n.x.eval(ev)
	if c == nil {
		return endFailed, nil
	}
	ev.slots--
	return endNormal, c
}

func (n *blockStmt) run(ev *evaluator) (ending, *cell) {
	if len(n.items) == 0 {
		if !ev.visit(n.pre) {
			return endFailed, nil
		}
		return endNormal, nil
	}
	var last *cell
	for _, s := range n.items {
		end, c := s.run(ev)
		if end != endNormal {
			return end, c
		}
		last = c
	}
	return endNormal, last
}

func (n *ifStmt) run(ev *evaluator) (ending, *cell) {
	t, ok := condition(ev, n.cond, n.pos)
	if !ok {
		return endFailed, nil
	}
	branch := n.els
	if t {
		branch = n.then
	}
	if branch == nil {
		return endNormal, nil
	}
	end, c := branch.run(ev)
	if end == endNormal {
		c = nil
	}
	return end, c
}

func (n *loopStmt) run(ev *evaluator) (ending, *cell) {
	if !ev.visit(n.pre) {
		ev.at(n.pos)
		return endFailed, nil
	}
	if n.init != nil {
		if end, _ := n.init.run(ev); end != endNormal {
			return end, nil
		}
	}
	for i := 0; ; {
		if n.cond != nil {
			t, ok := condition(ev, n.cond, n.condPos)
			if !ok {
				return endFailed, nil
			}
			if !t {
				return endNormal, nil
			}
		}
		end, c := n.body.run(ev)
		switch end {
		case endBreak:
			return endNormal, nil
		case endReturn, endThrow, endFailed:
			return end, c
		}
		if n.update != nil {
			if n.update.eval(ev) == nil {
				return endFailed, nil
			}
			ev.slots--
		}
		if i++; i >= ev.limits.Loop {
			ev.failf(CatLimitLoop, "Loop execution aborted as the iteration is over the loop limit %d", ev.limits.Loop)
			ev.at(n.pos)
			return endFailed, nil
		}
	}
}

func (n *jumpStmt) run(ev *evaluator) (ending, *cell) {
	if !ev.visit(n.pre) {
		return endFailed, nil
	}
	if n.cont {
		return endContinue, nil
	}
	return endBreak, nil
}

func (n *returnStmt) run(ev *evaluator) (ending, *cell) {
	c := n.x.eval(ev)
	if c == nil {
		return endFailed, nil
	}
	return endReturn, c
}

func (n *throwStmt) run(ev *evaluator) (ending, *cell) {
	c := n.x.eval(ev)
	if c == nil {
		return endFailed, nil
	}
	if c.typ != TypeString {
		ev.failf(CatThrowType, "Can only throw a string error message. Invalid thrown object %s", c.typ)
		ev.at(n.pos)
		return endFailed, nil
	}
	r := ev.text(c.scalarText())
	if r == nil {
		ev.at(n.pos)
		return endFailed, nil
	}
	r.typ = TypeError
	return endThrow, r
}

func (n *declStmt) run(ev *evaluator) (ending, *cell) {
	if !ev.typeSlot(&n.typ, n.pre) {
		return endFailed, nil
	}
	typ := n.typ.typ
	if n.typ.array {
		if typ < TypeString || typ > TypeBoolean {
			ev.failf(CatArrayType, "Cannot create an array of %s", typ)
			ev.at(n.typ.pos)
			return endFailed, nil
		}
		typ = arrayType(typ)
	}
	for i := range n.vars {
		v := &n.vars[i]
		if !ev.visit(2) {
			ev.at(v.pos)
			return endFailed, nil
		}
		var c *cell
		if v.init == nil {
			c = ev.defaultCell(typ)
		} else {
			if c = v.init.eval(ev); c == nil {
				return endFailed, nil
			}
			ev.slots--
			if c.typ != typ {
				c = ev.mismatch(typ, c.typ)
			}
		}
		if c == nil {
			ev.at(v.pos)
			return endFailed, nil
		}
		ev.vars[v.slot] = c
	}
	ev.slots--
	return endNormal, nil
}
