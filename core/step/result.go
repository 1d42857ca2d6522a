package step

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/downbeat/downbeat/core/pack"
	"github.com/downbeat/downbeat/core/timeline"
)

// resultFormat is the format that this code writes (P10). 1 is the first.
const resultFormat = 1

type resultJSON struct {
	Format         int              `json:"format"`
	State          State            `json:"state"`
	Running        bool             `json:"running,omitempty"`
	Artifacts      Artifacts        `json:"artifacts,omitempty"`
	Timeline       []timeline.Event `json:"timeline,omitempty"`
	Output         *Output          `json:"output,omitempty"`
	NextPollMillis int64            `json:"next_poll_millis,omitempty"`
	RunningSince   int64            `json:"running_since,omitempty"`
}

// MarshalJSON writes the result with its format number.
func (r Result) MarshalJSON() ([]byte, error) {
	return json.Marshal(resultJSON{resultFormat, r.State, r.Running, r.Artifacts, r.Timeline, r.Output, r.NextPollMillis, r.RunningSince})
}

// UnmarshalJSON reads every format up to the present one; a newer one is pack.ErrNewer.
func (r *Result) UnmarshalJSON(data []byte) error {
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	if head.Format > resultFormat {
		return fmt.Errorf("result: format %d: %w", head.Format, pack.ErrNewer)
	}
	if head.Format < 1 {
		return fmt.Errorf("result: format %d: must be at least 1", head.Format)
	}
	var v resultJSON
	if err := json.Unmarshal(data, &v); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	if v.State == 0 {
		return errors.New("result: state: must not be absent")
	}
	*r = Result{v.State, v.Running, v.Artifacts, v.Timeline, v.Output, v.NextPollMillis, v.RunningSince}
	return nil
}
