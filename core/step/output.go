package step

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/downbeat/downbeat/core/sel"
)

// Identical stands in output data for a `value` that equals its `evaluated_result`.
const Identical = "PARAM_VALUE_IDENTICAL_TO_EVALUATED_RESULT"

// MaxOutputLength bounds the JSON text of output data, in UTF-16 units.
const MaxOutputLength = 750_000

// maxRepeatedText is the longest STRING, in UTF-16 units, whose value is kept beside an equal evaluated result.
const maxRepeatedText = 1000

// Output is output data: params and artifacts that the work of a step brought, kept under a job's type and id. Params
// are merged into the step's params only when the attempt succeeds.
type Output struct {
	JobType   string    `json:"external_job_type"` // the text of the step type
	JobID     string    `json:"external_job_id"`
	Params    Artifacts `json:"params,omitempty"` // evaluated params in their JSON form, by name
	Artifacts Artifacts `json:"artifacts,omitempty"`
}

// Check says whether the output data can be saved: it has a job type, a job id and a param or an artifact, and is not
// longer than MaxOutputLength.
func (o *Output) Check() error {
	switch {
	case o.JobType == "":
		return fmt.Errorf("output data: external_job_type: must not be empty")
	case o.JobID == "":
		return fmt.Errorf("output data: external_job_id: must not be empty")
	case len(o.Params) == 0 && len(o.Artifacts) == 0:
		return fmt.Errorf("output data: must hold a param or an artifact")
	}
	n := units(string(o.Params.object())) + units(string(o.Artifacts.object()))
	if n > MaxOutputLength {
		return fmt.Errorf("output data: %d characters of JSON: must not be more than %d", n, MaxOutputLength)
	}
	return nil
}

// StringParam is an evaluated STRING param in the form in which output data keeps it: above 1000 UTF-16 units the value
// is the placeholder Identical. It is merged and shown so too, a quirk.
func StringParam(name, text string, now int64) Artifact {
	value := text
	if units(text) > maxRepeatedText {
		value = Identical
	}
	return evaluatedParam(name, "STRING", appendText(nil, value), appendText(nil, text), now)
}

// StringArrayParam is an evaluated STRING_ARRAY param in the form in which output data keeps it: the value is always the
// placeholder.
func StringArrayParam(name string, elems []string, now int64) Artifact {
	result := []byte{'['}
	for i, e := range elems {
		if i > 0 {
			result = append(result, ',')
		}
		result = appendText(result, e)
	}
	return evaluatedParam(name, "STRING_ARRAY", []byte(`["`+Identical+`"]`), append(result, ']'), now)
}

// LongParam is an evaluated LONG param in the form in which output data keeps it.
func LongParam(name string, n, now int64) Artifact {
	text, _ := sel.Long(n).JSON() // a LONG always has JSON
	return evaluatedParam(name, "LONG", []byte(text), []byte(text), now)
}

func evaluatedParam(name, typ string, value, result []byte, now int64) Artifact {
	text := fmt.Sprintf(`{"value":%s,"type":"%s","evaluated_result":%s,"evaluated_time":%d}`, value, typ, result, now)
	return Artifact{Key: name, JSON: json.RawMessage(text)}
}

// units is the length of a text in UTF-16 units, which is how Maestro counts characters.
func units(s string) int {
	n := 0
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r > 0xFFFF {
			n++
		}
		n++
		s = s[size:]
	}
	return n
}
