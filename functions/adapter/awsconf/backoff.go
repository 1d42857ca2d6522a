package awsconf

import (
	"math/rand/v2"
	"time"
)

// backOff is the wait before another attempt, with full jitter: attempts start at 1.
func backOff(attempt int, _ error) (time.Duration, error) {
	ceiling := min(50*time.Millisecond<<min(max(attempt-1, 0), 10), MaxBackOff)
	return time.Duration(rand.Int64N(int64(ceiling))), nil
}
