package definition

import (
	"fmt"
	"slices"
	"strings"

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
	if v.IsNull() {
		return nil
	}
	a := &Alerting{}
	each(v, func(name string, m wire.Node) bool {
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
	return a
}

func readSlack(v wire.Node) *Slack {
	if v.IsNull() {
		return nil
	}
	s := &Slack{}
	each(v, func(name string, m wire.Node) bool {
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
	return s
}

func readBypassDigest(v wire.Node) *BypassDigest {
	if v.IsNull() {
		return nil
	}
	b := &BypassDigest{}
	each(v, func(name string, m wire.Node) bool {
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
	return b
}

func readTct(v wire.Node) *TCT {
	if v.IsNull() {
		return nil
	}
	t := &TCT{}
	each(v, func(name string, m wire.Node) bool {
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
	return t
}

func readPagerdutyConfig(v wire.Node) *PagerdutyConfig {
	if v.IsNull() {
		return nil
	}
	p := &PagerdutyConfig{}
	each(v, func(name string, m wire.Node) bool {
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
	return p
}

func readAlertType(v wire.Node) *AlertType {
	if v.IsNull() {
		return nil
	}
	a := &AlertType{}
	each(v, func(name string, m wire.Node) bool {
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
	return a
}
