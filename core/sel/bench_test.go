package sel

import (
	"context"
	"testing"
)

func benchmark(b *testing.B, source string, inputs map[string]Value) {
	b.Helper()
	b.ReportAllocs()
	env := Env{Inputs: inputs, NowMillis: 1785000000000}
	for b.Loop() {
		p, err := Compile(source)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := Eval(context.Background(), p, env); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTypical(b *testing.B) {
	benchmark(b, `rows * 2 + (region == 'eu' ? 1 : 0);`, map[string]Value{"rows": Long(21), "region": String("eu")})
}

func BenchmarkText(b *testing.B) {
	benchmark(b, `'t_' + region + '_' + day;`, map[string]Value{"day": Long(20260724), "region": String("eu")})
}

func BenchmarkDate(b *testing.B) {
	benchmark(b, `new DateTime(ts).withZone(DateTimeZone.forID('America/Los_Angeles')).minusDays(1).toString('yyyyMMdd');`,
		map[string]Value{"ts": Long(1785000000000)})
}

func BenchmarkDateParse(b *testing.B) {
	benchmark(b, `DateTimeFormat.forPattern('yyyyMMdd').withZone(DateTimeZone.UTC).parseDateTime(day).plusDays(1).getMillis();`,
		map[string]Value{"day": String("20260724")})
}

func BenchmarkLoop1000(b *testing.B) {
	benchmark(b, `s = 0; for (i = 0; i < 1000; i += 1) { s += i; } s;`, nil)
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		compile(`if (rows > 10 && region == 'eu') { return 't_' + region; } return 'none';`)
	}
}
