package syntax

import "sort"

// Needed gives the sorted names that a program needs from outside (section 5.7): those used as a value
// before they are declared or assigned. predefined names are left out.
func Needed(p *Program, predefined func(string) bool) []string {
	w := walker{local: map[string]bool{}, needed: map[string]bool{}}
	w.stmts(p.Items)
	out := []string{}
	for n := range w.needed {
		if !predefined(n) {
			out = append(out, n)
		}
	}
	sort.Strings(out)
	return out
}

type walker struct{ local, needed map[string]bool }

func (w walker) bind(name string) {
	if !w.needed[name] {
		w.local[name] = true
	}
}

func (w walker) stmts(items []Stmt) {
	for _, s := range items {
		w.stmt(s)
	}
}

func (w walker) stmt(s Stmt) {
	switch s := s.(type) {
	case *Decl:
		if s == nil {
			return
		}
		for _, v := range s.Vars {
			w.bind(v.Name)
			w.expr(v.Init)
		}
	case *Block:
		w.stmts(s.Items)
	case *ExprStmt:
		w.expr(s.X)
	case *If:
		w.expr(s.Cond)
		w.stmt(s.Then)
		if s.Else != nil {
			w.stmt(s.Else)
		}
	case *While:
		w.expr(s.Cond)
		w.stmt(s.Body)
	case *For:
		w.stmt(s.Decl)
		w.expr(s.Init)
		w.expr(s.Cond)
		w.expr(s.Update)
		w.stmt(s.Body)
	case *Return:
		w.expr(s.X)
	case *Throw:
		w.expr(s.X)
	}
}

func (w walker) exprs(xs []Expr) {
	for _, x := range xs {
		w.expr(x)
	}
}

func (w walker) expr(x Expr) {
	switch x := x.(type) {
	case *Name:
		if !w.local[x.Name] {
			w.needed[x.Name] = true
		}
	case *Unary:
		w.expr(x.X)
	case *Binary:
		w.expr(x.X)
		w.expr(x.Y)
	case *Ternary:
		w.expr(x.Cond)
		w.expr(x.X)
		w.expr(x.Y)
	case *Assign:
		w.bind(x.Name)
		w.expr(x.Index)
		w.expr(x.Value)
	case *Paren:
		w.expr(x.X)
	case *Postfix:
		w.expr(x.X)
		for _, s := range x.Suffixes {
			w.expr(s.Index)
			w.exprs(s.Args)
		}
	case *New:
		w.exprs(x.Args)
		w.expr(x.Size)
		w.exprs(x.Elems)
	}
}
