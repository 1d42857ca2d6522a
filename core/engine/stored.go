package engine

import "github.com/downbeat/downbeat/core/definition"

// What the store needs to know to leave out of records what follows from the definition.

// DefaultRetry is the policy of a step that declares none, with nothing counted against it.
func DefaultRetry() StepRetry { return retryOf(definition.DefaultRetries()) }

// PermitTagsOf are the tags that an attempt of a step of the run must hold; nil for a step that the run does not have.
func PermitTagsOf(b *Body, stepID string) []PermitTag {
	i, ok := b.DAG.Ordinal(stepID)
	if !ok {
		return nil
	}
	return b.compiled().steps[i].permitTags
}
