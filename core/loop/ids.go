package loop

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
)

// Prefixes of the ids of inline workflows, the bodies of loops. No workflow of a user may begin so.
const (
	foreachPrefix = "maestro_foreach_"
	whilePrefix   = "maestro_while_"
)

// InlineID is the id of the body of a loop step of a run. It depends on the instance but neither on the run nor on the
// attempt: what runs again runs under the same id, with a higher run id (engine.md 1.4).
func InlineID(parent *engine.Body, stepID string, while bool) string {
	prefix := foreachPrefix
	if while {
		prefix = whilePrefix
	}
	anchor := parent.InstanceID
	if definition.IsInlineID(parent.WorkflowID) {
		for _, a := range parent.Initiator.Ancestors {
			if !definition.IsInlineID(a.WorkflowID) {
				anchor = a.InstanceID // the nearest one is the last of them
			}
		}
	}
	sum := md5.Sum([]byte(stepID + "@" + strconv.FormatInt(parent.InstanceID, 10) + "@" + parent.WorkflowID))
	return prefix + hashKey(parent.InternalID) + "_" + rangeKey(anchor) + "_" + hex.EncodeToString(sum[:])
}

// Inside is as much of the body of an iteration as its place tells: what InlineID asks for a loop inside it.
func Inside(parent *engine.Body, s *definition.Step, iteration int64) *engine.Body {
	b := &engine.Body{WorkflowID: InlineID(parent, s.ID, s.Type == definition.While), InternalID: parent.InternalID, InstanceID: iteration}
	b.Initiator.Ancestors = append(slices.Clip(parent.Initiator.Ancestors), engine.Ancestor{WorkflowID: parent.WorkflowID, InstanceID: parent.InstanceID, StepID: s.ID})
	return b
}

// Way are the loops around a step, from the outermost; nil when it lies in none, or there is no such step.
func Way(steps []*definition.Step, target string) []*definition.Step {
	for _, s := range steps {
		if s.Type != definition.Foreach && s.Type != definition.While {
			continue
		}
		if slices.ContainsFunc(s.Steps, func(b *definition.Step) bool { return b.ID == target }) {
			return []*definition.Step{s}
		}
		if inner := Way(s.Steps, target); inner != nil {
			return append([]*definition.Step{s}, inner...)
		}
	}
	return nil
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// hashKey writes a number in base 62, the least significant digit first.
func hashKey(n int64) string {
	if n <= 0 {
		return "0"
	}
	var b []byte
	for ; n > 0; n /= 62 {
		b = append(b, base62[n%62])
	}
	return string(b)
}

// rangeKey writes a number in base 62 behind a digit that counts the others, so that texts order as numbers do.
func rangeKey(n int64) string {
	digits := []byte(hashKey(n))
	for i, j := 0, len(digits)-1; i < j; i, j = i+1, j-1 {
		digits[i], digits[j] = digits[j], digits[i]
	}
	return string(base62[len(digits)]) + string(digits)
}

// The request ids of children are named: who starts a child again finds it (engine.md 1.5).

// IterationUUID is the request id of an iteration, numbered from 1.
func IterationUUID(inline string, run, iteration int64, while bool) string {
	if while {
		return nameUUID(fmt.Sprintf("[%s][%d][%d]", inline, iteration, run))
	}
	return nameUUID(fmt.Sprintf("[%s][%d][%d]", inline, run, iteration-1))
}

// SubworkflowUUID is the request id of the child of an attempt.
func SubworkflowUUID(parent *engine.Body, a *engine.Attempt) string {
	return nameUUID(RunIdentity(parent.WorkflowID, parent.InstanceID, parent.RunID) + stepIdentity(a))
}

// RunIdentity is how messages and keys name a run.
func RunIdentity(workflow string, instance, run int64) string {
	return fmt.Sprintf("[%s][%d][%d]", workflow, instance, run)
}

func stepIdentity(a *engine.Attempt) string {
	return fmt.Sprintf("[%s][%d][%s]", a.StepID, a.AttemptID, a.UUID)
}

// Identity is the name of the inline workflow of an attempt.
func Identity(parent *engine.Body, a *engine.Attempt) string {
	return RunIdentity(parent.WorkflowID, parent.InstanceID, parent.RunID) + stepIdentity(a)
}

// nameUUID is the version 3 UUID of a text without a name space.
func nameUUID(name string) string {
	sum := md5.Sum([]byte(name))
	sum[6] = sum[6]&0x0f | 0x30
	sum[8] = sum[8]&0x3f | 0x80
	h := hex.EncodeToString(sum[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
