package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// answer is what a call gave.
type answer struct {
	status      int
	contentType string
	body        []byte
}

var client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}

// call makes one request as the user ann. An error means that there was no answer.
func call(ctx context.Context, method, url, contentType, body string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("user", "ann")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return send(req)
}

func send(req *http.Request) (answer, error) {
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, contentType: resp.Header.Get("Content-Type")}
	a.body, err = io.ReadAll(resp.Body)
	return a, err
}

// callJSON makes a call that must be answered with 200, and reads the answer into v, if there is one.
func callJSON(ctx context.Context, method, url, body string, v any) error {
	a, err := call(ctx, method, url, "application/json", body)
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		return &refused{fmt.Sprintf("%s %s: %d: %s", method, url, a.status, a.body)}
	}
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		return &refused{fmt.Sprintf("%s %s: %v: %s", method, url, err, a.body)}
	}
	return nil
}

// refused is an answer that is not the wanted one, other than no answer at all.
type refused struct{ text string }

func (r *refused) Error() string { return r.text }

// until looks again and again until seen says true. It ends with its error, or with that of ctx.
func until(ctx context.Context, seen func() (bool, error)) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := seen()
		if ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// The parts of Maestro's JSON that the tests judge.

type started struct {
	Instance int64  `json:"workflow_instance_id"`
	Run      int64  `json:"workflow_run_id"`
	UUID     string `json:"workflow_uuid"`
	Status   string `json:"status"`
}

type instance struct {
	Workflow string          `json:"workflow_id"`
	Instance int64           `json:"workflow_instance_id"`
	Run      int64           `json:"workflow_run_id"`
	UUID     string          `json:"workflow_uuid"`
	Status   string          `json:"status"`
	Timeline []timelineEvent `json:"timeline"`
	Overview struct {
		Total int `json:"total_step_count"`
		Steps map[string]struct {
			Count int       `json:"cnt"`
			Steps [][]int64 `json:"steps"`
		} `json:"step_overview"`
		Rollup struct {
			Leaves   int `json:"total_leaf_count"`
			Overview map[string]struct {
				Count int `json:"cnt"`
			} `json:"overview"`
		} `json:"rollup_overview"`
	} `json:"runtime_overview"`
	Aggregated struct {
		Steps map[string]struct {
			Run    int64  `json:"workflow_run_id"`
			Status string `json:"status"`
			Start  int64  `json:"start_time"`
			End    int64  `json:"end_time"`
		} `json:"step_aggregated_views"`
	} `json:"aggregated_info"`
	DAG map[string]struct {
		Predecessors []string          `json:"predecessors"`
		Successors   map[string]string `json:"successors"`
	} `json:"runtime_dag"`
	Params map[string]param `json:"params"`
}

type param struct {
	Type   string          `json:"type"`
	Result json.RawMessage `json:"evaluated_result"`
}

type timelineEvent struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Message string `json:"message"`
}

type attempt struct {
	Step    string `json:"step_id"`
	Attempt int64  `json:"step_attempt_id"`
	Ordinal int64  `json:"step_instance_id"`
	UUID    string `json:"step_uuid"`
	State   struct {
		Status  string `json:"status"`
		Start   int64  `json:"start_time"`
		EndTime int64  `json:"end_time"`
	} `json:"runtime_state"`
	Params    map[string]param           `json:"params"`
	Artifacts map[string]json.RawMessage `json:"artifacts"`
	Timeline  []timelineEvent            `json:"timeline"`
}

type page struct {
	Info struct {
		EndCursor string `json:"end_cursor"`
		HasNext   bool   `json:"has_next_page"`
	} `json:"page_info"`
	Total    int        `json:"total_count"`
	Elements []instance `json:"elements"`
}

// terminalRun and terminalStep say which statuses nothing follows.

func terminalRun(status string) bool {
	switch status {
	case "SUCCEEDED", "FAILED", "STOPPED", "TIMED_OUT":
		return true
	}
	return false
}

func terminalStep(status string) bool {
	switch status {
	case "UNSATISFIED", "DISABLED", "SKIPPED", "SUCCEEDED", "COMPLETED_WITH_ERROR", "USER_FAILED", "PLATFORM_FAILED", "TIMEOUT_FAILED",
		"FATALLY_FAILED", "INTERNALLY_FAILED", "STOPPED", "TIMED_OUT":
		return true
	}
	return false
}
