// Package sysclock is the time, the randomness and the ids of the machine.
package sysclock

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"time"

	"github.com/downbeat/downbeat/core/clock"
)

// System implements clock.Clock and clock.IDs.
type System struct{}

var (
	_ clock.Clock = System{}
	_ clock.IDs   = System{}
)

// New makes one; all are alike.
func New() System { return System{} }

// Now implements clock.Clock.
func (System) Now() int64 { return time.Now().UnixMilli() }

// Sleep implements clock.Clock. It returns at once for a d that is not positive.
func (System) Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// NewUUID implements clock.IDs.
func (System) NewUUID() string {
	var b [16]byte
	_, _ = crand.Read(b[:]) // never fails: the runtime ends the program if the system has no randomness
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var out [36]byte
	hex.Encode(out[:8], b[:4])
	hex.Encode(out[9:13], b[4:6])
	hex.Encode(out[14:18], b[6:8])
	hex.Encode(out[19:23], b[8:10])
	hex.Encode(out[24:], b[10:])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}

// Token implements clock.IDs.
func (System) Token() uint64 {
	var b [8]byte
	for {
		_, _ = crand.Read(b[:])
		if t := binary.BigEndian.Uint64(b[:]); t != 0 {
			return t
		}
	}
}

// Float implements clock.IDs.
func (System) Float() float64 { return rand.Float64() }
