package sel

import (
	"context"
	"errors"
	"testing"
)

// evalText evaluates a complete program and shows its result as "TYPE text", or "✗ category".
func evalText(t *testing.T, source string, env Env) string {
	t.Helper()
	if env.NowMillis == 0 {
		env.NowMillis = 1785000000000
	}
	p, err := CompileLimited(source, env.Limits)
	var v Value
	if err == nil {
		v, err = Eval(context.Background(), p, env)
	}
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return "✗ " + err.Error()
		}
		return "✗ " + string(e.Category)
	}
	if text := v.Text(); text != "" || v.Type() == TypeString {
		return v.Type().String() + " " + text
	}
	return v.Type().String()
}

// TestSpecification has the examples of the specification, by section.
func TestSpecification(t *testing.T) {
	for _, c := range []struct{ section, source, want string }{
		{"2", `1\u002b1;`, "LONG 2"},
		{"2", `'\u0027;`, "STRING "},
		{"2", `"\\u0041";`, `STRING \u0041`},
		{"2", `'\u00zz';`, "✗ bad-unicode-escape"},
		{"2", "1\u00a0+ 1;", "✗ lexical"},
		{"2", "/**/ 1;", "LONG 1"},
		{"2", "/* 1;", "✗ lexical"},
		{"2", "TRUE;", "NULL null"},
		{"2", "010;", "LONG 10"},
		{"2", "9223372036854775807;", "LONG 9223372036854775807"},
		{"2", "-9223372036854775808;", "✗ bad-literal"},
		{"2", "-9223372036854775807-1;", "LONG -9223372036854775808"},
		{"2", "0x1F;", "✗ bad-literal"},
		{"2", "08;", "✗ syntax"},
		{"2", "0.1f;", "DOUBLE 0.1"},
		{"2", "1.e3;", "DOUBLE 1000.0"},
		{"2", "1f;", "DOUBLE 1.0"},
		{"2", "1e999;", "DOUBLE Infinity"},
		{"2", `"\101";`, "✗ bad-literal"},
		{"2", `"\q";`, "✗ lexical"},
		{"2", "2--3;", "✗ syntax"},
		{"2", "2 - -3;", "LONG 5"},
		{"2", "1.toString();", "✗ syntax"},
		{"2", "(1).toString();", "STRING 1"},
		{"2", "1.5.toString();", "STRING 1.5"},
		{"3", "if (true) int x = 1;", "✗ syntax"},
		{"3", "for (i = 0; i < 3; i + 1) {}", "✗ syntax"},
		{"3", "(x) = 3;", "✗ syntax"},
		{"3", "x = y = 5; x + y;", "LONG 10"},
		{"3", "c = false; c ? x = 1 : 2;", "LONG 2"},
		{"3", "f(1);", "✗ syntax"},
		{"3", "new int[]{1,2}[1];", "LONG 2"},
		{"3", "new int[3][2];", "LONG 0"},
		{"3", "new java.io.File('x');", "✗ syntax"},
		{"3", "new int[]{,};", "LONG_ARRAY []"},
		{"3", "new int[]{1,};", "LONG_ARRAY [1]"},
		{"3", "1;;", "✗ syntax"},
		{"3", "1 + 2 * 3 - 4 / 2 % 3;", "LONG 5"},
		{"3", "1 == 1 == true;", "BOOLEAN true"},
		{"3", "1 < 2 < 3;", "✗ type-mismatch"},
		{"4.1", "x = 1; x + 1;", "LONG 2"},
		{"4.1", "{1; 2;}", "LONG 2"},
		{"4.1", "1; int x = 2;", "VOID"},
		{"4.1", "/* only */", "VOID"},
		{"4.1", "if (true) 1; else 2;", "VOID"},
		{"4.1", "1; while (false) 2;", "VOID"},
		{"4.1", "if (true) return 1; 5;", "LONG 1"},
		{"4.3", "int x = 1, y = x + 1; y;", "LONG 2"},
		{"4.3", "double x = 1;", "✗ type-mismatch"},
		{"4.3", "String x = null;", "✗ type-mismatch"},
		{"4.4", "{ int x = 5; } x;", "LONG 5"},
		{"4.6", "if (true) break; 5;", "LONG 5"},
		{"4.6", "{ break; 7; } 5;", "LONG 5"},
		{"4.6", "1; break;", "✗ break-outside"},
		{"4.9", "throw 1;", "✗ throw-type"},
		{"5.2", "String.valueOf(1);", "STRING 1"},
		{"5.2", "Long + 1;", "LONG 1"},
		{"5.2", "new LocalDate();", "✗ unknown-class"},
		{"5.5", "zzz;", "NULL null"},
		{"5.5", "z > 0 && z < 10;", "BOOLEAN false"},
		{"5.5", "zzz.foo();", "✗ no-such-method"},
		{"5.5", "a.b;", "✗ no-such-field"},
		{"5.5", "x = null;", "✗ no-default"},
		{"5.6", "x = 1; y = x; y += 5; x;", "LONG 1"},
		{"5.6", "x = 1; int y = x; y += 5; x;", "LONG 6"},
		{"5.6", "x = 1; x + (x = 5);", "LONG 10"},
		{"5.6", "c = 0; for (j = 0; j < 2; j += 1) { for (int i = 0; i < 3; i += 1) { c += 1; } } c;", "LONG 3"},
		{"5.6", "c = 0; for (j = 0; j < 2; j += 1) { for (i = 0; i < 3; i += 1) { c += 1; } } c;", "LONG 6"},
		{"5.6", "c = 0; for (i = 0; i < 2; i += 1) { boolean f = false; if (f) { c += 1; } f = true; } c;", "LONG 1"},
		{"5.6", "c = ''; for (i = 0; i < 3; i += 1) { String s = 'a'; s += i; c += s + ';'; } c;", "STRING a0;a01;a012;"},
		{"5.6", "c = ''; for (i = 0; i < 3; i += 1) { s = 'a'; s += i; c += s + ';'; } c;", "STRING a0;a1;a2;"},
		{"5.6", "a = new int[]{3,1}; int t = a[0]; a[0] = a[1]; a[1] = t; a;", "LONG_ARRAY [1, 1]"},
		{"5.6", "a = new int[]{3,1}; t = a[0]; a[0] = a[1]; a[1] = t; a;", "LONG_ARRAY [1, 3]"},
		{"5.6", "x = new Map(); y = 123; x.put('k', y); y = 111; x;", "MAP {k=111}"},
		{"5.6", "m = new Map(); for (i = 0; i < 3; i += 1) { m.put('k' + i, i); } m;", "MAP {k0=3, k1=3, k2=3}"},
		{"5.6", "m = new Map(); k = 'a'; m.put(k, 1); k = 'b'; m.put(k, 2); m.size();", "LONG 2"},
		{"5.6", "a = new int[]{1}; int[] b = a; a = new int[]{3,4}; b[0];", "LONG 3"},
		{"5.6", "d1 = new DateTime(0); DateTime d2 = d1; d1 = d1.plusDays(1); d2.getDayOfMonth();", "LONG 2"},
		{"6", "false && 1/0 == 1;", "✗ division"},
		{"6", "1 == '1';", "BOOLEAN true"},
		{"6", "1.0 == '1.0';", "BOOLEAN true"},
		{"6", "'1' == 1;", "✗ type-mismatch"},
		{"6", "null + 1;", "STRING null1"},
		{"6", "m = new Map(); m == null;", "✗ no-such-operation"},
		{"6", "m = new Map(); null == m;", "BOOLEAN false"},
		{"6", "2.5 + Math;", "✗ no-content"},
		{"6", "Map m; 2.5 + m;", "✗ null-object"},
		{"6", "String s; s == null;", "BOOLEAN true"},
		{"6", "-7/2;", "LONG -3"},
		{"6", "-7%3;", "LONG -1"},
		{"6", "7%-3;", "LONG 1"},
		{"6", "(-9223372036854775807-1) / -1;", "LONG -9223372036854775808"},
		{"6", "(-9223372036854775807-1) % -1;", "LONG 0"},
		{"6", "1.0/0;", "DOUBLE Infinity"},
		{"6", "1.0%0;", "DOUBLE NaN"},
		{"6", "-5.5%2;", "DOUBLE -1.5"},
		{"6", "0.0 == -0.0;", "BOOLEAN true"},
		{"6", "x = 1; x += 2.5;", "✗ type-mismatch"},
		{"6", "zz += 1;", "✗ no-such-operation"},
		{"6", "UUID u = UUID.randomUUID(); 1;", "LONG 1"},
		{"6", "u = UUID.randomUUID();", "✗ no-such-operation"},
		{"6", "a = new int[2]; a[1.5];", "✗ invalid-index-type"},
		{"6", "m = new Map(); m['k'];", "✗ wrong-argument-type"},
		{"6", "a = new int[]{1,2}; a[4294967297];", "LONG 2"},
		{"6", "a = new int[]{1,2}; a[2];", "✗ index"},
		{"6", "new int[-1];", "✗ negative-size"},
		{"6", "new DateTime[1];", "✗ array-element"},
		{"6", "new double[]{1};", "✗ type-mismatch"},
		{"6", "Map[] x;", "✗ array-type"},
		{"6 [D]", "'' + new int[]{1};", "✗ no-content"},
		{"6 [D]", "s = 'a' + new int[]{1}; throw s;", "✗ no-content"},
		{"6 [D]", "DateTimeFormat.forPattern('yyyy') == null;", "✗ no-such-operation"},
		{"7.1", "'😀'.length();", "LONG 2"},
		{"7.2", "Long.valueOf('٣');", "LONG 3"},
		{"7.2", "Long.valueOf(' 3');", "✗ number-text"},
		{"7.3", "Double.valueOf(' 0x1p3d ');", "DOUBLE 8.0"},
		{"7.3", "Double.valueOf('inf');", "✗ number-text"},
		{"7.4", "'' + 100.0 + 0.001 + 1e-4 + 9999999.0 + 1e7 + 123456789.123;", "STRING 100.00.0011.0E-49999999.01.0E71.23456789123E8"},
		{"7.4", "4.9e-324;", "DOUBLE 4.9E-324"},
		{"7.4", "2e23;", "DOUBLE 2.0E23"},
		{"7.5", "(1e10).intValue();", "LONG 10000000000"},
		{"7.6", "m = new Map(); m.put('one',1); m.put('two',2); m.put('three',3); m.put('four',4); m.put('five',5); '' + m;", "STRING {four=4, one=1, two=2, three=3, five=5}"},
		{"7.6", "m = new Map(); for (i = 0; i < 14; i += 1) { m.put('key' + i, i + 0); } m.toString;", "✗ no-such-field"},
		{"7.8", "String.valueOf(3000000000);", "STRING 3000000000"},
		{"7.8", "String.valueOf(-3000000000);", "STRING 1294967296"},
		{"10.1", "'apple'.compareTo('app');", "LONG 2"},
		{"10.1", "'abc'.replace('', '-');", "STRING -a-b-c-"},
		{"10.1", "'aaa'.replaceAll('a*', 'X');", "STRING XX"},
		{"10.1", "''.split(',').length;", "LONG 1"},
		{"10.1", "','.split(',').length;", "LONG 0"},
		{"10.1", "'a,b,,c,,'.split(',', -1).length;", "LONG 6"},
		{"10.1", "'a.b.c'.split('\\\\.');", "STRING_ARRAY [a, b, c]"},
		{"10.1", "String.format('%.2f', 1.005);", "STRING 1.01"},
		{"10.1", "String.format('%.20f', 0.1);", "STRING 0.10000000000000000000"},
		{"10.1", "String.format('%05d', -5);", "STRING -0005"},
		{"10.1", "String.format('%x', -1);", "STRING ffffffff"},
		{"10.1", "String.format('%x', 3000000000);", "STRING b2d05e00"},
		{"10.1", "String.format('%.0f', 0.5);", "STRING 1"},
		{"10.1", "String.format('%.1f', 0.25);", "STRING 0.3"},
		{"10.1", "String.format('%e', 12345.678);", "STRING 1.234568e+04"},
		{"10.1", "m = new Map(); m.put('k', 1); n = new Map(); n.put('d', 1.5); n.put('b', true); m.put('n', n); String.format('%h', m);", "STRING 3ff805e9"},
		{"10.1 [D]", "String.format('%h', new int[]{1});", "✗ no-content"},
		{"10.1", "String.format();", "✗ invalid-args"},
		{"10.1", "'ß'.toUpperCase() + 'İ'.toLowerCase() + 'ΑΣ'.toLowerCase();", "STRING SSi\u0307ας"},
		{"10.5", "Math.pow(0, 0);", "DOUBLE 1.0"},
		{"10.5", "Math.pow(-8, 1.0/3);", "DOUBLE NaN"},
		{"10.5", "Math.min(1.0, 2);", "✗ wrong-argument-type"},
		{"10.6", "UUID.toString();", "STRING null"},
		{"10.7", "Arrays.asList('a','b');", "✗ no-such-method"},
		{"10.7", "DateTimeConstants.SUNDAY;", "LONG 7"},
		{"11.1", "DateTimeZone.forID('US/Pacific');", "DATETIME_ZONE America/Los_Angeles"},
		{"11.1", "DateTimeZone.forID('+01:00:00,5');", "DATETIME_ZONE +01:00:00.500"},
		{"11.1", "DateTimeZone.forID('GMT+5');", "✗ zone-id"},
		{"11.1", "DateTimeZone.forID('+5');", "✗ date-text"},
		{"11.1", "DateTimeZone.forID('-0800');", "DATETIME_ZONE -08:00"},
		{"11.2", "new DateTime('20190101').getYear();", "LONG 20190101"},
		{"11.2", "new DateTime('2019-W01').toString();", "STRING 2018-12-31T00:00:00.000Z"},
		{"11.2", "new DateTime('2019-01-01T10.5').toString();", "STRING 2019-01-01T10:30:00.000Z"},
		{"11.2", "new DateTime('2019-01-01T+05:00').toString();", "STRING 2018-12-31T19:00:00.000Z"},
		{"11.2", "new DateTime('2019-01-01Z');", "✗ date-text"},
		{"11.2", "new DateTime('2019-02-29');", "✗ date-field"},
		{"11.3", "new DateTime(253402300800000).toString();", "STRING 10000-01-01T00:00:00.000Z"},
		{"11.3", "new DateTime(9223372036854775807, DateTimeZone.forID('Asia/Tokyo')).toString();", "STRING 292278994-08-17T07:12:55.807Z"},
		{"11.3", "'' + new DateTime(-9223372036854775807-1, DateTimeZone.forID('America/New_York'));", "STRING -292275055-05-16T16:47:04.192Z"},
		{"11.4", "new DateTime(9223372036854775807, DateTimeZone.forID('Asia/Tokyo')).getYear();", "✗ method-failure"},
		{"11.4", "new DateTime(9223372036854775807, DateTimeZone.forID('Asia/Tokyo')).plusHours(-1);", "✗ method-failure"},
		{"11.4", "new DateTime(9223372036854775807, DateTimeZone.forID('Asia/Tokyo')).withTimeAtStartOfDay();", "✗ method-failure"},
		{"11.4", "new DateTime(9223372036854775807 - 32400000, DateTimeZone.forID('Asia/Tokyo')).plusHours(1);", "✗ method-failure"},
		{"11.4", "new DateTime(9223372036854775807 - 32400000, DateTimeZone.forID('Asia/Tokyo')).plusHours(-1).getYear();", "LONG 292278994"},
		{"11.7", "new DateTime(9223372036854775807, DateTimeZone.forID('Asia/Tokyo')).dayOfYear().get();", "✗ division"},
		{"12", "Util.timeoutForDateTimeDeadline(new DateTime(9223372036854775807), '1 day');", "✗ division"},
		{"11.4", "Map m; new DateTime(0).toString(m);", "STRING 1970-01-01T00:00:00.000Z"},
		{"11.4", "String s; '' + new DateTime(0).withZone(s);", "STRING 1970-01-01T00:00:00.000Z"},
		{"11.4", "new DateTime(0).withZone('UTC');", "✗ method-failure"},
		{"11.4", "new DateTime('2020-01-31').plusMonths(1).toString();", "STRING 2020-02-29T00:00:00.000Z"},
		{"11.4", "new DateTime('2020-12-31').withWeekyear(2019).toString();", "STRING 2019-12-26T00:00:00.000Z"},
		{"11.4", "new DateTime('2019-03-09T02:30', DateTimeZone.forID('America/Los_Angeles')).plusDays(1).toString();", "STRING 2019-03-10T03:30:00.000-07:00"},
		{"11.4", "new DateTime('2019-11-03T12:00', DateTimeZone.forID('America/Los_Angeles')).withHourOfDay(1).toString();", "STRING 2019-11-03T01:00:00.000-08:00"},
		{"11.4", "new DateTime('2019-11-04T01:30', DateTimeZone.forID('America/Los_Angeles')).withDayOfMonth(3).toString();", "STRING 2019-11-03T01:30:00.000-08:00"},
		{"11.4", "new DateTime('2019-03-10T12:00', DateTimeZone.forID('America/Los_Angeles')).withHourOfDay(2);", "✗ method-failure"},
		{"11.4", "new DateTime('1800-10-27T02:30', DateTimeZone.forID('Europe/Paris')).withYear(2019).toString();", "STRING 2019-10-27T02:30:00.000+01:00"},
		{"11.4", "new DateTime('1800-11-03T01:30', DateTimeZone.forID('America/New_York')).withYear(2019).toString();", "STRING 2019-11-03T01:30:00.000-04:00"},
		{"11.4", "new DateTime('1919-03-31T12:00', DateTimeZone.forID('America/Toronto')).withTimeAtStartOfDay().toString();", "STRING 1919-03-31T01:00:00.000-04:00"},
		{"11.4", "new DateTime('2011-12-29T12:00', DateTimeZone.forID('Pacific/Apia')).plusDays(1).toString();", "STRING 2011-12-31T12:00:00.000+14:00"},
		{"11.2", "new DateTime('2011-12-30T12:00', DateTimeZone.forID('Pacific/Apia'));", "✗ dst-gap"},
		{"11.2", "new DateTime('1969-09-30T01:00', DateTimeZone.forID('Pacific/Kwajalein')).toString();", "STRING 1969-09-30T01:00:00.000+11:00"},
		{"11.2", "new DateTime('1969-09-30T15:00', DateTimeZone.forID('Pacific/Kwajalein')).toString();", "STRING 1969-09-30T15:00:00.000-12:00"},
		{"11.1", "'' + DateTimeZone.forID('Africa/Freetown') + DateTimeZone.forID('Africa/Freetown').getOffset(new DateTime(0));", "STRING Africa/Freetown1200000"},
		{"11.1", "DateTimeZone.forID('Europe/Kyiv');", "✗ zone-id"},
		{"11.5", "DateTimeFormat.forPattern('MM').parseDateTime('02').toString();", "STRING 2000-02-01T00:00:00.000Z"},
		{"11.5", "DateTimeFormat.forPattern('EEE yyyy-MM-dd').parseDateTime('Mon 2019-01-01').toString();", "STRING 2018-12-31T00:00:00.000Z"},
		{"11.5", "DateTimeFormat.forPattern('EEEE').parseDateTime('Monday').toString();", "STRING 2000-12-25T00:00:00.000Z"},
		{"11.5", "DateTimeFormat.forPattern('yyyy ww').parseDateTime('2021 53');", "✗ date-field"},
		{"11.5", "DateTimeFormat.forPattern('xxxx-MM-dd').parseDateTime('2019-01-01').toString();", "STRING 2018-01-01T00:00:00.000Z"},
		{"11.5", "DateTimeFormat.forPattern('hh:mm a').parseDateTime('12:30 AM').toString('HH:mm');", "STRING 00:30"},
		{"11.5", "DateTimeFormat.forPattern('HHZ').parseDateTime('10+24:00');", "✗ date-text"},
		{"11.5", "DateTimeFormat.forPattern('dddddddddddd').parseDateTime('9999999999');", "✗ number-text"},
		{"11.5", "DateTimeFormat.forPattern('dddddddddddd').parseDateTime('000000000007').getDayOfMonth();", "LONG 7"},
		{"11.5", "DateTimeFormat.forPattern(\"'\");", "✗ pattern"},
		{"11.5", "DateTimeFormat.forPattern(\"''\").print(0);", "STRING '"},
		{"11.5", "DateTimeFormat.forPattern('b');", "✗ pattern"},
		{"11.6", "'' + Days.daysBetween(new DateTime('2019-01-01'), new DateTime('2019-02-01'));", "STRING P31D"},
		{"11.7", "new DateTime('2018-11-04T12:34', DateTimeZone.forID('America/Sao_Paulo')).hourOfDay().withMinimumValue().toString();", "STRING 2018-11-04T01:00:00.000-02:00"},
		{"12", "Util.tsToDateInt(-62135596800001);", "STRING 00011231"},
		{"12", "Util.dateIntsBetween(20200303, 20200226, -2);", "LONG_ARRAY [20200301, 20200228, 20200226]"},
		{"12", "Util.intsBetween(5, 0, -2);", "LONG_ARRAY [5, 3, 1]"},
		{"12 [D]", "Util.intsBetween(5, 0, 0);", "✗ invalid-args"},
		{"12", "Util.timeoutForDateTimeDeadline(new DateTime(1785000000000), '1 day, 2 hours and 3 seconds');", "STRING 93603000 milliseconds"},
		{"12", "Util.timeoutForDateTimeDeadline(new DateTime(0), '2 hours and 1 day');", "✗ date-text"},
		{"12", "Util.timeoutForDateTimeDeadline(new DateTime(0), '2147483647 days');", "STRING 185540802100800000 milliseconds"},
		{"12", "Util.timeoutForDateTimeDeadline(new DateTime(0), '-2147483648 days');", "STRING 0 milliseconds"},
		{"12", "Util.timeoutForDateTimeDeadline(new DateTime(0), '2147483648 days');", "✗ number-text"},
		{"12", "Util.timeoutForDateTimeDeadline(new DateTime(0), '99999999999 days');", "✗ number-text"},
		{"12", "Util.timeoutForDateTimeDeadline(new DateTime(0), '99999999999 fortnights');", "✗ date-text"},
		{"12", "Util.timeoutForDateTimeDeadline(new DateTime(0), '00000000001 day');", "✗ date-text"},
		{"12", "Util.toJson(-3000000000);", "STRING 1294967296"},
		{"15", "'a'.getClass();", "✗ no-such-method"},
		{"15", "DateTimeZone.forID('../../etc/passwd');", "✗ zone-id"},
		{"5.4 [D]", "m = new Map(); m.put('m', m); m;", "✗ result-extraction"},
	} {
		if got := evalText(t, c.source, Env{}); got != c.want {
			t.Errorf("section %s: %s\n got %s\nwant %s", c.section, c.source, got, c.want)
		}
	}
}

// TestDefaultInstances: section 5.6 [D], a predefined name belongs to one evaluation.
func TestDefaultInstances(t *testing.T) {
	if got := evalText(t, "Integer = 5; Integer;", Env{}); got != "LONG 5" {
		t.Error(got)
	}
	if got := evalText(t, "Integer;", Env{}); got != "LONG 0" {
		t.Error(got)
	}
}

// TestPositions: section 9, positions and texts of lexical and syntax errors.
func TestPositions(t *testing.T) {
	for _, c := range []struct {
		source    string
		line, col int
		message   string
	}{
		{"1 +\n", 1, 4, `Encountered "<EOF>" at line 1, column 4.`},
		{"@", 1, 2, `Lexical error at line 1, column 2.  Encountered: <EOF> after : ""`},
		{"@ ", 1, 1, `Lexical error at line 1, column 1.  Encountered: "@" (64), after : ""`},
		{"\t@ ", 1, 9, `Lexical error at line 1, column 9.  Encountered: "@" (64), after : ""`},
		{"int class = 1;", 1, 1, `Encountered " "int" "int "" at line 1, column 1.`},
		{"'\\u00zz'", 1, 3, `Invalid escape character at line 1 column 3.`},
		{"x = 1;\r\n  😀 ", 2, 3, `Lexical error at line 2, column 3.  Encountered: "\ud83d" (55357), after : ""`},
		{"'a\\q'; ", 1, 4, `Lexical error at line 1, column 4.  Encountered: "q" (113), after : "\'a\\"`},
	} {
		_, err := Compile(c.source)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: %v", c.source, err)
			continue
		}
		first := e.Message
		for i := range first {
			if first[i] == '\n' {
				first = first[:i]
				break
			}
		}
		if e.Line != c.line || e.Column != c.col || first != c.message {
			t.Errorf("%q: line %d, column %d: %s", c.source, e.Line, e.Column, first)
		}
	}
}
