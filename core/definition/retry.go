package definition

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// BackoffType says how the delay before a retry grows.
type BackoffType string

// The types of back-off.
const (
	ExponentialBackoff BackoffType = "EXPONENTIAL_BACKOFF"
	FixedBackoff       BackoffType = "FIXED_BACKOFF"
)

// RetryPolicy says how often and when a typed step is tried again. A nil field is filled in from the
// defaults of the same back-off type when the step is initialised (Resolve).
type RetryPolicy struct {
	ErrorRetryLimit    *ParsableLong // user errors; default 2
	PlatformRetryLimit *ParsableLong // default 10
	TimeoutRetryLimit  *ParsableLong // default 0
	Backoff            *Backoff      // default exponential
}

// Backoff are the delays. The exponents and limits are those of ExponentialBackoff only.
type Backoff struct {
	Type                       BackoffType
	ErrorRetryBackoffInSecs    *ParsableLong // default 60
	ErrorRetryExponent         *ParsableLong // default 2
	ErrorRetryLimitInSecs      *ParsableLong // default 600
	PlatformRetryBackoffInSecs *ParsableLong // default 60
	PlatformRetryExponent      *ParsableLong // default 2
	PlatformRetryLimitInSecs   *ParsableLong // default 3600
	TimeoutRetryBackoffInSecs  *ParsableLong // default 60
	TimeoutRetryExponent       *ParsableLong // default 2
	TimeoutRetryLimitInSecs    *ParsableLong // default 3600
}

// RetryKind is one of the three counters of retries.
type RetryKind uint8

// The kinds of failures that are tried again.
const (
	UserRetry RetryKind = iota
	PlatformRetry
	TimeoutRetry
)

// Retries is a policy with all its numbers.
type Retries struct {
	Type  BackoffType
	Kinds [3]RetryNumbers // by RetryKind
}

// RetryNumbers are the numbers for one kind of failure. Exponent and MaxSecs count for ExponentialBackoff.
type RetryNumbers struct {
	Limit, BackoffSecs, Exponent, MaxSecs int64
}

// DefaultRetries is the policy of a step that declares none (engine.md 12.1).
func DefaultRetries() Retries { return defaultRetries(ExponentialBackoff) }

func defaultRetries(t BackoffType) Retries {
	r := Retries{Type: t, Kinds: [3]RetryNumbers{{Limit: 2, BackoffSecs: 60}, {Limit: 10, BackoffSecs: 60}, {BackoffSecs: 60}}}
	if t == ExponentialBackoff {
		for k, secs := range []int64{600, 3600, 3600} {
			r.Kinds[k].Exponent, r.Kinds[k].MaxSecs = 2, secs
		}
	}
	return r
}

// DelaySecs is the wait before the next attempt when `made` retries of that kind were made already:
// min(backoff × exponent^made, limit), or the fixed back-off. The default user delays are 60, 120, 240.
func (r Retries) DelaySecs(kind RetryKind, made int64) int64 {
	k := r.Kinds[kind]
	if r.Type == FixedBackoff {
		return k.BackoffSecs
	}
	delay := float64(k.BackoffSecs) * math.Pow(float64(k.Exponent), float64(made))
	if delay >= float64(k.MaxSecs) {
		return k.MaxSecs
	}
	return int64(delay)
}

// errNotNumber marks a text that had to be a number.
var errNotNumber = errors.New("not a number")

// retryField is one member of a policy with its rule.
type retryField struct {
	path     string
	value    *ParsableLong
	min, max int64
	duration bool // a duration text is allowed
	into     func(r *Retries, n int64)
}

func (p *RetryPolicy) fields() []retryField {
	limit := func(k RetryKind) func(*Retries, int64) {
		return func(r *Retries, n int64) { r.Kinds[k].Limit = n }
	}
	fields := []retryField{
		{"error_retry_limit", p.ErrorRetryLimit, 0, 99, false, limit(UserRetry)},
		{"platform_retry_limit", p.PlatformRetryLimit, 0, 99, false, limit(PlatformRetry)},
		{"timeout_retry_limit", p.TimeoutRetryLimit, 0, 99, false, limit(TimeoutRetry)},
	}
	b := p.Backoff
	if b == nil {
		return fields
	}
	for k, f := range [3]struct {
		name                     string
		backoff, exponent, limit *ParsableLong
	}{
		{"error", b.ErrorRetryBackoffInSecs, b.ErrorRetryExponent, b.ErrorRetryLimitInSecs},
		{"platform", b.PlatformRetryBackoffInSecs, b.PlatformRetryExponent, b.PlatformRetryLimitInSecs},
		{"timeout", b.TimeoutRetryBackoffInSecs, b.TimeoutRetryExponent, b.TimeoutRetryLimitInSecs},
	} {
		path := "backoff." + f.name
		fields = append(fields,
			retryField{path + "_retry_backoff_in_secs", f.backoff, 1, 86400, true, func(r *Retries, n int64) { r.Kinds[k].BackoffSecs = n }},
			retryField{path + "_retry_exponent", f.exponent, 0, math.MaxInt32, false, func(r *Retries, n int64) { r.Kinds[k].Exponent = n }},
			retryField{path + "_retry_limit_in_secs", f.limit, 1, 86400, true, func(r *Retries, n int64) { r.Kinds[k].MaxSecs = n }})
	}
	return fields
}

func (f *retryField) parse(v ParsableLong) (int64, error) {
	n := v.Number
	if v.IsText {
		var ok bool
		if n, ok = decimalLong(v.Text); !ok {
			if !f.duration {
				return 0, fmt.Errorf("%s value [%s] is parsed to [%s] but %w", f.path, f.value, v, errNotNumber)
			}
			n = DurationMillis(v.Text) / 1000
		}
	}
	if n < f.min || n > f.max {
		return 0, fmt.Errorf("%s value [%s] is parsed to [%d] but cannot be less than [%d] or more than [%d]", f.path, f.value, n, f.min, f.max)
	}
	return n, nil
}

// Check is the validation at push: the first value that is not in its range. Texts with parameters
// count as 2. nil is a valid policy.
func (p *RetryPolicy) Check() error {
	if p == nil {
		return nil
	}
	for _, f := range p.fields() {
		if f.value == nil || f.value.HasParams() {
			continue
		}
		if _, err := f.parse(*f.value); err != nil {
			return errors.New("RetryPolicy: " + err.Error())
		}
	}
	return nil
}

// Resolve gives the numbers of a policy, nil included: texts are interpolated by replace, and what is
// absent is filled in. When anything fails the answer is the whole default policy, as in Maestro.
func (p *RetryPolicy) Resolve(replace func(ParsableLong) (ParsableLong, error)) Retries {
	if p == nil {
		return DefaultRetries()
	}
	t := ExponentialBackoff
	if p.Backoff != nil {
		t = p.Backoff.Type
	}
	r := defaultRetries(t)
	for _, f := range p.fields() {
		if f.value == nil {
			continue
		}
		v, err := replace(*f.value)
		if err != nil {
			return DefaultRetries()
		}
		n, err := f.parse(v)
		if err != nil {
			return DefaultRetries()
		}
		f.into(&r, n)
	}
	return r
}

func parseBackoffType(name string) (BackoffType, bool) {
	for _, t := range []BackoffType{ExponentialBackoff, FixedBackoff} {
		if strings.EqualFold(name, string(t)) {
			return t, true
		}
	}
	return "", false
}
