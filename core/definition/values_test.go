package definition

import (
	"strings"
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/sel"
)

func TestDurationText(t *testing.T) { // workflow-definition.md 5.3, engine.md 7
	for text, ms := range map[string]int64{
		"2 hours": 7200000, "2h": 7200000, "1 d 1 h 1 min 1s 1ms": 90061001, "10min 1min": 660000, "300s": 300000, "abc 1min": 60000,
		"1.5h": 18000000, "5s 1.5h": 18005000, "about 1 D": 86400000, "1d2h3min4s5ms": 93784005, "1 minute 2 seconds": 62000,
		"5m": 0, "min": 0, "day": 0, "": 0, "foo": 0, "2  hours": 0, "2 µs": 0, "10368000000L": 0, "3 milliseconds": 3, "1 hour 1 hour": 7200000,
		"99999999999999999999d": 9223372036854775807, "9223372036854775807d": 9223372036854775807,
	} {
		if got := DurationMillis(text); got != ms {
			t.Errorf("%q: got %d, want %d", text, got, ms)
		}
	}
}

func TestTimeout(t *testing.T) { // workflow-definition.md 5.3
	for _, c := range []struct {
		in   *ParsableLong
		want int64
		text string
	}{
		{LongNumber(90), 90000, ""},
		{LongText("3600"), 3600000, ""},
		{LongText("120 days"), MaxTimeoutMillis, ""},
		{LongNumber(10368000), MaxTimeoutMillis, ""},
		{LongNumber(0), 0, "timeout [0 ms]/[0] cannot be non-positive or more than system limit: 120 days"},
		{LongText("5m"), 0, `timeout [0 ms]/["5m"] cannot be non-positive or more than system limit: 120 days`},
		{LongText("-100"), 0, `timeout [-100000 ms]/["-100"] cannot be non-positive or more than system limit: 120 days`},
		{LongNumber(10368001), 0, "timeout [10368001000 ms]/[10368001] cannot be non-positive or more than system limit: 120 days"},
		{LongNumber(9223372036854775807), 0, "timeout [9223372036854775807 ms]/[9223372036854775807] cannot be non-positive or more than system limit: 120 days"},
		{LongText(" 60"), 0, `timeout [0 ms]/[" 60"] cannot be non-positive or more than system limit: 120 days`},
	} {
		got, err := c.in.TimeoutMillis()
		if text := errText(err); got != c.want || text != c.text {
			t.Errorf("%s: got %d %q, want %d %q", c.in, got, text, c.want, c.text)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestInterpolated(t *testing.T) {
	lookup := func(name string) (sel.Value, error) { return sel.Long(2), nil }
	p, err := LongText("$n hours").Interpolated(lookup)
	if ms, _ := p.TimeoutMillis(); err != nil || ms != 7200000 {
		t.Errorf("got %v, %v", p, err)
	}
	if p, err := LongNumber(5).Interpolated(lookup); err != nil || p.Number != 5 {
		t.Errorf("got %v, %v", p, err)
	}
}

func TestRetryPolicyIsChecked(t *testing.T) { // workflow-definition.md 6.5
	policy := func(f func(p *RetryPolicy)) *RetryPolicy {
		p := &RetryPolicy{Backoff: &Backoff{Type: ExponentialBackoff}}
		f(p)
		return p
	}
	for _, c := range []struct {
		policy *RetryPolicy
		want   string
	}{
		{nil, ""},
		{&RetryPolicy{}, ""},
		{policy(func(p *RetryPolicy) { p.ErrorRetryLimit = LongNumber(99) }), ""},
		{policy(func(p *RetryPolicy) { p.ErrorRetryLimit = LongText("${retries}") }), ""},
		{policy(func(p *RetryPolicy) { p.ErrorRetryLimit = LongNumber(100) }),
			"RetryPolicy: error_retry_limit value [100] is parsed to [100] but cannot be less than [0] or more than [99]"},
		{policy(func(p *RetryPolicy) { p.PlatformRetryLimit = LongText("many") }),
			`RetryPolicy: platform_retry_limit value ["many"] is parsed to ["many"] but not a number`},
		{policy(func(p *RetryPolicy) { p.TimeoutRetryLimit = LongText("5min") }),
			`RetryPolicy: timeout_retry_limit value ["5min"] is parsed to ["5min"] but not a number`},
		{policy(func(p *RetryPolicy) { p.Backoff.ErrorRetryBackoffInSecs = LongText("1min") }), ""},
		{policy(func(p *RetryPolicy) { p.Backoff.ErrorRetryBackoffInSecs = LongText("500ms") }),
			`RetryPolicy: backoff.error_retry_backoff_in_secs value ["500ms"] is parsed to [0] but cannot be less than [1] or more than [86400]`},
		{policy(func(p *RetryPolicy) { p.Backoff.PlatformRetryExponent = LongNumber(2147483648) }),
			"RetryPolicy: backoff.platform_retry_exponent value [2147483648] is parsed to [2147483648] but cannot be less than [0] or more than [2147483647]"},
		{policy(func(p *RetryPolicy) { p.Backoff.TimeoutRetryLimitInSecs = LongText("2 days") }),
			`RetryPolicy: backoff.timeout_retry_limit_in_secs value ["2 days"] is parsed to [172800] but cannot be less than [1] or more than [86400]`},
	} {
		if got := errText(c.policy.Check()); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestRetryDelays(t *testing.T) { // engine.md 12.2
	r := DefaultRetries()
	for kind, want := range map[RetryKind][]int64{
		UserRetry:     {60, 120, 240, 480, 600},
		PlatformRetry: {60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600},
	} {
		for n, secs := range want {
			if got := r.DelaySecs(kind, int64(n)); got != secs {
				t.Errorf("kind %d, %d made: got %d s, want %d s", kind, n, got, secs)
			}
		}
	}
	if r.Kinds[UserRetry].Limit != 2 || r.Kinds[PlatformRetry].Limit != 10 || r.Kinds[TimeoutRetry].Limit != 0 {
		t.Errorf("default limits: got %+v", r.Kinds)
	}
}

func TestRetryPolicyIsResolved(t *testing.T) { // engine.md 12.1
	values := func(text string) func(ParsableLong) (ParsableLong, error) {
		return func(p ParsableLong) (ParsableLong, error) {
			return p.Interpolated(func(string) (sel.Value, error) { return sel.String(text), nil })
		}
	}
	p := &RetryPolicy{ErrorRetryLimit: LongText("$n"), Backoff: &Backoff{Type: FixedBackoff, PlatformRetryBackoffInSecs: LongText("2min")}}
	r := p.Resolve(values("7"))
	if r.Type != FixedBackoff || r.Kinds[UserRetry].Limit != 7 || r.DelaySecs(PlatformRetry, 3) != 120 || r.DelaySecs(UserRetry, 3) != 60 {
		t.Errorf("got %+v", r)
	}
	if r := p.Resolve(values("many")); r != DefaultRetries() {
		t.Errorf("a bad value makes the whole policy the default one: got %+v", r)
	}
	huge := &RetryPolicy{Backoff: &Backoff{Type: ExponentialBackoff, ErrorRetryExponent: LongNumber(2147483647)}}
	if got := huge.Resolve(values("")).DelaySecs(UserRetry, 90); got != 600 {
		t.Errorf("an overflowing delay is the cap: got %d", got)
	}
}

func TestNames(t *testing.T) { // workflow-definition.md 5.2, 10.2
	long := strings.Repeat("x", 129)
	for _, c := range []struct {
		check    func(string) string
		in, want string
	}{
		{CheckWorkflowID, "0-starts.with__digit", ""},
		{CheckWorkflowID, "MAESTROX", ""},
		{CheckWorkflowID, "", "[maestro id] cannot be null or empty"},
		{CheckWorkflowID, long, "[maestro id] cannot be more than id length limit 128 - rejected length is [129] for value [" + long + "]"},
		{CheckWorkflowID, "a b", `[maestro id] does not follow the regex rule: [_a-zA-Z0-9][.\-_a-zA-Z0-9]*+ - rejected value is [a b]`},
		{CheckWorkflowID, "MAESTRO_x", "[maestro id] cannot start with reserved prefix: maestro_ - rejected value is [MAESTRO_x]"},
		{CheckWorkflowID, "x_Maestro", "[maestro id] cannot end with reserved suffix: _maestro - rejected value is [x_Maestro]"},
		{CheckWorkflowID, "-a", `[maestro id] does not follow the regex rule: [_a-zA-Z0-9][.\-_a-zA-Z0-9]*+ - rejected value is [-a]`},
		{CheckReference, "x.y-z_1", ""},
		{CheckReference, "x_maestro", ""},
		{CheckReference, "1st", `[maestro id or name reference] does not follow the regex rule: [_a-zA-Z][.\-_a-zA-Z0-9]*+ - rejected value is [1st]`},
		{CheckReference, "a__b", "[maestro id or name reference] cannot contain the step param separator '__' - rejected value is [a__b]"},
		{CheckReference, "é", `[maestro id or name reference] does not follow the regex rule: [_a-zA-Z][.\-_a-zA-Z0-9]*+ - rejected value is [é]`},
		{CheckName, `a b.,:@&='(){}$+[]-/\_9`, ""},
		{CheckName, "  ", "[maestro name] cannot be null or empty or blank spaces"},
		{CheckName, "bad|", `[maestro name] does not follow the regex rule: [\w \.,:@&='(){}$+\[\]\-\/\\]+ - rejected value is [bad|]`},
		{CheckName, "maestro_x", "[maestro name] cannot start with reserved prefix: maestro_ - rejected value is [maestro_x]"},
		{checkDisplayName, strings.Repeat("☃", 256), ""},
		{checkText, strings.Repeat("😀", 8193), "size must be between 0 and 16384"},
	} {
		if got := c.check(c.in); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

func TestJitter(t *testing.T) { // time-triggers.md 5
	zone := "UTC"
	daily := "0 0 * * *"
	for _, c := range []struct {
		trigger  TimeTrigger
		workflow string
		secs     int64
	}{
		{TimeTrigger{Type: CronTrigger, Cron: &daily, Timezone: &zone, FuzzyMaxDelay: LongText("1 hour")}, "wf-a", 297},
		{TimeTrigger{Type: CronTrigger, Cron: &daily, Timezone: &zone, FuzzyMaxDelay: LongText("1 hour")}, "wf-b", 2468},
		{TimeTrigger{Type: CronTrigger, Cron: &daily, Timezone: &zone, FuzzyMaxDelay: LongText("1 hour")}, "demo.daily", 2331},
		{TimeTrigger{Type: CronTrigger, Cron: &daily, Timezone: &zone, FuzzyMaxDelay: LongNumber(600000)}, "wf-a", 535},
		{TimeTrigger{Type: PredefinedTrigger, Expression: "@daily", Timezone: &zone, FuzzyMaxDelay: LongText("30 min")}, "wf-a", 758},
		{TimeTrigger{Type: PredefinedTrigger, Expression: "@daily", FuzzyMaxDelay: LongText("30 min")}, "wf-a", 1431},
		{TimeTrigger{Type: CronTrigger, Cron: &daily, Timezone: &zone, FuzzyMaxDelay: LongText("1024s")}, "wf-a", 448},
		{TimeTrigger{Type: CronTrigger, Cron: &daily, FuzzyMaxDelay: LongText("60")}, "wf-a", 0},
		{TimeTrigger{Type: CronTrigger, Cron: &daily}, "wf-a", 0},
	} {
		timer, err := c.trigger.Timer(c.workflow)
		if err != nil || timer.DelayMillis != c.secs*1000 {
			t.Errorf("%s%s: got %+v, %v, want %d s", &c.trigger, c.workflow, timer, err, c.secs)
		}
	}
	for _, trigger := range []TimeTrigger{
		{Type: CronTrigger, Cron: &daily, FuzzyMaxDelay: LongNumber(500)},
		{Type: CronTrigger, Cron: &daily, FuzzyMaxDelay: LongText("500ms")},
		{Type: IntervalTrigger},
	} {
		if _, err := trigger.Timer("w"); err == nil {
			t.Errorf("%s is accepted", &trigger)
		}
	}
}

// TestTriggerIDs: the samples of the ids, which tell predefined triggers from their cron.
func TestTriggerIDs(t *testing.T) { // time-triggers.md 7, 10
	utc, tokyo, nine := "UTC", "Asia/Tokyo", "0 9 * * *"
	cron := TimeTrigger{Type: CronTrigger, Cron: &nine, Timezone: &utc}
	daily := TimeTrigger{Type: PredefinedTrigger, Expression: "@daily", Timezone: &tokyo}
	w := &Workflow{ID: "wf-a", TimeTriggers: []TimeTrigger{cron, daily}}
	if got := TriggerUUIDs(w, true); len(got) != 1 || got[0] != "669e6e14-8ddb-30c1-a1da-113d7200ff58" {
		t.Errorf("id of the list: %q", got)
	}
	if got := cron.StartID("wf-a", 1735722000_000); got != "e0dc699f-758b-36d8-a90b-45a2c6bb4adb" {
		t.Errorf("id of a start: %s", got)
	}
	midnight := "0 0 * * *"
	same := TimeTrigger{Type: CronTrigger, Cron: &midnight, Timezone: &tokyo}
	if daily.StartID("w", 0) == same.StartID("w", 0) {
		t.Error("a predefined trigger and its cron have one id: two runs at one time would be one")
	}
}

// TestJitteredTimes: fire times with a fixed delay. They are as far from each other as the cron times; a daily job of the
// repeated hour of autumn runs once with it, too; cron times that lie within the delay are left out.
func TestJitteredTimes(t *testing.T) { // time-triggers.md 4, 5, 14
	for _, c := range []struct {
		cron, zone string
		delay      int64 // seconds
		from       string
		want       []string
	}{
		{"0 0 * * *", "UTC", 297, "2025-01-01T00:00:00Z", []string{"2025-01-02T00:04:57Z", "2025-01-03T00:04:57Z"}},
		{"0 0 * * *", "UTC", 297, "2025-01-01T00:04:57Z", []string{"2025-01-02T00:04:57Z", "2025-01-03T00:04:57Z"}},
		{"30 1 * * *", "America/Los_Angeles", 300, "2025-11-01T12:00:00Z", []string{"2025-11-02T08:35:00Z", "2025-11-03T09:35:00Z"}},
		{"*/2 * * * *", "UTC", 300, "2025-01-01T00:00:00Z", []string{"2025-01-01T00:07:00Z", "2025-01-01T00:13:00Z"}},
	} {
		trigger := TimeTrigger{Type: CronTrigger, Cron: &c.cron, Timezone: &c.zone}
		timer, err := trigger.Timer("w")
		if err != nil {
			t.Fatal(err)
		}
		timer.DelayMillis = c.delay * 1000
		at, err := time.Parse(time.RFC3339, c.from)
		if err != nil {
			t.Fatal(err)
		}
		ms := at.UnixMilli()
		for _, want := range c.want {
			next, ok := timer.Next(ms)
			if got := time.UnixMilli(next).UTC().Format(time.RFC3339); !ok || got != want {
				t.Errorf("%s %s after %s: %s, want %s", c.cron, c.zone, time.UnixMilli(ms).UTC().Format(time.RFC3339), got, want)
			}
			ms = next
		}
	}
}
