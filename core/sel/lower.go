package sel

import (
	"math"

	"github.com/downbeat/downbeat/core/sel/syntax"
)

// Lowering turns the tree into nodes that evaluate themselves: names become slots, and the visits of
// nodes that do nothing but hold another one (`expr`, `postfix`, statements) are added to the first leaf
// inside, where they are counted in one go: nothing observable lies between.

// expression yields a cell and leaves one operand slot taken; nil after a failure.
type expression interface {
	eval(ev *evaluator) *cell
}

// statement runs and says how it ended. The cell is the value of an expression statement, or nil.
type statement interface {
	run(ev *evaluator) (ending, *cell)
}

type ending uint8

const (
	endNormal ending = iota
	endBreak
	endContinue
	endReturn
	endThrow
	endFailed
)

type lowerer struct {
	slots map[string]int
	names []string
}

func (l *lowerer) slot(name string) int {
	i, ok := l.slots[name]
	if !ok {
		i = len(l.names)
		l.slots[name] = i
		l.names = append(l.names, name)
	}
	return i
}

func (l *lowerer) stmts(items []syntax.Stmt, pre int64) []statement {
	out := make([]statement, len(items))
	for i, s := range items {
		p := int64(0)
		if i == 0 {
			p = pre
		}
		out[i] = l.stmt(s, p)
	}
	return out
}

// stmt lowers a statement; pre are the visits before its own.
func (l *lowerer) stmt(s syntax.Stmt, pre int64) statement {
	pre++ // the statement's own node
	switch s := s.(type) {
	case *syntax.Decl:
		return l.decl(s, pre)
	case *syntax.Block:
		if len(s.Items) == 0 {
			return &blockStmt{pre: pre + 1}
		}
		return &blockStmt{items: l.stmts(s.Items, pre+1)}
	case *syntax.ExprStmt:
		return &exprStmt{l.expr(s.X, pre)}
	case *syntax.If:
		n := &ifStmt{cond: l.expr(s.Cond, pre+1), pos: s.Cond.Position(), then: l.stmt(s.Then, 0)}
		if s.Else != nil {
			n.els = l.stmt(s.Else, 0)
		}
		return n
	case *syntax.While:
		return &loopStmt{pre: pre + 1, pos: s.Pos, cond: l.expr(s.Cond, 0), condPos: s.Cond.Position(), body: l.stmt(s.Body, 0)}
	case *syntax.For:
		n := &loopStmt{pre: pre + 1, pos: s.Pos}
		if s.Decl != nil {
			n.init = l.decl(s.Decl, 1)
		} else if s.Init != nil {
			n.init = &exprStmt{l.bare(s.Init, 1)}
		}
		if s.Cond != nil {
			n.cond, n.condPos = l.expr(s.Cond, 0), s.Cond.Position()
		}
		if s.Update != nil {
			n.update = l.bare(s.Update, 1)
		}
		n.body = l.stmt(s.Body, 0)
		return n
	case *syntax.Jump:
		return &jumpStmt{pre: pre + 1, cont: s.Continue}
	case *syntax.Return:
		return &returnStmt{x: l.expr(s.X, pre+1)}
	case *syntax.Throw:
		return &throwStmt{x: l.expr(s.X, pre+1), pos: s.Pos}
	}
	panic("sel: unknown statement")
}

func (l *lowerer) decl(s *syntax.Decl, pre int64) *declStmt {
	d := &declStmt{pre: pre + 2, pos: s.Pos, typ: l.typ(s.Type)}
	for _, v := range s.Vars {
		dv := declVar{slot: l.slot(v.Name), pos: v.Pos}
		if v.Init != nil {
			dv.init = l.expr(v.Init, 0)
			dv.pos = v.Init.Position()
		}
		d.vars = append(d.vars, dv)
	}
	return d
}

func (l *lowerer) typ(t syntax.TypeRef) typeRef {
	typ, ok := typesByName[t.Name]
	return typeRef{pos: t.Pos, name: t.Name, typ: typ, known: ok, array: t.Array}
}

// expr lowers where the grammar says `expr`, a node of its own.
func (l *lowerer) expr(x syntax.Expr, pre int64) expression { return l.bare(x, pre+1) }

func (l *lowerer) bare(x syntax.Expr, pre int64) expression {
	switch x := x.(type) {
	case *syntax.Unary:
		return &unaryExpr{op: x.Op, x: l.bare(x.X, pre+1), pos: x.Pos}
	case *syntax.Binary:
		return &binaryExpr{op: x.Op, x: l.bare(x.X, pre+1), y: l.bare(x.Y, 0), pos: x.Pos}
	case *syntax.Ternary:
		return &ternaryExpr{cond: l.bare(x.Cond, pre+1), condPos: x.Cond.Position(), x: l.expr(x.X, 0), y: l.expr(x.Y, 0)}
	case *syntax.Assign:
		n := &assignExpr{pre: pre + 2, slot: l.slot(x.Name), op: x.Op, pos: x.OpPos, value: l.expr(x.Value, 1)}
		if x.Index != nil {
			n.index = l.expr(x.Index, 1)
		}
		return n
	case *syntax.Postfix:
		out := l.prefix(x.X, pre+1)
		for _, s := range x.Suffixes {
			switch {
			case s.Index != nil:
				out = &indexExpr{x: out, index: l.expr(s.Index, 2), pos: s.Pos}
			case s.Call:
				out = &callExpr{x: out, name: s.Name, args: l.args(s.Args), pos: s.Pos}
			default:
				out = &fieldExpr{x: out, name: s.Name, pos: s.Pos}
			}
		}
		return out
	}
	panic("sel: unknown expression")
}

// args lowers an argument list, which counts 2 visits itself; an empty one gives nil.
func (l *lowerer) args(xs []syntax.Expr) []expression {
	out := make([]expression, len(xs))
	for i, x := range xs {
		pre := int64(0)
		if i == 0 {
			pre = 2
		}
		out[i] = l.expr(x, pre)
	}
	return out
}

func (l *lowerer) prefix(x syntax.Expr, pre int64) expression {
	switch x := x.(type) {
	case *syntax.Lit:
		n := &litExpr{pre: pre + 1, id: x.ID, pos: x.Pos}
		switch x.Kind {
		case syntax.LitNull:
			n.c = *nullCell
		case syntax.LitInt:
			n.c = cell{typ: TypeLong, num: x.Int}
		case syntax.LitFloat:
			n.c = cell{typ: TypeDouble, num: int64(math.Float64bits(x.Float))}
		case syntax.LitBool:
			n.c = cell{typ: TypeBoolean}
			if x.Bool {
				n.c.num = 1
			}
		case syntax.LitString:
			n.c = cell{typ: TypeString, str: x.Str}
		}
		return n
	case *syntax.Name:
		return &nameExpr{pre: pre + 1, slot: l.slot(x.Name), pos: x.Pos}
	case *syntax.Paren:
		return l.expr(x.X, pre)
	case *syntax.New:
		t := l.typ(x.Type)
		switch {
		case x.Size != nil:
			return &newArrayExpr{pre: pre + 2, typ: t, size: l.expr(x.Size, 1), pos: x.Pos}
		case x.Elems != nil:
			n := &initArrayExpr{pre: pre + 2, typ: t, pos: x.Pos}
			for i, e := range x.Elems {
				p := int64(0)
				if i == 0 {
					p = 1
				}
				n.elems = append(n.elems, l.expr(e, p))
			}
			return n
		}
		return &newExpr{pre: pre + 2, typ: t, args: l.args(x.Args), pos: x.Pos}
	}
	panic("sel: unknown prefix")
}
