// Package config is what a person may choose about the stack: one JSON document, checked before anything is
// synthesised. The zero document is a complete configuration: every default is named at its field.
package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/downbeat/downbeat/core/queue"
)

// Config is the document. Durations are whole seconds, sizes say their unit.
type Config struct {
	// StackName is the CloudFormation stack's name. Default "downbeat".
	StackName string `json:"stackName,omitempty"`
	// Architecture of the functions: "arm64" (default) or "x86_64", which an emulator needs that runs them itself.
	Architecture string `json:"architecture,omitempty"`
	// Authorization says who may call the REST API and how the caller's name is found.
	Authorization Authorization `json:"authorization,omitzero"`
	// Cluster is cluster_name in published events. Default "test", as Maestro's.
	Cluster string `json:"cluster,omitempty"`
	// Environment is what the expression getExecutionEnvironment answers. Default "test".
	Environment string `json:"environment,omitempty"`
	// Data is "retain" (default: table and bucket outlive the stack, deletion protection on) or "destroy".
	Data string `json:"data,omitempty"`
	// LogRetentionDays is how long logs are kept. Default 30. CloudWatch Logs allows 1, 3, 5, 7, 14, 30, 60, 90, 120,
	// 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 and 3653.
	LogRetentionDays int `json:"logRetentionDays,omitempty"`
	// LogLevel of the functions: DEBUG, INFO, WARN (default: what went as it should is in the table and in the
	// metrics, and log lines cost more than the Lambda requests that write them) or ERROR.
	LogLevel string `json:"logLevel,omitempty"`
	// PlatformLogs keeps the lines that Lambda itself writes about each invocation that went well (start, report).
	// Default false: they would be most of the volume of the logs, and their numbers are in Lambda's metrics.
	PlatformLogs bool `json:"platformLogs,omitempty"`
	// Metrics is "emf" (default) or "off".
	Metrics string `json:"metrics,omitempty"`
	// Functions are limits of the six functions.
	Functions Functions `json:"functions,omitzero"`
	// Queues are limits of the four queues.
	Queues Queues `json:"queues,omitzero"`
	// Throttle limits the REST API.
	Throttle Throttle `json:"throttle,omitzero"`
	// Events says whether and where status events are published.
	Events Events `json:"events,omitzero"`
	// Alarms says which alarms there are.
	Alarms Alarms `json:"alarms,omitzero"`
	// HTTPAllow are the hosts that steps of type Http may call. Default none: steps of that type fail.
	HTTPAllow []string `json:"httpAllow,omitempty"`
	// Starts maps events to workflows that they start.
	Starts []Start `json:"starts,omitempty"`
}

// Authorization of the REST API.
type Authorization struct {
	// Type is "iam" (default: requests are signed with SigV4, the caller is the signer's ARN), "jwt" (a bearer token
	// of Issuer for one of Audiences, the caller is the claim UserClaim) or "none" (anybody may call and the `user`
	// header names the caller: for an emulator or a closed network).
	Type string `json:"type,omitempty"`
	// Issuer is the token issuer's https URL. With jwt only.
	Issuer string `json:"issuer,omitempty"`
	// Audiences are the accepted audiences, at least one. With jwt only.
	Audiences []string `json:"audiences,omitempty"`
	// UserClaim is the claim that names the caller. Default "sub". With jwt only.
	UserClaim string `json:"userClaim,omitempty"`
}

// Functions are limits of the functions.
type Functions struct {
	// TimeoutSeconds of all but api, 5 to 900. Default 60. A message that its function could not finish comes again
	// after six times that: the least that AWS recommends for a queue that feeds a function. The call of an Http step may
	// take two thirds of it, 30 s at most.
	TimeoutSeconds int `json:"timeoutSeconds,omitempty"`
	// APITimeoutSeconds of api, 1 to 29. Default 29: the HTTP API itself gives up at 30.
	APITimeoutSeconds int `json:"apiTimeoutSeconds,omitempty"`
	// MemoryMB, 128 to 10240. Default 512. Processor share follows memory: 1,769 MB are one core.
	MemoryMB int `json:"memoryMB,omitempty"`
}

// Queues are limits of the queues.
type Queues struct {
	// BatchSize is how many messages a function is handed at once, 1 to 10. Default 10.
	BatchSize int `json:"batchSize,omitempty"`
	// MaxConcurrency is how many invocations one queue causes at once, 2 to 1000. Default 50. The sum over the four
	// queues and the API's callers share the account's concurrency.
	MaxConcurrency int `json:"maxConcurrency,omitempty"`
	// MaxReceives is after how many receives a message goes to the dead-letter queue, 2 to 1000. Default 10
	// (queue.MaxReceives).
	MaxReceives int `json:"maxReceives,omitempty"`
}

// Throttle limits the REST API; requests above are answered 429.
type Throttle struct {
	RatePerSecond int `json:"ratePerSecond,omitempty"` // default 500
	Burst         int `json:"burst,omitempty"`         // default 1000
}

// Events says where status events go.
type Events struct {
	// Bus publishes to an EventBridge bus of the stack's own, several events an entry. Default false: published events
	// cost $1.00 a million entries, which is more than most steps.
	Bus bool `json:"bus,omitempty"`
	// TopicARN publishes to an existing SNS topic as well, one message an event, in Maestro's format. Default none.
	TopicARN string `json:"topicArn,omitempty"`
}

// Alarms says which alarms there are.
type Alarms struct {
	// Off leaves all alarms out. Default false: seven alarms, $0.70 a month.
	Off bool `json:"off,omitempty"`
	// TopicARN is an existing SNS topic that alarms are sent to. Default none: they only change their state.
	TopicARN string `json:"topicArn,omitempty"`
}

// Start maps events to one workflow: every event that matches starts it once. Either Bucket or Pattern is set.
type Start struct {
	// Name identifies the mapping, [a-z0-9-], at most 32 characters, unique. It is part of the identity of each start:
	// two mappings start the same workflow twice for one event.
	Name string `json:"name"`
	// Workflow is the id of the workflow to start, Version the version ("active", "latest", "default" or a number;
	// default "active").
	Workflow string `json:"workflow"`
	Version  string `json:"version,omitempty"`
	// Bucket is an existing bucket that sends its events to EventBridge. Each object that is created there under Prefix
	// and with Suffix matches.
	Bucket string `json:"bucket,omitempty"`
	Prefix string `json:"prefix,omitempty"`
	Suffix string `json:"suffix,omitempty"`
	// Pattern is an EventBridge event pattern on Bus, an existing bus by name or ARN. Default "default".
	Pattern json.RawMessage `json:"pattern,omitempty"`
	Bus     string          `json:"bus,omitempty"`
	// Params are the run params by name.
	Params map[string]Param `json:"params,omitempty"`
	// User is the initiator's name. Default "downbeat".
	User string `json:"user,omitempty"`
}

// Param is one run param. Either Value or From is set.
type Param struct {
	// Type is STRING (default), LONG, DOUBLE, BOOLEAN, their _ARRAY forms, STRING_MAP or MAP.
	Type string `json:"type,omitempty"`
	// Value is a fixed value of that type.
	Value json.RawMessage `json:"value,omitempty"`
	// From is a path into the event: member names joined by dots, such as detail.object.key. An event that lacks the
	// member starts the workflow without this param.
	From string `json:"from,omitempty"`
}

// Load reads the document in file and fills the defaults; "" is the zero document. Unknown members are errors.
func Load(file string) (Config, error) {
	var c Config
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return c, fmt.Errorf("configuration: %w", err)
		}
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&c); err != nil {
			return c, fmt.Errorf("configuration %s: %w", file, err)
		}
		if dec.More() {
			return c, fmt.Errorf("configuration %s: text after the document", file)
		}
	}
	if err := c.validate(); err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	return c, nil
}

// Default is the zero document with its defaults filled.
func Default() Config {
	var c Config
	if err := c.validate(); err != nil {
		panic("config: the defaults are not valid: " + err.Error())
	}
	return c
}

// VisibilitySeconds is how long a received message stays hidden: six times the time-out of the function.
func (c Config) VisibilitySeconds() int { return 6 * c.Functions.TimeoutSeconds }

var logRetentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

var paramTypes = []string{
	"STRING", "LONG", "DOUBLE", "BOOLEAN", "STRING_ARRAY", "LONG_ARRAY", "DOUBLE_ARRAY", "BOOLEAN_ARRAY", "STRING_MAP", "MAP",
}

var (
	stackNameForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,127}$`)
	startNameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	bucketForm    = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	topicForm     = regexp.MustCompile(`^arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+$`)
	hostForm      = regexp.MustCompile(`^[A-Za-z0-9:][A-Za-z0-9.:-]*$`)
	pathForm      = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
	versionForm   = regexp.MustCompile(`^(active|latest|default|[1-9]\d*)$`)
)

// Validate fills the defaults and tells all that is wrong, each with its field and rule.
func (c *Config) Validate() error { return c.validate() }

func (c *Config) validate() error {
	var errs []error
	bad := func(field, rule string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", field, fmt.Sprintf(rule, args...)))
	}
	oneOf := func(field string, v *string, def string, others ...string) {
		if *v == "" {
			*v = def
		}
		if all := append([]string{def}, others...); !slices.Contains(all, *v) {
			bad(field, "%q is none of %s", *v, strings.Join(all, ", "))
		}
	}
	within := func(field string, v *int, def, low, high int) {
		if *v == 0 {
			*v = def
		}
		if *v < low || *v > high {
			bad(field, "%d is not between %d and %d", *v, low, high)
		}
	}
	text := func(v *string, def string) {
		if *v == "" {
			*v = def
		}
	}

	text(&c.StackName, "downbeat")
	if !stackNameForm.MatchString(c.StackName) {
		bad("stackName", "%q must start with a letter and have letters, digits and hyphens only, at most 128", c.StackName)
	}
	oneOf("architecture", &c.Architecture, "arm64", "x86_64")
	text(&c.Cluster, "test")
	text(&c.Environment, "test")
	oneOf("data", &c.Data, "retain", "destroy")
	within("logRetentionDays", &c.LogRetentionDays, 30, 1, 3653)
	if !slices.Contains(logRetentions, c.LogRetentionDays) {
		bad("logRetentionDays", "CloudWatch Logs does not offer %d days", c.LogRetentionDays)
	}
	oneOf("logLevel", &c.LogLevel, "WARN", "DEBUG", "INFO", "ERROR")
	oneOf("metrics", &c.Metrics, "emf", "off")
	within("functions.timeoutSeconds", &c.Functions.TimeoutSeconds, 60, 5, 900)
	within("functions.apiTimeoutSeconds", &c.Functions.APITimeoutSeconds, 29, 1, 29)
	within("functions.memoryMB", &c.Functions.MemoryMB, 512, 128, 10240)
	within("queues.batchSize", &c.Queues.BatchSize, 10, 1, 10)
	within("queues.maxConcurrency", &c.Queues.MaxConcurrency, 50, 2, 1000)
	within("queues.maxReceives", &c.Queues.MaxReceives, queue.MaxReceives, 2, 1000)
	within("throttle.ratePerSecond", &c.Throttle.RatePerSecond, 500, 1, 10000)
	within("throttle.burst", &c.Throttle.Burst, 1000, 1, 5000)
	topic := func(field, arn string) {
		if arn != "" && !topicForm.MatchString(arn) {
			bad(field, "%q is not the ARN of an SNS topic", arn)
		}
	}
	topic("events.topicArn", c.Events.TopicARN)
	topic("alarms.topicArn", c.Alarms.TopicARN)
	if c.Alarms.Off && c.Alarms.TopicARN != "" {
		bad("alarms.topicArn", "alarms are off")
	}

	a := &c.Authorization
	oneOf("authorization.type", &a.Type, "iam", "jwt", "none")
	if a.Type == "jwt" {
		text(&a.UserClaim, "sub")
		if !strings.HasPrefix(a.Issuer, "https://") {
			bad("authorization.issuer", "jwt needs the https URL of the issuer")
		}
		if len(a.Audiences) == 0 {
			bad("authorization.audiences", "jwt needs at least one")
		}
	} else if a.Issuer != "" || len(a.Audiences) > 0 || a.UserClaim != "" {
		bad("authorization", "issuer, audiences and userClaim belong to type jwt, not %s", a.Type)
	}

	for i, host := range c.HTTPAllow {
		if !hostForm.MatchString(host) {
			bad(fmt.Sprintf("httpAllow[%d]", i), "%q is not a host's name or address without port", host)
		}
	}

	if len(c.Starts) > 100 {
		bad("starts", "%d are more than the 100 that the stack has resources for", len(c.Starts))
	}
	seen := map[string]bool{}
	for i := range c.Starts {
		s := &c.Starts[i]
		at := fmt.Sprintf("starts[%d]", i)
		if !startNameForm.MatchString(s.Name) {
			bad(at+".name", "%q must be 1 to 32 of a-z, 0-9 and hyphen", s.Name)
		} else if seen[s.Name] {
			bad(at+".name", "%q is there twice", s.Name)
		}
		seen[s.Name] = true
		if s.Workflow == "" {
			bad(at+".workflow", "is required")
		}
		text(&s.Version, "active")
		text(&s.User, "downbeat")
		if !versionForm.MatchString(s.Version) {
			bad(at+".version", "%q is none of active, latest, default or a number", s.Version)
		}
		switch {
		case (s.Bucket == "") == (len(s.Pattern) == 0):
			bad(at, "exactly one of bucket and pattern must be set")
		case s.Bucket != "":
			if !bucketForm.MatchString(s.Bucket) {
				bad(at+".bucket", "%q is not a bucket's name", s.Bucket)
			}
			if s.Bus != "" {
				bad(at+".bus", "S3 sends its events to the default bus")
			}
		default:
			text(&s.Bus, "default")
			var p map[string]json.RawMessage
			if json.Unmarshal(s.Pattern, &p) != nil || len(p) == 0 {
				bad(at+".pattern", "must be an object with at least one member")
			}
			if s.Prefix != "" || s.Suffix != "" {
				bad(at, "prefix and suffix belong to bucket, not to pattern")
			}
		}
		for _, name := range sortedKeys(s.Params) {
			p := s.Params[name]
			if p.Type == "" {
				p.Type = "STRING"
			}
			s.Params[name] = p
			field := at + ".params." + name
			if !slices.Contains(paramTypes, p.Type) {
				bad(field+".type", "%q is none of %s", p.Type, strings.Join(paramTypes, ", "))
			}
			if (p.From == "") == (len(p.Value) == 0) {
				bad(field, "exactly one of value and from must be set")
			}
			if p.From != "" && !pathForm.MatchString(p.From) {
				bad(field+".from", "%q is not a path of member names joined by dots", p.From)
			}
		}
	}
	return errors.Join(errs...)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
