package syntax

import (
	"fmt"
	"strings"

	"github.com/downbeat/downbeat/core/sel/javatext"
)

// maxDepth bounds the nesting of the source, and with it every recursion over the tree. Maestro's
// thread stack ends somewhere between 500 and 1,000 parentheses.
const maxDepth = 3000

type parser struct {
	scan   scanner
	tokens []token
	at     int
	depth  int
	lits   int
	charge int64
}

// Parse parses a complete program. The error is an *Error.
func Parse(src string) (prog *Program, err error) {
	p := &parser{}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *Error:
			r.Charge = p.charge
			prog, err = nil, r
		default:
			panic(r)
		}
	}()
	p.scan.chars, p.scan.length = decode(src)
	prog = &Program{Length: p.scan.length}
	for p.peek().is("import") {
		p.imports()
		prog.Imports++
	}
	for p.peek().kind != tokEOF {
		prog.Items = append(prog.Items, p.item())
	}
	prog.Literals, prog.Charge = p.lits, p.charge
	return prog, nil
}

func (p *parser) token(n int) token {
	for p.at+n >= len(p.tokens) {
		p.tokens = append(p.tokens, p.scan.next())
	}
	return p.tokens[p.at+n]
}

func (p *parser) peek() token { return p.token(0) }

func (p *parser) next() token {
	t := p.token(0)
	p.at++
	return t
}

func (p *parser) accept(text string) bool {
	if p.peek().is(text) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(text string) token {
	if !p.peek().is(text) {
		p.fail(`"` + text + `"`)
	}
	return p.next()
}

func (p *parser) ident() token {
	if p.peek().kind != tokIdent {
		p.fail("<IDENTIFIER>")
	}
	return p.next()
}

// fail raises a syntax error at the next token.
func (p *parser) fail(expected ...string) {
	t := p.peek()
	var m string
	if t.kind == tokEOF {
		m = `Encountered "<EOF>"`
	} else {
		kind := map[tokenKind]string{tokIdent: "<IDENTIFIER>", tokInt: "<INTEGER_LITERAL>", tokFloat: "<FLOATING_POINT_LITERAL>", tokString: "<STRING_LITERAL>"}[t.kind]
		if kind == "" {
			kind = `"` + t.text + `"`
		}
		m = fmt.Sprintf(`Encountered " %s "%s ""`, kind, escapeText(javatext.Units(t.text)))
	}
	m += fmt.Sprintf(" at line %d, column %d.", t.pos.Line, t.pos.Col)
	if len(expected) == 1 {
		m += "\nWas expecting:\n    " + expected[0]
	} else {
		m += "\nWas expecting one of:\n    " + strings.Join(expected, "\n    ")
	}
	panic(&Error{Kind: Syntax, Pos: t.pos, Message: m, Expected: expected, Hint: p.hint(t)})
}

// hint says what Java habit the token may come from.
func (p *parser) hint(t token) string {
	switch {
	case t.kind == tokEOF:
		return ""
	case t.is("++") || t.is("--"):
		return "there is no " + t.text + "; write += 1 or -= 1, or put a space between signs"
	case t.is(";"):
		return "an empty statement does not exist"
	case t.kind == tokKeyword && t.text != "new" && t.text != "null":
		return "`" + t.text + "` is a reserved word"
	case t.is("(") && p.at > 0 && p.tokens[p.at-1].kind == tokIdent:
		return "there are no free functions; call a method of a class or a value"
	}
	return ""
}

func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth {
		panic(&Error{Kind: TooDeep, Pos: p.peek().pos, Message: fmt.Sprintf("Expression is nested more than %d levels deep", maxDepth)})
	}
}

func (p *parser) leave() { p.depth-- }

func (p *parser) imports() {
	p.expect("import")
	p.accept("static")
	p.ident()
	for p.accept(".") {
		if p.accept("*") {
			break
		}
		if p.peek().kind != tokIdent {
			p.fail("<IDENTIFIER>", `"*"`)
		}
		p.next()
	}
	p.expect(";")
}

func isPrimitive(t token) bool {
	if t.kind != tokKeyword {
		return false
	}
	switch t.text {
	case "boolean", "int", "long", "float", "double":
		return true
	}
	return false
}

// declAhead reports whether Type Id follows.
func (p *parser) declAhead() bool {
	t := p.peek()
	if t.kind != tokIdent && !isPrimitive(t) {
		return false
	}
	n := 1
	if p.token(1).is("[") {
		if !p.token(2).is("]") {
			return false
		}
		n = 3
	}
	return p.token(n).kind == tokIdent
}

func (p *parser) item() Stmt {
	if p.declAhead() {
		d := p.decl()
		p.expect(";")
		return d
	}
	return p.stmt()
}

func (p *parser) decl() *Decl {
	t := p.next()
	d := &Decl{Pos: t.pos, Type: TypeRef{Pos: t.pos, Name: t.text}}
	if p.accept("[") {
		p.expect("]")
		d.Type.Array = true
	}
	for {
		id := p.ident()
		v := Var{Pos: id.pos, Name: id.text}
		if p.accept("=") {
			v.Init = p.expr()
		}
		d.Vars = append(d.Vars, v)
		if !p.accept(",") {
			return d
		}
	}
}

func (p *parser) stmt() Stmt {
	p.enter()
	defer p.leave()
	t := p.peek()
	if t.kind != tokKeyword && !t.is("{") {
		return p.exprStmt()
	}
	switch t.text {
	case "{":
		return p.block()
	case "if":
		p.next()
		p.expect("(")
		s := &If{Pos: t.pos, Cond: p.expr()}
		p.expect(")")
		s.Then = p.stmt()
		if p.accept("else") {
			s.Else = p.stmt()
		}
		return s
	case "while":
		p.next()
		p.expect("(")
		s := &While{Pos: t.pos, Cond: p.expr()}
		p.expect(")")
		s.Body = p.stmt()
		return s
	case "for":
		return p.forStmt()
	case "break", "continue":
		p.next()
		p.expect(";")
		return &Jump{Pos: t.pos, Continue: t.text == "continue"}
	case "return":
		p.next()
		s := &Return{Pos: t.pos, X: p.expr()}
		p.expect(";")
		return s
	case "throw":
		p.next()
		s := &Throw{Pos: t.pos, X: p.expr()}
		p.expect(";")
		return s
	}
	return p.exprStmt()
}

func (p *parser) exprStmt() Stmt {
	s := &ExprStmt{X: p.expr()}
	p.expect(";")
	return s
}

func (p *parser) block() *Block {
	b := &Block{Pos: p.expect("{").pos}
	for !p.peek().is("}") {
		if p.peek().kind == tokEOF {
			p.fail(`"}"`)
		}
		b.Items = append(b.Items, p.item())
	}
	p.next()
	return b
}

func (p *parser) forStmt() Stmt {
	s := &For{Pos: p.next().pos}
	p.expect("(")
	if !p.peek().is(";") {
		if p.declAhead() {
			s.Decl = p.decl()
		} else {
			s.Init = p.forExpr()
		}
	}
	p.expect(";")
	if !p.peek().is(";") {
		s.Cond = p.expr()
	}
	p.expect(";")
	if !p.peek().is(")") {
		s.Update = p.forExpr()
	}
	p.expect(")")
	s.Body = p.stmt()
	return s
}

func (p *parser) forExpr() Expr {
	if p.assignAhead() {
		return p.assign()
	}
	return p.postfix()
}

var assignOps = map[string]Op{"=": OpNone, "+=": OpAdd, "-=": OpSub, "*=": OpMul, "/=": OpDiv, "%=": OpRem}

func (t token) assignOp() bool {
	if t.kind != tokOp {
		return false
	}
	_, ok := assignOps[t.text]
	return ok
}

// assignAhead reports whether Id [ "[" expr "]" ] assignOp follows. The index is skipped by its
// brackets: what is inside is parsed afterwards in either case, and fails there if it must.
func (p *parser) assignAhead() bool {
	if p.peek().kind != tokIdent {
		return false
	}
	if !p.token(1).is("[") {
		return p.token(1).assignOp()
	}
	depth := 0
	for n := 1; ; n++ {
		t := p.token(n)
		switch {
		case t.is("[") || t.is("(") || t.is("{"):
			depth++
		case t.is("]") || t.is(")") || t.is("}"):
			if depth--; depth == 0 {
				return t.is("]") && p.token(n+1).assignOp()
			}
		case t.kind == tokEOF || t.is(";"):
			return false
		}
	}
}

func (p *parser) assign() Expr {
	id := p.next()
	a := &Assign{Pos: id.pos, Name: id.text}
	if p.accept("[") {
		a.Index = p.expr()
		p.expect("]")
	}
	op := p.peek()
	if !op.assignOp() {
		p.fail(`"="`, `"*="`, `"/="`, `"%="`, `"+="`, `"-="`)
	}
	p.next()
	a.OpPos, a.Op = op.pos, assignOps[op.text]
	a.Value = p.expr()
	return a
}

func (p *parser) expr() Expr {
	p.enter()
	defer p.leave()
	if p.assignAhead() {
		return p.assign()
	}
	x := p.binary(0)
	q := p.peek()
	if !q.is("?") {
		return x
	}
	p.next()
	t := &Ternary{Pos: q.pos, Cond: x}
	t.X = p.expr()
	p.expect(":")
	t.Y = p.expr()
	return t
}

// levels are the binary operators, loosest first.
var levels = []map[string]Op{
	{"||": OpOr}, {"&&": OpAnd}, {"==": OpEq, "!=": OpNe}, {"<": OpLt, ">": OpGt, "<=": OpLe, ">=": OpGe},
	{"+": OpAdd, "-": OpSub}, {"*": OpMul, "/": OpDiv, "%": OpRem},
}

func (p *parser) binary(level int) Expr {
	if level == len(levels) {
		return p.unary()
	}
	x := p.binary(level + 1)
	for {
		t := p.peek()
		op, ok := levels[level][t.text]
		if !ok || t.kind != tokOp {
			return x
		}
		p.next()
		x = &Binary{Pos: t.pos, Op: op, X: x, Y: p.binary(level + 1)}
	}
}

func (p *parser) unary() Expr {
	t := p.peek()
	op := OpNone
	switch {
	case t.is("-"):
		op = OpSub
	case t.is("+"):
		op = OpAdd
	case t.is("!"):
		op = OpNot
	default:
		return p.postfix()
	}
	p.enter()
	defer p.leave()
	p.next()
	return &Unary{Pos: t.pos, Op: op, X: p.unary()}
}

func (p *parser) postfix() Expr {
	x := &Postfix{X: p.prefix()}
	for {
		t := p.peek()
		switch {
		case t.is("["):
			p.next()
			s := Suffix{Pos: t.pos, Index: p.expr()}
			p.expect("]")
			x.Suffixes = append(x.Suffixes, s)
		case t.is("."):
			p.next()
			id := p.ident()
			p.charge += 32 + 2*int64(javatext.Len(id.text))
			s := Suffix{Pos: id.pos, Name: id.text}
			if p.accept("(") {
				s.Call = true
				s.Args = p.args()
			}
			x.Suffixes = append(x.Suffixes, s)
		default:
			return x
		}
	}
}

// args parses up to and including the closing parenthesis.
func (p *parser) args() []Expr {
	var out []Expr
	if p.accept(")") {
		return nil
	}
	for {
		out = append(out, p.expr())
		if p.accept(")") {
			return out
		}
		if !p.accept(",") {
			p.fail(`","`, `")"`)
		}
	}
}

func (p *parser) prefix() Expr {
	t := p.peek()
	lit := &Lit{Pos: t.pos, ID: p.lits}
	switch {
	case t.kind == tokIdent:
		p.next()
		return &Name{Pos: t.pos, Name: t.text}
	case t.kind == tokInt:
		n, err := javatext.ParseLong(strings.TrimRight(t.text, "lL"))
		if err != nil {
			panic(&Error{Kind: BadLiteral, Pos: t.pos, Message: err.Error()})
		}
		lit.Kind, lit.Int = LitInt, n
		p.charge += 32
	case t.kind == tokFloat:
		lit.Kind, lit.Float = LitFloat, parseFloat(t.text)
		p.charge += 32
	case t.kind == tokString:
		s, err := unquote(t.text)
		if err != nil {
			panic(&Error{Kind: BadLiteral, Pos: t.pos, Message: err.Error()})
		}
		lit.Kind, lit.Str = LitString, s
		p.charge += 32 + 2*int64(javatext.Len(s))
	case t.is("true") || t.is("false"):
		lit.Kind, lit.Bool = LitBool, t.text == "true"
		p.charge += 32
	case t.is("null"):
		lit.Kind = LitNull
	case t.is("("):
		p.next()
		x := &Paren{Pos: t.pos, X: p.expr()}
		p.expect(")")
		return x
	case t.is("new"):
		return p.alloc()
	default:
		p.fail("literal", `"("`, `"new"`, "<IDENTIFIER>")
	}
	p.next()
	p.lits++
	return lit
}

func (p *parser) alloc() Expr {
	n := &New{Pos: p.next().pos}
	t := p.peek()
	if t.kind != tokIdent && !isPrimitive(t) {
		p.fail("<IDENTIFIER>", `"boolean"`, `"int"`, `"long"`, `"float"`, `"double"`)
	}
	p.next()
	n.Type = TypeRef{Pos: t.pos, Name: t.text}
	if t.kind == tokIdent && p.accept("(") {
		n.Args = p.args()
		return n
	}
	if !p.accept("[") {
		if t.kind == tokIdent {
			p.fail(`"("`, `"["`)
		}
		p.fail(`"["`)
	}
	n.Type.Array = true
	if !p.accept("]") {
		n.Size = p.expr()
		p.expect("]")
		return n
	}
	p.expect("{")
	n.Elems = []Expr{}
	for !p.accept("}") {
		if len(n.Elems) == 0 && p.accept(",") {
			p.expect("}")
			break
		}
		n.Elems = append(n.Elems, p.expr())
		if p.accept("}") {
			break
		}
		if !p.accept(",") {
			p.fail(`","`, `"}"`)
		}
	}
	return n
}
