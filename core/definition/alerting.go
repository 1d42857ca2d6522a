package definition

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/downbeat/downbeat/core/definition/cron"
	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/wire"
)

// Alerting says whom to tell about what. It is stored and shown; nothing is sent (workflow-definition.md
// 4.4). Sets are lists without repetitions, in the order given.
type Alerting struct {
	Emails             []string
	Pagerduties        []string
	Slack              *Slack
	BypassDigestConfig *BypassDigest
	TCT                *TCT
	TypeConfigs        []NamedAlertType
	HasTypeConfigs     bool // an empty map is kept
	PagerdutyConfig    *PagerdutyConfig
}

// Slack names who is told in Slack.
type Slack struct {
	Users, Channels, MentionUsers []string
}

// BypassDigest says what does not wait for the digest.
type BypassDigest struct {
	Steps    []string
	Workflow bool
}

// TCT is the target completion time: exactly one of the three numbers is set.
type TCT struct {
	CompletedByHour *int64
	DurationMinutes *int64
	CompletedByTS   *int64
	TZ              *string
}

// PagerdutyConfig says how loud a page is.
type PagerdutyConfig struct {
	Severity   string
	AlwaysPage *bool
}

// NamedAlertType is the configuration of one type of alert; nil was null.
type NamedAlertType struct {
	Type   string
	Config *AlertType
}

// AlertType is the configuration of a type of alert.
type AlertType struct {
	Emails          []string
	Pagerduties     []string
	Slack           *Slack
	Actions         []string // lower case
	Disabled        bool
	Granularity     string
	DurationMinutes *int64
}

var (
	alertTypes = []string{"STEP_FAILURE", "TCT_VIOLATION", "LONG_RUNNING", "DEPENDENCY_LATE", "BREAKPOINT_HIT", "DEFINITION_CHANGE",
		"RUN_SUCCESS", "SUCCESS_WITHIN"}
	alertActions       = []string{"email", "page", "slack", "cancel"}
	alertGranularities = []string{"WORKFLOW", "STEP", "ALL"}
	pageSeverities     = []string{"CRITICAL", "ERROR", "WARNING", "INFO"}
)

func (t *TCT) check() error {
	n := 0
	show := func(v *int64) string {
		if v == nil {
			return "null"
		}
		n++
		return fmt.Sprint(*v)
	}
	hour, minutes, ts := show(t.CompletedByHour), show(t.DurationMinutes), show(t.CompletedByTS)
	if n == 1 {
		return nil
	}
	tz := "null"
	if t.TZ != nil {
		tz = *t.TZ
	}
	return fmt.Errorf("[TCT definition] is invalid, one and only one time field has to be set: Tct(completedByHour=%s, durationMinutes=%s, completedByTs=%s, tz=%s)", hour, minutes, ts, tz)
}

func readAlerting(v wire.Node) *Alerting {
	return objectOf(v, func(a *Alerting, name string, m wire.Node) bool {
		switch name {
		case "emails":
			a.Emails = readSet(m)
		case "pagerduties":
			a.Pagerduties = readSet(m)
		case "slack":
			a.Slack = readSlack(m)
		case "bypass_digest_config":
			a.BypassDigestConfig = readBypassDigest(m)
		case "tct":
			a.TCT = readTct(m)
		case "type_configs":
			a.TypeConfigs, a.HasTypeConfigs = nil, !m.IsNull()
			if m.IsNull() {
				return true
			}
			each(m, func(kind string, c wire.Node) bool {
				if !slices.Contains(alertTypes, kind) {
					v.Fail("unknown alert type [%s]", kind)
					return true
				}
				a.TypeConfigs = append(a.TypeConfigs, NamedAlertType{Type: kind, Config: readAlertType(c)})
				return true
			})
		case "pagerduty_config":
			a.PagerdutyConfig = readPagerdutyConfig(m)
		default:
			return false
		}
		return true
	})
}

func readSlack(v wire.Node) *Slack {
	return objectOf(v, func(s *Slack, name string, m wire.Node) bool {
		switch name {
		case "users":
			s.Users = readSet(m)
		case "channels":
			s.Channels = readSet(m)
		case "mention_users":
			s.MentionUsers = readSet(m)
		default:
			return false
		}
		return true
	})
}

func readBypassDigest(v wire.Node) *BypassDigest {
	return objectOf(v, func(b *BypassDigest, name string, m wire.Node) bool {
		switch name {
		case "steps":
			b.Steps = readSet(m)
		case "workflow":
			b.Workflow = m.Bool()
		default:
			return false
		}
		return true
	})
}

func readTct(v wire.Node) *TCT {
	return objectOf(v, func(t *TCT, name string, m wire.Node) bool {
		switch name {
		case "completed_by_hour":
			t.CompletedByHour = m.IntOpt()
		case "duration_minutes":
			t.DurationMinutes = m.IntOpt()
		case "completed_by_ts":
			t.CompletedByTS = m.LongOpt()
		case "tz":
			t.TZ = m.StrOpt()
		default:
			return false
		}
		return true
	})
}

func readPagerdutyConfig(v wire.Node) *PagerdutyConfig {
	return objectOf(v, func(p *PagerdutyConfig, name string, m wire.Node) bool {
		switch name {
		case "severity":
			p.Severity = m.Enum(pageSeverities)
		case "always_page":
			p.AlwaysPage = m.BoolOpt()
		default:
			return false
		}
		return true
	})
}

func readAlertType(v wire.Node) *AlertType {
	return objectOf(v, func(a *AlertType, name string, m wire.Node) bool {
		switch name {
		case "emails":
			a.Emails = readSet(m)
		case "pagerduties":
			a.Pagerduties = readSet(m)
		case "slack":
			a.Slack = readSlack(m)
		case "actions":
			a.Actions = nil
			for _, text := range readSet(m) {
				action := strings.ToLower(text)
				if !slices.Contains(alertActions, action) {
					v.Fail("unknown alert action [%s]", text)
				}
				if !slices.Contains(a.Actions, action) {
					a.Actions = append(a.Actions, action)
				}
			}
			if a.Actions == nil && !m.IsNull() {
				a.Actions = []string{}
			}
		case "disabled":
			a.Disabled = m.Bool()
		case "granularity":
			a.Granularity = m.Enum(alertGranularities)
		case "duration_minutes":
			a.DurationMinutes = m.IntOpt()
		default:
			return false
		}
		return true
	})
}

// ForRun is the run's copy of the alerting (workflow-definition.md 4.4): every e-mail is interpolated, and
// the target completion time is computed. What cannot be computed stays as it is. value gives evaluated
// workflow params; a nil receiver gives nil.
func (a *Alerting) ForRun(interpolate func(text string) (string, error), value func(name string) (sel.Value, bool)) *Alerting {
	if a == nil {
		return nil
	}
	run := *a
	if a.Emails != nil {
		run.Emails = make([]string, len(a.Emails))
		for i, text := range a.Emails {
			run.Emails[i] = text
			if out, err := interpolate(text); err == nil {
				run.Emails[i] = out
			}
		}
	}
	if a.TCT != nil {
		if ts, ok := a.TCT.completion(value); ok {
			tct := *a.TCT
			tct.CompletedByTS = &ts
			run.TCT = &tct
		}
	}
	return &run
}

// completion is the target completion time in epoch milliseconds: the hour's last second of the run date,
// or some minutes after the run's time.
func (t *TCT) completion(value func(name string) (sel.Value, bool)) (int64, bool) {
	switch {
	case t.CompletedByTS != nil:
		return *t.CompletedByTS, true
	case t.DurationMinutes != nil:
		ts, ok := value("RUN_TS")
		return ts.AsLong() + *t.DurationMinutes*60_000, ok && ts.Type() == sel.TypeLong
	case t.CompletedByHour != nil:
		zone, ok := value("WORKFLOW_CRON_TIMEZONE")
		id := zone.AsString()
		if t.TZ != nil {
			id, ok = *t.TZ, true
		}
		date, dated := value("TARGET_RUN_DATE")
		if !ok || !dated {
			return 0, false
		}
		loc, err := cron.Zone(id)
		if err != nil {
			return 0, false
		}
		day, err := time.ParseInLocation("20060102", date.AsString(), loc)
		if err != nil {
			return 0, false
		}
		return day.UnixMilli() + *t.CompletedByHour*3600_000 - 1000, true
	}
	return 0, false
}
