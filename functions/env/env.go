// Package env names the environment variables through which the stack tells its functions what they are and where
// things are. The functions read them (Read), the CDK app writes them: one list for both.
package env

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/events"
)

// The variables.
const (
	// Table is the name of the one table. Required.
	Table = "DOWNBEAT_TABLE"
	// Bucket is the name of the bucket for bodies that exceed an item. Required.
	Bucket = "DOWNBEAT_BUCKET"
	// Bus is the name of the EventBridge bus that receives status events. Empty: events are not published there.
	Bus = "DOWNBEAT_BUS"
	// Topic is the ARN of the SNS topic that receives status events. Empty: none.
	Topic = "DOWNBEAT_TOPIC"
	// TopicFormat is TopicMaestro or TopicBundle. Default TopicMaestro.
	TopicFormat = "DOWNBEAT_TOPIC_FORMAT"
	// EventTypes are the types of events that are published, joined by commas (events.PublishedTypes). Default all.
	EventTypes = "DOWNBEAT_EVENT_TYPES"
	// User says who the caller of the REST API is; see UserHeader, UserIAM and UserJWTPrefix. Default UserIAM.
	User = "DOWNBEAT_USER"
	// Cluster is cluster_name in published events. Default "test", as Maestro's.
	Cluster = "DOWNBEAT_CLUSTER"
	// Environment is what expressions get from getExecutionEnvironment. Default "test".
	Environment = "DOWNBEAT_ENVIRONMENT"
	// ClaimTimeout is after how many seconds an attempt that was claimed and gave no sign may be started again (P20).
	// It exceeds the execute function's time-out. Default 360.
	ClaimTimeout = "DOWNBEAT_CLAIM_TIMEOUT_SECONDS"
	// HTTPAllow are the hosts that steps of type Http may call, joined by commas. Default none.
	HTTPAllow = "DOWNBEAT_HTTP_ALLOW"
	// LogLevel is DEBUG, INFO, WARN or ERROR. Default INFO.
	LogLevel = "DOWNBEAT_LOG_LEVEL"
	// Metrics is "emf" (default: one line of CloudWatch's embedded metric format an invocation that counted
	// something) or "off".
	Metrics = "DOWNBEAT_METRICS"

	// Stack is the stack's name: the value of MetricDimension. Default "downbeat".
	Stack = "DOWNBEAT_STACK"

	queuePrefix = "DOWNBEAT_QUEUE_"
)

// What the functions' metrics are called in CloudWatch.
const (
	MetricNamespace = "Downbeat"
	// MetricDimension is the one dimension. Each further one would multiply what the metrics cost: $0.30 a month for
	// each combination that was counted.
	MetricDimension = "Stack"
	// MetricParked counts heads that cannot be decoded. An alarm watches it.
	MetricParked = "ParkedHeads"
)

// Values of User.
const (
	UserHeader    = "header" // the `user` header, which anybody may set: for emulators and closed networks
	UserIAM       = "iam"    // the ARN that signed the request (SigV4)
	UserJWTPrefix = "jwt:"   // followed by the name of the claim of the verified token
)

// Values of TopicFormat.
const (
	TopicMaestro = "maestro" // each event is a message of its own, as Maestro sends it
	TopicBundle  = "bundle"  // a message of up to 64 KB holds as many events as fit (events.Bundle)
)

// QueueURL is the variable that holds the URL of a queue: DOWNBEAT_QUEUE_ADVANCE and so on. A function has the
// variables of those queues that it may send to.
func QueueURL(name queue.Name) string { return queuePrefix + strings.ToUpper(string(name)) }

// Settings are the variables, read.
type Settings struct {
	Table, Bucket, Bus, Topic string
	Queues                    map[queue.Name]string // URLs
	User                      string
	Cluster, Environment      string
	Stack                     string
	ClaimTimeout              time.Duration
	HTTPAllow                 []string
	LogLevel                  string
	Metrics                   bool
	TopicBundle               bool
	EventTypes                []string
}

// Read reads the variables through get, which is os.Getenv outside tests. The error names every variable that is
// missing or wrong.
func Read(get func(string) string) (Settings, error) {
	var errs []error
	required := func(name string) string {
		v := get(name)
		if v == "" {
			errs = append(errs, fmt.Errorf("%s is required", name))
		}
		return v
	}
	or := func(name, def string) string {
		if v := get(name); v != "" {
			return v
		}
		return def
	}
	s := Settings{
		Table: required(Table), Bucket: required(Bucket), Bus: get(Bus), Topic: get(Topic), Queues: map[queue.Name]string{},
		User: or(User, UserIAM), Cluster: or(Cluster, "test"), Environment: or(Environment, "test"),
		Stack: or(Stack, "downbeat"), LogLevel: or(LogLevel, "INFO"),
	}
	if hosts := get(HTTPAllow); hosts != "" {
		s.HTTPAllow = strings.Split(hosts, ",")
	}
	if types := get(EventTypes); types != "" {
		s.EventTypes = strings.Split(types, ",")
		for _, t := range s.EventTypes {
			if !slices.Contains(events.PublishedTypes(), t) {
				errs = append(errs, fmt.Errorf("%s: %q is none of %s", EventTypes, t, strings.Join(events.PublishedTypes(), ", ")))
			}
		}
	}
	switch v := or(TopicFormat, TopicMaestro); v {
	case TopicMaestro:
	case TopicBundle:
		s.TopicBundle = true
	default:
		errs = append(errs, fmt.Errorf("%s: %q is none of %s, %s", TopicFormat, v, TopicMaestro, TopicBundle))
	}
	for _, name := range queue.Names() {
		if url := get(QueueURL(name)); url != "" {
			s.Queues[name] = url
		}
	}
	if claim := strings.TrimPrefix(s.User, UserJWTPrefix); s.User != UserHeader && s.User != UserIAM && (claim == s.User || claim == "") {
		errs = append(errs, fmt.Errorf("%s: %q is none of %s, %s, %s<claim>", User, s.User, UserHeader, UserIAM, UserJWTPrefix))
	}
	seconds, err := strconv.Atoi(or(ClaimTimeout, "360"))
	if err != nil || seconds < 1 {
		errs = append(errs, fmt.Errorf("%s: %q is not a positive number of seconds", ClaimTimeout, get(ClaimTimeout)))
	}
	s.ClaimTimeout = time.Duration(seconds) * time.Second
	switch v := or(Metrics, "emf"); v {
	case "emf":
		s.Metrics = true
	case "off":
	default:
		errs = append(errs, fmt.Errorf("%s: %q is none of emf, off", Metrics, v))
	}
	switch s.LogLevel {
	case "DEBUG", "INFO", "WARN", "ERROR":
	default:
		errs = append(errs, fmt.Errorf("%s: %q is none of DEBUG, INFO, WARN, ERROR", LogLevel, s.LogLevel))
	}
	return s, errors.Join(errs...)
}
