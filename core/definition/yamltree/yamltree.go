// Package yamltree reads YAML the way Maestro's YAML endpoints do (workflow-definition.md 8.1): YAML 1.1
// scalars with a few differences, the first document only, the last of equal keys, and neither aliases
// nor merge keys expanded.
package yamltree

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/downbeat/downbeat/core/sel"
)

// Kind says which of a Node's fields count.
type Kind uint8

// The kinds.
const (
	Null Kind = iota
	Bool
	Int
	Float
	String
	List
	Map
)

func (k Kind) String() string {
	return [...]string{"null", "boolean", "integer", "decimal", "string", "list", "map"}[k]
}

// Node is a value. Text is the scalar as it was written: for a String its content, for the others the
// source without quotes (`yes`, `0x1F`, `1.50`).
type Node struct {
	Kind    Kind
	Text    string
	Bool    bool
	Int     int64
	Float   float64
	Items   []Node
	Entries []Entry
}

// Entry is a member of a map. Keys are unique, at the place where they came first.
type Entry struct {
	Key   string
	Value Node
}

// Get is the member of that key.
func (n *Node) Get(key string) (Node, bool) {
	for i := range n.Entries {
		if n.Entries[i].Key == key {
			return n.Entries[i].Value, true
		}
	}
	return Node{}, false
}

const (
	// maxDepth bounds nesting, which bounds the stack.
	maxDepth = 200
	// maxKeys bounds the keys of a document, as the time of the library grows with the square of the keys
	// of a map. A create request of 256 KB has room for fewer.
	maxKeys = 16000
)

// ErrEmpty is a text without a document.
var ErrEmpty = errors.New("the document is empty")

// Parse reads the first document of a text. It returns ErrEmpty when there is none.
func Parse(text []byte) (Node, error) {
	if !utf8.Valid(text) {
		return Node{}, errors.New("the document is not UTF-8")
	}
	// Every kind of line end counts as one, also inside texts.
	src, err := firstDocument(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(text)))
	if err != nil {
		return Node{}, err
	}
	file, err := parse([]byte(src))
	if err != nil {
		return Node{}, err
	}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if _, ok := doc.Body.(*ast.CommentGroupNode); ok {
			continue
		}
		return reader{}.convert(doc.Body, 0)
	}
	return Node{}, ErrEmpty
}

// parse turns a panic of the YAML library into an error: its input comes from outside.
func parse(src []byte) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			file, err = nil, fmt.Errorf("the document cannot be read: %v", r)
		}
	}()
	return parser.ParseBytes(src, 0, parser.AllowDuplicateMapKey())
}

// firstDocument cuts a text behind its first document, so that later ones need not even be YAML. It
// also refuses what the library would take: a tab as indentation, and nesting that is too deep.
func firstDocument(text string) (string, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	depth, keys, dashes := 0, 0, 0
	for i := 0; i < len(text); i++ {
		last := i+1 == len(text) || text[i+1] == ' ' || text[i+1] == '\n' || text[i+1] == '\r' || text[i+1] == '\t'
		switch text[i] {
		case ':':
			if last {
				if keys++; keys > maxKeys {
					return "", fmt.Errorf("the document has more than %d keys", maxKeys)
				}
			}
		case '-', '?':
			if last {
				dashes++
			}
		case ' ':
			continue
		}
		if text[i] != '-' && text[i] != '?' {
			dashes = 0
		} else if dashes > maxDepth {
			return "", errors.New("the document is nested too deeply")
		}
		switch text[i] {
		case '[', '{':
			if depth++; depth > 10*maxDepth {
				return "", errors.New("the document is nested too deeply")
			}
		case ']', '}':
			depth--
		}
	}
	started, pos := false, 0
	for pos < len(text) {
		end := strings.IndexByte(text[pos:], '\n')
		next := pos + end + 1
		if end < 0 {
			next = len(text)
		}
		line := strings.TrimRight(text[pos:next], "\r\n")
		trimmed := strings.TrimLeft(line, " ")
		marker := line == "---" || strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "---\t")
		switch {
		case marker && started:
			return text[:pos], nil
		case line == "..." && started:
			return text[:pos], nil
		case marker:
			started = started || strings.TrimLeft(line[3:], " \t") != ""
		case trimmed == "" || trimmed[0] == '#' || line[0] == '%':
		default:
			started = true
		}
		pos = next
	}
	return text, nil
}

// reader converts nodes; flow is set inside `{}` and `[]`, where nothing may be in block style.
type reader struct{ flow bool }

func (r reader) convert(n ast.Node, depth int) (Node, error) {
	if depth > maxDepth {
		return Node{}, errors.New("the document is nested too deeply")
	}
	switch n := n.(type) {
	case nil:
		return Node{Kind: Null}, nil
	case *ast.MappingNode:
		if r.flow && !n.IsFlowStyle {
			return Node{}, errors.New("a block map is inside a flow collection")
		}
		return reader{r.flow || n.IsFlowStyle}.mapping(n.Values, depth)
	case *ast.MappingValueNode:
		return r.mapping([]*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		if r.flow && !n.IsFlowStyle {
			return Node{}, errors.New("a block list is inside a flow collection")
		}
		r.flow = r.flow || n.IsFlowStyle
		out := Node{Kind: List, Items: make([]Node, 0, len(n.Values))}
		for _, v := range n.Values {
			if pair, ok := v.(*ast.MappingNode); ok && r.flow && !pair.IsFlowStyle && len(pair.Values) == 1 {
				v = pair.Values[0] // `[a: b]` is a list of a map
			}
			item, err := r.convert(v, depth+1)
			if err != nil {
				return Node{}, err
			}
			out.Items = append(out.Items, item)
		}
		return out, nil
	case *ast.AnchorNode:
		return r.convert(n.Value, depth+1)
	case *ast.AliasNode: // its name, not what it stands for
		return Node{Kind: String, Text: n.Value.GetToken().Value}, nil
	case *ast.TagNode:
		return r.tagged(n, depth)
	case *ast.LiteralNode:
		return Node{Kind: String, Text: n.Value.Value}, nil
	case *ast.MergeKeyNode:
		return Node{Kind: String, Text: "<<"}, nil
	case *ast.StringNode:
		if t := n.Token; t != nil && (t.Type == token.SingleQuoteType || t.Type == token.DoubleQuoteType) {
			return Node{Kind: String, Text: n.Value}, nil
		}
		return Resolve(n.Value)
	case *ast.NullNode:
		return Node{Kind: Null}, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return Resolve(n.GetToken().Value)
	}
	return Node{}, fmt.Errorf("the document has an unexpected %s", n.Type())
}

func (r reader) mapping(values []*ast.MappingValueNode, depth int) (Node, error) {
	out := Node{Kind: Map, Entries: make([]Entry, 0, len(values))}
	place := make(map[string]int, len(values))
	for _, v := range values {
		key, err := keyText(v.Key)
		if err != nil {
			return Node{}, err
		}
		value, err := r.convert(v.Value, depth+1)
		if err != nil {
			return Node{}, err
		}
		if i, ok := place[key]; ok {
			out.Entries[i].Value = value
			continue
		}
		place[key] = len(out.Entries)
		out.Entries = append(out.Entries, Entry{Key: key, Value: value})
	}
	return out, nil
}

func keyText(k ast.Node) (string, error) {
	switch k := k.(type) {
	case *ast.StringNode:
		return k.Value, nil
	case *ast.MergeKeyNode:
		return "<<", nil
	case *ast.NullNode:
		return k.GetToken().Value, nil
	case *ast.MappingKeyNode:
		return keyText(k.Value)
	case *ast.AnchorNode:
		return keyText(k.Value)
	case *ast.TagNode:
		return keyText(k.Value)
	case *ast.LiteralNode:
		return k.Value.Value, nil
	case *ast.AliasNode:
		return k.Value.GetToken().Value, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return k.GetToken().Value, nil
	}
	return "", errors.New("a key is not a scalar")
}

// tagged obeys the tags of scalars; others are without effect.
func (r reader) tagged(n *ast.TagNode, depth int) (Node, error) {
	tag := n.Start.Value
	var text string
	switch v := n.Value.(type) {
	case *ast.StringNode:
		text = v.Value
	case *ast.LiteralNode:
		text = v.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		text = v.GetToken().Value
	case *ast.NullNode:
		if tag == "!!str" {
			return Node{Kind: String}, nil
		}
		return r.convert(v, depth+1)
	default:
		return r.convert(n.Value, depth+1)
	}
	switch tag {
	case "!!str":
		return Node{Kind: String, Text: text}, nil
	case "!!int", "!!float", "!!bool":
		v, err := Resolve(text)
		if err != nil {
			return Node{}, err
		}
		if tag == "!!float" && v.Kind == Int {
			v.Kind, v.Float = Float, float64(v.Int)
		}
		if want := map[string]Kind{"!!int": Int, "!!float": Float, "!!bool": Bool}[tag]; v.Kind != want {
			return Node{}, fmt.Errorf("[%s] is not a value of %s", text, tag)
		}
		return v, nil
	}
	return r.convert(n.Value, depth+1)
}

// Resolve gives a plain (unquoted) scalar its type. Integers beyond 64 bits, infinities and not-a-number
// are errors.
func Resolve(text string) (Node, error) {
	switch text {
	case "", "~", "null", "Null", "NULL":
		return Node{Kind: Null, Text: text}, nil
	case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON":
		return Node{Kind: Bool, Bool: true, Text: text}, nil
	case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF":
		return Node{Kind: Bool, Text: text}, nil
	}
	unsigned := strings.TrimLeft(text, "+-")
	if len(text)-len(unsigned) > 1 || unsigned == "" {
		return Node{Kind: String, Text: text}, nil
	}
	switch strings.ToLower(unsigned) {
	case ".inf", ".nan":
		if unsigned != ".iNf" && unsigned != ".inF" {
			return Node{}, fmt.Errorf("[%s] is not a finite number", text)
		}
	}
	if digits, base := integerDigits(unsigned); base != 0 {
		sign := ""
		if text[0] == '-' {
			sign = "-"
		}
		n, err := strconv.ParseInt(sign+digits, base, 64)
		if err != nil {
			return Node{}, fmt.Errorf("[%s] is out of the range of 64-bit integers", text)
		}
		return Node{Kind: Int, Int: n, Text: text}, nil
	}
	if clean, ok := decimal(unsigned); ok {
		if text[0] == '-' {
			clean = "-" + clean
		}
		f, err := strconv.ParseFloat(clean, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) || math.IsInf(f, 0) {
			return Node{}, fmt.Errorf("[%s] is not a finite number", text)
		}
		return Node{Kind: Float, Float: f, Text: text}, nil
	}
	return Node{Kind: String, Text: text}, nil
}

// integerDigits strips prefix and underscores of an integer; base 0 means it is none.
func integerDigits(s string) (digits string, base int) {
	base, set := 10, "0123456789_"
	switch {
	case strings.HasPrefix(s, "0b"):
		base, set, s = 2, "01_", s[2:]
	case strings.HasPrefix(s, "0x"):
		base, set, s = 16, "0123456789abcdefABCDEF_", s[2:]
	case len(s) > 1 && s[0] == '0':
		base, set, s = 8, "01234567_", s[1:]
	case s == "" || s[0] == '_':
		return "", 0
	}
	if strings.Trim(s, set) != "" {
		return "", 0
	}
	if s = strings.ReplaceAll(s, "_", ""); s == "" {
		return "", 0
	}
	return s, base
}

// decimal cleans an unsigned decimal number: `1.5`, `1.`, `.5`, `1e3`, `1_0.5`.
func decimal(s string) (string, bool) {
	whole := 0
	for whole < len(s) && (s[whole] >= '0' && s[whole] <= '9' || whole > 0 && s[whole] == '_') {
		whole++
	}
	i, fraction := whole, false
	if i < len(s) && s[i] == '.' {
		fraction = true
		for i++; i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '_'); i++ {
		}
	}
	if whole == 0 && (!fraction || i == 1) || whole > 0 && !fraction && i == len(s) {
		return "", false
	}
	mantissa, exponent := strings.ReplaceAll(s[:i], "_", ""), ""
	if i < len(s) {
		j := i + 1
		if s[i] != 'e' && s[i] != 'E' {
			return "", false
		}
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		if j == len(s) || strings.Trim(s[j:], "0123456789") != "" {
			return "", false
		}
		exponent = s[i:]
	}
	if mantissa == "" || mantissa == "." {
		return "", false
	}
	if mantissa[0] == '.' {
		mantissa = "0" + mantissa
	}
	if strings.HasSuffix(mantissa, ".") {
		mantissa += "0"
	}
	return mantissa + exponent, true
}

// AppendJSON writes the value as JSON. Decimals keep their digits.
func (n *Node) AppendJSON(out []byte) []byte {
	switch n.Kind {
	case Bool:
		return strconv.AppendBool(out, n.Bool)
	case Int:
		return strconv.AppendInt(out, n.Int, 10)
	case Float:
		clean, ok := decimal(strings.TrimLeft(n.Text, "+-"))
		if !ok {
			return strconv.AppendFloat(out, n.Float, 'g', -1, 64)
		}
		if n.Text[0] == '-' {
			out = append(out, '-')
		}
		for len(clean) > 1 && clean[0] == '0' && clean[1] >= '0' && clean[1] <= '9' {
			clean = clean[1:]
		}
		return append(out, clean...)
	case String:
		return AppendString(out, n.Text)
	case List:
		out = append(out, '[')
		for i := range n.Items {
			if i > 0 {
				out = append(out, ',')
			}
			out = n.Items[i].AppendJSON(out)
		}
		return append(out, ']')
	case Map:
		out = append(out, '{')
		for i := range n.Entries {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(AppendString(out, n.Entries[i].Key), ':')
			out = n.Entries[i].Value.AppendJSON(out)
		}
		return append(out, '}')
	}
	return append(out, "null"...)
}

// AppendString writes a JSON string.
func AppendString(out []byte, s string) []byte {
	out = append(out, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c < 0x20 || c == 0x7f:
			out = append(out, fmt.Sprintf("\\u%04x", c)...)
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}

// Java is the value's text in Java, which is what an expression or a message shows of it: `[1, 2]`,
// `{a=b}`, `1.0E10`.
func (n *Node) Java() string {
	switch n.Kind {
	case Bool:
		return strconv.FormatBool(n.Bool)
	case Int:
		return strconv.FormatInt(n.Int, 10)
	case Float:
		return sel.DoubleText(n.Float)
	case String:
		return n.Text
	case List:
		parts := make([]string, len(n.Items))
		for i := range n.Items {
			parts[i] = n.Items[i].Java()
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case Map:
		parts := make([]string, len(n.Entries))
		for i := range n.Entries {
			parts[i] = n.Entries[i].Key + "=" + n.Entries[i].Value.Java()
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return "null"
}
