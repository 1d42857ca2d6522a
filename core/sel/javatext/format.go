package javatext

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Object is a format argument that is neither null, number, text nor BOOLEAN: only %s, %b and %h take it.
type Object struct {
	Text    string
	Class   string
	Hash    int32
	HasHash bool // else %h is ErrNoHash
}

// FormatError is an error of the formatter, with Java's message.
type FormatError struct{ Message string }

func (e *FormatError) Error() string { return e.Message }

// ErrTooLong is a formatted text beyond the bound.
var ErrTooLong = errors.New("formatted text is too long")

// ErrNoHash is a hash code of an object whose hash code is not known.
var ErrNoHash = errors.New("%h of an object whose hash code is not known")

type spec struct {
	text      string
	index     int // 0: the next argument; -1: the last one again
	flags     string
	width     int // -1: none
	precision int // -1: none
	date      bool
	conv      byte
	upper     bool
	literal   string // without conversion
}

func (s *spec) has(flag byte) bool { return strings.IndexByte(s.flags, flag) >= 0 }

// Format is String.format in the English locale. Arguments are nil, int32, int64, float64, bool, string or
// Object. A result of more than most bytes is ErrTooLong. date gives the text of %t conversions.
func Format(format string, args []any, most int, date func(ms int64, conv byte) (string, bool)) (string, error) {
	specs, err := parseFormat(format)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	next, last := 0, -1
	for i := range specs {
		s := &specs[i]
		if s.conv == 0 {
			out.WriteString(s.literal)
		} else if s.conv == '%' || s.conv == 'n' {
			t := "%"
			if s.conv == 'n' {
				t = "\n"
			}
			if s.width > most {
				return "", ErrTooLong
			}
			out.WriteString(s.justify(t))
		} else {
			at := s.index - 1
			switch s.index {
			case -1:
				at = last
			case 0:
				at = next
				next++
			}
			last = at
			if at < 0 || at >= len(args) {
				return "", &FormatError{"Format specifier '" + s.text + "'"}
			}
			if s.width > most || s.precision > most {
				return "", ErrTooLong
			}
			t, err := s.format(args[at], date)
			if err != nil {
				return "", err
			}
			out.WriteString(t)
		}
		if out.Len() > most {
			return "", ErrTooLong
		}
	}
	return Normalize(out.String()), nil
}

func parseFormat(f string) ([]spec, error) {
	var out []spec
	for f != "" {
		i := strings.IndexByte(f, '%')
		if i < 0 {
			i = len(f)
		}
		if i > 0 {
			out = append(out, spec{literal: f[:i]})
			f = f[i:]
			continue
		}
		s, n, err := parseSpec(f)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
		f = f[n:]
	}
	return out, nil
}

func parseSpec(f string) (spec, int, error) {
	s := spec{width: -1, precision: -1}
	i := 1
	unknown := func(c string) error { return &FormatError{"Conversion = '" + c + "'"} }
	digits := func() string {
		b := i
		for i < len(f) && f[i] >= '0' && f[i] <= '9' {
			i++
		}
		return f[b:i]
	}
	number := func(d string) (int, bool) {
		n, err := strconv.ParseInt(d, 10, 32)
		return int(n), err == nil
	}
	// An index is a number before a dollar sign.
	mark := i
	d := digits()
	if d != "" && i < len(f) && f[i] == '$' {
		n, ok := number(d)
		if !ok || n == 0 {
			return s, 0, &FormatError{"Illegal format argument index = " + d}
		}
		s.index = n
		i++
	} else {
		i = mark
	}
	for i < len(f) && strings.IndexByte("-#+ 0,(<", f[i]) >= 0 {
		if s.has(f[i]) {
			return s, 0, &FormatError{"Flags = '" + string(f[i]) + "'"}
		}
		s.flags += string(f[i])
		if f[i] == '<' {
			s.index = -1
		}
		i++
	}
	if d := digits(); d != "" {
		n, ok := number(d)
		if !ok {
			return s, 0, &FormatError{d}
		}
		s.width = n
	}
	if i < len(f) && f[i] == '.' {
		i++
		d := digits()
		if d == "" {
			return s, 0, unknown(".")
		}
		n, ok := number(d)
		if !ok {
			return s, 0, &FormatError{d}
		}
		s.precision = n
	}
	if i < len(f) && (f[i] == 't' || f[i] == 'T') {
		s.date, s.upper = true, f[i] == 'T'
		i++
		if i >= len(f) {
			return s, 0, unknown("t")
		}
	}
	if i >= len(f) {
		return s, 0, unknown("%")
	}
	c := f[i]
	i++
	s.text = f[:i]
	if s.date {
		s.conv = c
		if strings.IndexByte("HIklMNLQpsSTzZaAbBChdejmyYrRcDF", c) < 0 {
			return s, 0, unknown("t" + string(c))
		}
		return s, i, s.checkDate()
	}
	switch c {
	case 'B', 'H', 'S', 'C', 'X', 'E', 'G', 'A':
		s.upper = true
		c |= 0x20
	case 'b', 'h', 's', 'c', 'd', 'o', 'x', 'e', 'f', 'g', 'a', 'n', '%':
	default:
		_, r := f[i-1], []rune(f[i-1:])
		return s, 0, unknown(string(r[0]))
	}
	s.conv = c
	return s, i, s.check()
}

func (s *spec) bad(flags string) error {
	for i := 0; i < len(flags); i++ {
		if s.has(flags[i]) {
			return &FormatError{"Conversion = " + string(s.conv) + ", Flags = " + string(flags[i])}
		}
	}
	return nil
}

func (s *spec) checkDate() error {
	if s.precision >= 0 {
		return &FormatError{strconv.Itoa(s.precision)}
	}
	if err := s.bad("#+ 0,("); err != nil {
		return err
	}
	return s.needWidth("-")
}

func (s *spec) needWidth(flags string) error {
	for i := 0; i < len(flags); i++ {
		if s.width < 0 && s.has(flags[i]) {
			return &FormatError{s.text}
		}
	}
	return nil
}

// check refuses what Java refuses when it reads a specifier.
func (s *spec) check() error {
	switch s.conv {
	case 'b', 'h', 's':
		if s.conv != 's' {
			if err := s.bad("#"); err != nil {
				return err
			}
		}
		if err := s.needWidth("-"); err != nil {
			return err
		}
		return s.bad("+ 0,(")
	case 'c':
		if s.precision >= 0 {
			return &FormatError{strconv.Itoa(s.precision)}
		}
		if err := s.bad("#+ 0,("); err != nil {
			return err
		}
		return s.needWidth("-")
	case 'n', '%':
		if s.precision >= 0 {
			return &FormatError{strconv.Itoa(s.precision)}
		}
		if s.conv == 'n' {
			if s.width >= 0 {
				return &FormatError{strconv.Itoa(s.width)}
			}
			if s.flags != "" {
				return &FormatError{"Flags = '" + s.flags + "'"}
			}
			return nil
		}
		if strings.Trim(s.flags, "-") != "" {
			return &FormatError{"Flags = '" + s.flags + "'"}
		}
		return s.needWidth("-")
	}
	if err := s.needWidth("-0"); err != nil {
		return err
	}
	if s.has('+') && s.has(' ') || s.has('-') && s.has('0') {
		return &FormatError{"Flags = '" + s.flags + "'"}
	}
	switch s.conv {
	case 'd', 'o', 'x':
		if s.precision >= 0 {
			return &FormatError{strconv.Itoa(s.precision)}
		}
		if s.conv == 'd' {
			return s.bad("#")
		}
		return s.bad(",")
	case 'a':
		return s.bad("(,")
	case 'e':
		return s.bad(",")
	case 'g':
		return s.bad("#")
	}
	return nil
}

func (s *spec) justify(t string) string {
	n := s.width - Len(t)
	if n <= 0 {
		return t
	}
	if s.has('-') {
		return t + strings.Repeat(" ", n)
	}
	return strings.Repeat(" ", n) + t
}

// plain cuts, upper-cases and justifies.
func (s *spec) plain(t string) string {
	if s.precision >= 0 && s.precision < Len(t) {
		t = Substring(t, 0, s.precision)
	}
	if s.upper {
		t = Upper(t)
	}
	return s.justify(t)
}

func className(arg any) string {
	switch a := arg.(type) {
	case int32:
		return "java.lang.Integer"
	case int64:
		return "java.lang.Long"
	case float64:
		return "java.lang.Double"
	case bool:
		return "java.lang.Boolean"
	case string:
		return "java.lang.String"
	case Object:
		return a.Class
	}
	return "null"
}

func argText(arg any) string {
	switch a := arg.(type) {
	case int32:
		return strconv.FormatInt(int64(a), 10)
	case int64:
		return strconv.FormatInt(a, 10)
	case float64:
		return Double(a)
	case bool:
		return strconv.FormatBool(a)
	case string:
		return a
	case Object:
		return a.Text
	}
	return "null"
}

// HashOf is the hash code of an argument.
func HashOf(arg any) int32 {
	switch a := arg.(type) {
	case int32:
		return a
	case int64:
		return int32(a ^ int64(uint64(a)>>32))
	case float64:
		b := math.Float64bits(a)
		if a != a {
			b = 0x7ff8000000000000
		}
		return int32(b ^ b>>32)
	case bool:
		if a {
			return 1231
		}
		return 1237
	case string:
		return Hash(a)
	case Object:
		return a.Hash
	}
	return 0
}

func (s *spec) format(arg any, date func(int64, byte) (string, bool)) (string, error) {
	wrong := &FormatError{string(s.conv) + " != " + className(arg)}
	if s.date {
		if arg == nil {
			return s.plain("null"), nil
		}
		ms, ok := arg.(int64)
		if !ok || date == nil {
			return "", wrong
		}
		t, ok := date(ms, s.conv)
		if !ok {
			return "", wrong
		}
		return s.plain(t), nil
	}
	switch s.conv {
	case 'b':
		switch a := arg.(type) {
		case nil:
			return s.plain("false"), nil
		case bool:
			return s.plain(strconv.FormatBool(a)), nil
		}
		return s.plain("true"), nil
	case 's':
		if s.has('#') {
			return "", &FormatError{"Conversion = s, Flags = #"}
		}
		return s.plain(argText(arg)), nil
	case 'h':
		if arg == nil {
			return s.plain("null"), nil
		}
		if o, ok := arg.(Object); ok && !o.HasHash {
			return "", ErrNoHash
		}
		return s.plain(strconv.FormatUint(uint64(uint32(HashOf(arg))), 16)), nil
	}
	if arg == nil {
		return s.plain("null"), nil
	}
	switch s.conv {
	case 'c':
		n, ok := arg.(int32)
		if !ok {
			return "", wrong
		}
		if n < 0 || n > 0x10FFFF {
			return "", &FormatError{"Code point = 0x" + strconv.FormatUint(uint64(uint32(n)), 16)}
		}
		var t string
		if n >= 0xD800 && n <= 0xDFFF {
			t = string(AppendUnit(nil, uint16(n)))
		} else {
			t = string(rune(n))
		}
		return s.plain(t), nil
	case 'd', 'o', 'x':
		switch a := arg.(type) {
		case int32:
			return s.integer(int64(a), uint64(uint32(a)))
		case int64:
			return s.integer(a, uint64(a))
		}
		return "", wrong
	}
	f, ok := arg.(float64)
	if !ok {
		return "", wrong
	}
	return s.float(f), nil
}

func (s *spec) integer(v int64, bits uint64) (string, error) {
	if s.conv == 'd' {
		d := strconv.FormatInt(v, 10)
		if v < 0 {
			d = d[1:]
		}
		return s.justify(s.number(v < 0, d, "")), nil
	}
	if err := s.bad("( +"); err != nil {
		return "", err
	}
	base, prefix := 16, "0x"
	if s.conv == 'o' {
		base, prefix = 8, "0"
	}
	t := strconv.FormatUint(bits, base)
	if !s.has('#') {
		prefix = ""
	}
	if n := s.width - len(prefix) - len(t); n > 0 && s.has('0') {
		t = strings.Repeat("0", n) + t
	}
	t = prefix + t
	if s.upper {
		t = strings.ToUpper(t)
	}
	return s.justify(t), nil
}

// number joins sign, digits (grouped and padded by zeros as the flags say) and what follows them.
func (s *spec) number(neg bool, digits, rest string) string {
	var b strings.Builder
	width := s.width
	switch {
	case neg && s.has('('):
		b.WriteByte('(')
		width--
	case neg:
		b.WriteByte('-')
	case s.has('+'):
		b.WriteByte('+')
	case s.has(' '):
		b.WriteByte(' ')
	}
	if s.has(',') {
		var g strings.Builder
		for i := 0; i < len(digits); i++ {
			if i > 0 && (len(digits)-i)%3 == 0 {
				g.WriteByte(',')
			}
			g.WriteByte(digits[i])
		}
		digits = g.String()
	}
	if s.has('0') {
		for n := width - b.Len() - len(digits) - len(rest); n > 0; n-- {
			b.WriteByte('0')
		}
	}
	b.WriteString(digits)
	b.WriteString(rest)
	if neg && s.has('(') {
		b.WriteByte(')')
	}
	return b.String()
}

// roundDigits cuts 0.d × 10^exp to n digits, half up.
func roundDigits(d string, exp, n int) (string, int) {
	if n < 0 {
		return "", exp
	}
	if n >= len(d) {
		return d, exp
	}
	up := d[n] >= '5'
	b := []byte(d[:n])
	if !up {
		return string(b), exp
	}
	for i := n - 1; i >= 0; i-- {
		if b[i] < '9' {
			b[i]++
			return string(b), exp
		}
		b[i] = '0'
	}
	return "1" + string(b), exp + 1
}

func (s *spec) float(f float64) string {
	neg := math.Signbit(f) && f == f
	if f != f || math.IsInf(f, 0) {
		t := "NaN"
		if f == f {
			plain := spec{width: -1, flags: strings.NewReplacer("0", "", ",", "").Replace(s.flags)}
			t = plain.number(neg, "Infinity", "")
		}
		if s.upper {
			t = strings.ToUpper(t)
		}
		return s.justify(t)
	}
	d, exp := "0", 1
	if f != 0 {
		d, exp = Decimal(f)
	}
	prec := s.precision
	if prec < 0 {
		prec = 6
	}
	var t string
	switch s.conv {
	case 'f':
		t = s.fixed(neg, d, exp, prec)
	case 'e':
		t = s.scientific(neg, d, exp, prec, f == 0)
	case 'g':
		if prec == 0 {
			prec = 1
		}
		r, e := roundDigits(d, exp, prec)
		switch {
		case f == 0:
			t = s.fixed(neg, "0", 1, prec-1)
		case e-1 < -4 || e-1 >= prec:
			t = s.scientific(neg, r, e, prec-1, false)
		default:
			t = s.fixed(neg, r, e, prec-e)
		}
	case 'a':
		t = s.hexFloat(neg, math.Abs(f))
	}
	if s.upper {
		t = strings.ToUpper(t)
	}
	return s.justify(t)
}

func (s *spec) fixed(neg bool, d string, exp, prec int) string {
	d, exp = roundDigits(d, exp, exp+prec)
	whole, frac := "0", ""
	if exp > 0 {
		if len(d) < exp {
			d += strings.Repeat("0", exp-len(d))
		}
		whole, frac = d[:exp], d[exp:]
	} else if d != "" {
		frac = strings.Repeat("0", -exp) + d
	}
	if len(frac) < prec {
		frac += strings.Repeat("0", prec-len(frac))
	}
	frac = frac[:prec]
	if prec > 0 || s.has('#') {
		frac = "." + frac
	}
	return s.number(neg, whole, frac)
}

func (s *spec) scientific(neg bool, d string, exp, prec int, zero bool) string {
	d, exp = roundDigits(d, exp, prec+1)
	if zero {
		exp = 1
	}
	if len(d) < prec+1 {
		d += strings.Repeat("0", prec+1-len(d))
	}
	rest := d[1 : prec+1]
	if prec > 0 || s.has('#') {
		rest = "." + rest
	}
	e, sign := exp-1, "+"
	if e < 0 {
		e, sign = -e, "-"
	}
	t := strconv.Itoa(e)
	if len(t) < 2 {
		t = "0" + t
	}
	return s.number(neg, d[:1], rest+"e"+sign+t)
}

func (s *spec) hexFloat(neg bool, f float64) string {
	prec := s.precision
	if prec == 0 {
		prec = 1
	}
	lead, frac, e := "0", uint64(0), 0
	if f != 0 {
		bits := math.Float64bits(f)
		lead, frac, e = "1", bits&(1<<52-1), int(bits>>52)-1023
		subnormal := e == -1023
		if subnormal {
			lead, e = "0", -1022
		}
		if prec > 0 && prec < 13 {
			if subnormal {
				// With a precision it is shown normalised.
				for lead, frac = "1", frac<<1; frac&(1<<52) == 0; frac <<= 1 {
					e--
				}
				e--
				frac &= 1<<52 - 1
			}
			cut := uint(52 - 4*prec)
			half := uint64(1) << (cut - 1)
			rest := frac & (1<<cut - 1)
			frac -= rest
			if rest > half || rest == half && frac>>cut&1 == 1 {
				frac += 1 << cut
			}
			if frac>>52 != 0 {
				frac = 0
				e++
			}
		}
	}
	digits := strings.TrimRight(fmt.Sprintf("%013x", frac), "0")
	if digits == "" {
		digits = "0"
	}
	exponent := "p" + strconv.Itoa(e)
	sign := ""
	switch {
	case neg:
		sign = "-"
	case s.has('+'):
		sign = "+"
	case s.has(' '):
		sign = " "
	}
	zeros := ""
	if s.has('0') {
		// As in Java, the zeros that the precision adds do not count for the width.
		zeros = strings.Repeat("0", max(s.width-len(sign+"0x"+lead+"."+digits+exponent), 0))
	}
	digits += strings.Repeat("0", max(prec-len(digits), 0))
	return sign + "0x" + zeros + lead + "." + digits + exponent
}
