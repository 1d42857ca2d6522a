package engine

import "github.com/downbeat/downbeat/core/definition"

// What the store needs to know to leave out of records what follows from the definition.

// DefaultRetry is the policy of a step that declares none, with nothing counted against it.
func DefaultRetry() StepRetry { return retryOf(definition.DefaultRetries()) }

// PermitTagsOf are the tags that an attempt of the run must hold, the derived ones and its own; nil for a step that the
// run does not have.
func PermitTagsOf(b *Body, a *Attempt) []PermitTag {
	i, ok := b.DAG.Ordinal(a.StepID)
	if !ok {
		return nil
	}
	return b.compiled().permitTags(i, a)
}
