package joda

import (
	"testing"
	"time"
)

// TestCalendar compares the calendar with that of package time, day by day and week by week.
func TestCalendar(t *testing.T) {
	for d := int64(-800000); d < 800000; d += 61 {
		want := time.Unix(d*86400, 0).UTC()
		local := d * dayMillis
		wy, ww := want.ISOWeek()
		for _, c := range []struct {
			f    Field
			want int
		}{{Year, want.Year()}, {MonthOfYear, int(want.Month())}, {DayOfMonth, want.Day()}, {DayOfYear, want.YearDay()},
			{Weekyear, wy}, {WeekOfWeekyear, ww}, {DayOfWeek, (int(want.Weekday())+6)%7 + 1}} {
			if got := c.f.get(local); got != int64(c.want) {
				t.Fatalf("day %d: %s is %d, want %d", d, c.f, got, c.want)
			}
			if back, err := c.f.set(local, c.f.get(local)); err != nil || back != local {
				t.Fatalf("day %d: setting %s to itself gives %d, %v", d, c.f, back, err)
			}
		}
	}
}

// TestOffsets compares offsets with those of package time, for all zones, within and beyond the data.
func TestOffsets(t *testing.T) {
	loadIndex()
	for _, id := range index.ids {
		z, err := ForID(id)
		if err != nil {
			t.Fatal(err)
		}
		f := index.files[id]
		if target, ok := links[id]; ok {
			f = index.files[target]
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data := make([]byte, f.UncompressedSize64)
		for n := 0; n < len(data); {
			k, err := r.Read(data[n:])
			if n += k; k == 0 && err != nil {
				break
			}
		}
		loc, err := time.LoadLocationFromTZData(id, data)
		if err != nil {
			t.Fatal(err)
		}
		for s := int64(-5_000_000_000); s < 30_000_000_000; s += 3_333_337 {
			_, want := time.Unix(s, 0).In(loc).Zone()
			if got := z.Offset(s * 1000); got != int64(want)*1000 {
				t.Errorf("%s at %d: %d, want %d", id, s, got/1000, want)
				break
			}
		}
	}
}

// TestResolve: every local time that exists comes from the instant it resolves to, and it is the earlier one.
func TestResolve(t *testing.T) {
	for _, id := range []string{"America/Los_Angeles", "Europe/Paris", "Australia/Lord_Howe", "Asia/Tokyo", "Pacific/Apia", "America/Sao_Paulo", "Africa/Casablanca"} {
		z, err := ForID(id)
		if err != nil {
			t.Fatal(err)
		}
		for ms := int64(1_262_304_000_000); ms < 1_580_000_000_000; ms += 1_800_000 {
			local := ms + z.Offset(ms)
			got, gap := z.resolve(local)
			if gap || got > ms || got+z.Offset(got) != local {
				t.Fatalf("%s: %d resolves to %d, %v", id, ms, got, gap)
			}
			if kept := z.keeping(local, ms); kept != ms {
				t.Fatalf("%s: %d is not kept: %d", id, ms, kept)
			}
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("yyyy-MM-dd'T'HH:mm:ss.SSSZZ", "2019-01-01T10:20:30.5+01:00", int64(0))
	f.Add("EEE, d MMM yy G z C xx e", "Mon, 1 Jan 19 AD PST 20 19 1", int64(1e12))
	f.Fuzz(func(t *testing.T, pattern, text string, ms int64) {
		if d, err := ParseISO(text, UTC); err == nil {
			_ = d.String()
		}
		fm, err := ForPattern(pattern, 2026)
		if err != nil {
			return
		}
		_ = fm.Print(ms, UTC)
		if d, err := fm.Parse(text, UTC); err == nil {
			_ = fm.Print(d.Millis, d.Zone)
		}
	})
}
