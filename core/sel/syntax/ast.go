// Package syntax scans and parses SEL.
//
// The grammar on one page (specification, section 3):
//
//	program    = { import } { item } EOF .
//	import     = "import" [ "static" ] Id { "." Id } [ "." "*" ] ";" .
//	item       = decl ";" | stmt .                         (decl iff: Type Id follows)
//	decl       = Type var { "," var } .   var = Id [ "=" expr ] .
//	Type       = ( "boolean" | "int" | "long" | "float" | "double" | Id ) [ "[" "]" ] .
//	stmt       = block | expr ";" | if | while | for | "break" ";" | "continue" ";"
//	           | "return" expr ";" | "throw" expr ";" .
//	block      = "{" { item } "}" .
//	if         = "if" "(" expr ")" stmt [ "else" stmt ] .
//	while      = "while" "(" expr ")" stmt .
//	for        = "for" "(" [ decl | forExpr ] ";" [ expr ] ";" [ forExpr ] ")" stmt .
//	forExpr    = assign | postfix .
//	expr       = assign | ternary .                        (assign iff: Id [ "[" expr "]" ] assignOp follows)
//	assign     = Id [ "[" expr "]" ] assignOp expr .
//	ternary    = or [ "?" expr ":" expr ] .
//	or … mul   = the binary operators, to the left .
//	unary      = ( "-" | "+" | "!" ) unary | postfix .
//	postfix    = prefix { "[" expr "]" | "." Id [ "(" [ expr { "," expr } ] ")" ] } .
//	prefix     = lit | "(" expr ")" | new | Id .
//	new        = "new" primType arr | "new" Id ( arr | "(" [ expr { "," expr } ] ")" ) .
//	arr        = "[" expr "]" | "[" "]" "{" [ expr { "," expr } ] [ "," ] "}" .
package syntax

// Pos is a place in the source: line and column from 1, in UTF-16 units.
type Pos struct{ Line, Col int32 }

// Program is a parsed program. Charge is the memory that its literals and member names count for.
type Program struct {
	Imports  int
	Items    []Stmt
	Literals int // number of Lit nodes; their IDs are 0 … Literals-1
	Charge   int64
	Length   int // UTF-16 units of the source
}

// Stmt is a declaration or a statement.
type Stmt interface{ stmt() }

// Expr is an expression; the node for `expr` itself is implied by the place.
type Expr interface{ Position() Pos }

type (
	// Decl is `Type a = x, b`.
	Decl struct {
		Pos  Pos
		Type TypeRef
		Vars []Var
	}
	// Var is one variable of a Decl; Init may be nil.
	Var struct {
		Pos  Pos
		Name string
		Init Expr
	}
	// TypeRef is a type's name, of an array or not.
	TypeRef struct {
		Pos   Pos
		Name  string
		Array bool
	}
	// Block is `{ … }`.
	Block struct {
		Pos   Pos
		Items []Stmt
	}
	// ExprStmt is `x;`.
	ExprStmt struct{ X Expr }
	// If has a nil Else without one.
	If struct {
		Pos        Pos
		Cond       Expr
		Then, Else Stmt
	}
	// While is a loop on Cond.
	While struct {
		Pos  Pos
		Cond Expr
		Body Stmt
	}
	// For has Init as a Decl or an expression, each part may be nil.
	For struct {
		Pos    Pos
		Decl   *Decl
		Init   Expr
		Cond   Expr
		Update Expr
		Body   Stmt
	}
	// Jump is break or continue.
	Jump struct {
		Pos      Pos
		Continue bool
	}
	// Return ends the program with X.
	Return struct {
		Pos Pos
		X   Expr
	}
	// Throw ends the program with an error.
	Throw struct {
		Pos Pos
		X   Expr
	}
)

func (*Decl) stmt()     {}
func (*Block) stmt()    {}
func (*ExprStmt) stmt() {}
func (*If) stmt()       {}
func (*While) stmt()    {}
func (*For) stmt()      {}
func (*Jump) stmt()     {}
func (*Return) stmt()   {}
func (*Throw) stmt()    {}

// LitKind is the kind of a literal.
type LitKind uint8

// The kinds of literals.
const (
	LitNull LitKind = iota
	LitInt
	LitFloat
	LitBool
	LitString
)

// Op is an operator.
type Op uint8

// The operators; for assignments, the operator before `=` (OpNone for plain).
const (
	OpNone Op = iota
	OpAdd
	OpSub
	OpMul
	OpDiv
	OpRem
	OpEq
	OpNe
	OpLt
	OpGt
	OpLe
	OpGe
	OpAnd
	OpOr
	OpNot
)

var opText = [...]string{"=", "+", "-", "*", "/", "%", "==", "!=", "<", ">", "<=", ">=", "&&", "||", "!"}

func (o Op) String() string { return opText[o] }

type (
	// Lit is a literal, converted.
	Lit struct {
		Pos   Pos
		ID    int
		Kind  LitKind
		Int   int64
		Float float64
		Bool  bool
		Str   string
	}
	// Name is an identifier used as a value.
	Name struct {
		Pos  Pos
		Name string
	}
	// Unary is -x, +x or !x.
	Unary struct {
		Pos Pos
		Op  Op
		X   Expr
	}
	// Binary is x op y. Pos is that of the operator.
	Binary struct {
		Pos  Pos
		Op   Op
		X, Y Expr
	}
	// Ternary is c ? x : y.
	Ternary struct {
		Pos        Pos
		Cond, X, Y Expr
	}
	// Assign is name op= value or name[index] op= value.
	Assign struct {
		Pos   Pos
		Name  string
		Index Expr
		OpPos Pos
		Op    Op
		Value Expr
	}
	// Paren is ( x ).
	Paren struct {
		Pos Pos
		X   Expr
	}
	// Postfix is a prefix with its suffixes, of which there may be none.
	Postfix struct {
		X        Expr
		Suffixes []Suffix
	}
	// Suffix is [Index], .Name or .Name(Args).
	Suffix struct {
		Pos   Pos
		Index Expr // nil for a member
		Name  string
		Call  bool
		Args  []Expr
	}
	// New is an allocation: an object, an array by size or by its elements.
	New struct {
		Pos   Pos
		Type  TypeRef
		Args  []Expr // of a constructor
		Size  Expr   // new T[Size]
		Elems []Expr // new T[]{…}; with Type.Array set and Size nil
	}
)

// Position is the place of the literal; the others likewise.
func (x *Lit) Position() Pos     { return x.Pos }
func (x *Name) Position() Pos    { return x.Pos }
func (x *Unary) Position() Pos   { return x.Pos }
func (x *Binary) Position() Pos  { return x.Pos }
func (x *Ternary) Position() Pos { return x.Pos }
func (x *Assign) Position() Pos  { return x.Pos }
func (x *Paren) Position() Pos   { return x.Pos }
func (x *Postfix) Position() Pos { return x.X.Position() }
func (x *New) Position() Pos     { return x.Pos }
