package joda

import (
	"testing"
	"time"
	_ "time/tzdata" // so that TestOffsets does not need that of the machine
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

// TestOffsets compares offsets with those of package time, within and beyond the data, in zones of which
// every release since has said the same.
func TestOffsets(t *testing.T) {
	for _, id := range []string{"America/New_York", "America/Los_Angeles", "America/Chicago", "America/Denver", "America/St_Johns", "America/Havana",
		"Europe/London", "Europe/Paris", "Europe/Athens", "Europe/Moscow", "Europe/Istanbul", "Asia/Tokyo", "Asia/Kolkata",
		"Asia/Shanghai", "Asia/Jerusalem", "Asia/Kathmandu", "Africa/Johannesburg", "Africa/Lagos", "Australia/Sydney",
		"Australia/Adelaide", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Honolulu", "Antarctica/Troll", "Etc/GMT+5"} {
		z, err := ForID(id)
		if err != nil {
			t.Fatal(err)
		}
		loc, err := time.LoadLocation(id)
		if err != nil {
			t.Fatal(err)
		}
		for s := int64(0); s < 60_000_000_000; s += 1_777_777 {
			_, want := time.Unix(s, 0).In(loc).Zone()
			if got := z.Offset(s * 1000); got != int64(want)*1000 {
				t.Errorf("%s at %d: %d, want %d", id, s, got/1000, want)
				break
			}
		}
	}
}

// TestZoneData has what tells this release, as Joda-Time compiled it, from others.
func TestZoneData(t *testing.T) {
	for _, c := range []struct {
		id     string
		millis int64
		want   string // the text of the zone and of the instant
	}{
		{"Africa/Freetown", 1577836800000, "Africa/Freetown 2020-01-01T00:20:00.000+00:20"},
		{"Antarctica/Vostok", 1735689600000, "Antarctica/Vostok 2025-01-01T06:00:00.000+06:00"},
		{"Asia/Tehran", 1720000000000, "Asia/Tehran 2024-07-03T14:16:40.000+04:30"},
		{"America/Mexico_City", 1720000000000, "America/Mexico_City 2024-07-03T04:46:40.000-05:00"},
		{"Asia/Dhaka", 1262278799999, "Asia/Dhaka 2009-12-31T22:59:59.999+06:00"},
		{"Asia/Dhaka", 1262278799998, "Asia/Dhaka 2009-12-31T23:59:59.998+07:00"},
		{"America/New_York", -2717650800001, "America/New_York 1883-11-18T12:03:57.999-04:56:02"},
		{"America/New_York", -2717650800000, "America/New_York 1883-11-18T12:00:00.000-05:00"},
		{"Africa/Abidjan", -5000000000000, "Africa/Abidjan 1811-07-23T14:50:32.000-00:16:08"},
		{"Europe/London", 7258118400000, "Europe/London 2200-01-01T00:00:00.000Z"},
		{"Australia/Lord_Howe", 32503680000000, "Australia/Lord_Howe 3000-01-01T11:00:00.000+11:00"},
		{"America/Los_Angeles", 1577836800000 + 1000*cycleMillis, "America/Los_Angeles 402019-12-31T16:00:00.000-08:00"},
		{"US/Pacific-New", 0, "✗"},
		{"Europe/Kyiv", 0, "✗"},
		{"America/Ciudad_Juarez", 0, "✗"},
		{"Europe/Kiev", 0, "Europe/Kiev 1970-01-01T03:00:00.000+03:00"},
		{"US/Pacific", 0, "America/Los_Angeles 1969-12-31T16:00:00.000-08:00"},
		{"Africa/Timbuktu", 0, "Africa/Bamako 1970-01-01T00:00:00.000Z"},
		{"EST", 1561939200000, "EST 2019-06-30T19:00:00.000-05:00"},
		{"GMT0", 0, "Etc/GMT 1970-01-01T00:00:00.000Z"},
		{"GB-Eire", 0, "Europe/London 1970-01-01T01:00:00.000+01:00"},
	} {
		got := "✗"
		if z, err := ForID(c.id); err == nil {
			got = z.ID() + " " + DateTime{c.millis, z}.String()
		}
		if got != c.want {
			t.Errorf("%s at %d: %s, want %s", c.id, c.millis, got, c.want)
		}
	}
}

// TestZones: all zones can be read, their changes follow each other and repeat after 400 years, and all
// ids can be parsed.
func TestZones(t *testing.T) {
	x := loadIndex()
	if len(x.ids) != 594 || len(x.own) != 465 {
		t.Errorf("%d ids of %d zones", len(x.ids), len(x.own))
	}
	for id := range x.ids {
		z := x.zone(id)
		for i := 1; i < len(z.trans); i++ {
			if z.trans[i].at <= z.trans[i-1].at {
				t.Errorf("%s: change %d is not behind the one before", id, i)
			}
		}
		for ms := int64(4e12); ms < 5e12; ms += 7_777_777_777 {
			if z.Offset(ms) != z.Offset(ms+cycleMillis) || z.Offset(ms) != z.Offset(ms+1000*cycleMillis) {
				t.Errorf("%s: the offset at %d does not repeat", id, ms)
			}
		}
		if n := x.longestID("x"+id+"-", 1); n != len(id) {
			t.Errorf("%s is read as %d characters", id, n)
		}
	}
}

// TestZoneNames: names follow the zone and its standard time; a zone without any shows its offset.
func TestZoneNames(t *testing.T) {
	for _, c := range []struct {
		id     string
		millis int64
		want   string
	}{
		{"UTC", 0, "UTC Coordinated Universal Time"},
		{"America/New_York", 1561939200000, "EDT Eastern Daylight Time"},
		{"Europe/Dublin", 1546300800000, "GMT Greenwich Mean Time"},
		{"Europe/Dublin", 1561939200000, "IST Irish Standard Time"},
		{"Asia/Tokyo", 0, "JST Japan Standard Time"},
		{"America/Sao_Paulo", 1546300800000, "BRST Brasilia Summer Time"},
		{"EST", 0, "EST Eastern Standard Time"},
		{"Etc/UTC", 0, "UTC Coordinated Universal Time"},
		{"Etc/GMT+5", 0, "-05:00 -05:00"},
		{"+05:30", 0, "+05:30 +05:30"},
	} {
		z, err := ForID(c.id)
		if err != nil {
			t.Fatal(err)
		}
		f, err := ForPattern("z zzzz", DateTime{0, UTC})
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Print(c.millis, z); got != c.want {
			t.Errorf("%s at %d: %s, want %s", c.id, c.millis, got, c.want)
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

// TestTwoDigitYear: the window hangs on the year of now, or on its week-year, in the zone of now.
func TestTwoDigitYear(t *testing.T) {
	tokyo, err := ForID("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	newYear := DateTime{1798761600000, UTC} // 2027-01-01, in week 53 of 2026
	for _, c := range []struct {
		pattern, text string
		now           DateTime
		want          int64
	}{
		{"yy", "46", newYear, 2046}, {"yy", "47", newYear, 1947},
		{"xx-ww-e", "45-01-4", newYear, 2045}, {"xx-ww-e", "46-01-4", newYear, 1946},
		{"yy", "46", DateTime{newYear.Millis - 3600000, UTC}, 1946}, {"yy", "46", DateTime{newYear.Millis - 3600000, tokyo}, 2046},
	} {
		f, err := ForPattern(c.pattern, c.now)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := f.Parse(c.text, UTC); err != nil || d.Get(Year) != c.want {
			t.Errorf("%s of %s at %s: %s, %v, want %d", c.pattern, c.text, c.now, d, err, c.want)
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
		fm, err := ForPattern(pattern, DateTime{0, UTC})
		if err != nil {
			return
		}
		_ = fm.Print(ms, UTC)
		if d, err := fm.Parse(text, UTC); err == nil {
			_ = fm.Print(d.Millis, d.Zone)
		}
	})
}
