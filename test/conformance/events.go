package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
)

// What differs between servers by right: their name, their own numbers, when they stored and sent.
var droppedOfEvents = map[string]bool{"cluster_name": true, "internal_id": true, "send_time": true, "sync_time": true}

const (
	stepEvent     = "STEP_INSTANCE_STATUS_CHANGE_EVENT"
	workflowEvent = "WORKFLOW_INSTANCE_STATUS_CHANGE_EVENT"
)

// eventTypes in the order in which events of the same time are compared.
var eventTypes = []string{
	"WORKFLOW_DEFINITION_CHANGE_EVENT", "WORKFLOW_VERSION_CHANGE_EVENT", "WORKFLOW_PROPERTIES_CHANGE_EVENT", "WORKFLOW_ACTIVATION_CHANGE_EVENT",
	"WORKFLOW_DEACTIVATION_CHANGE_EVENT", "WORKFLOW_DELETION_CHANGE_EVENT", workflowEvent, stepEvent,
}

var inlineID = regexp.MustCompile(`maestro_(foreach|while)_[0-9A-Za-z]+_[0-9A-Za-z]+_[0-9a-f]{32}`)

// events waits until the events published for the run are those expected, or the time is over. It returns how many
// messages there were and what differs.
func (p *player) events(ctx context.Context) (int, []string) {
	want, err := decode(p.scenario.Events)
	if err != nil {
		return 0, []string{"events: recorded list: " + err.Error()}
	}
	r := rules{ignore: patterns(p.scenario.EventsIgnore), unordered: patterns(p.scenario.EventsUnordered)}
	id := []byte(p.names["run"].(string))
	limit := time.Duration(float64(p.options.MaxEventWait) * p.options.Patience)
	for deadline := time.Now().Add(limit); ; {
		published, err := p.options.Published(ctx)
		if err != nil {
			return 0, []string{"events: " + err.Error()}
		}
		var ours []map[string]any
		for _, data := range published {
			if !bytes.Contains(data, id) {
				continue
			}
			v, err := decode(data)
			m, ok := v.(map[string]any)
			if err != nil || !ok {
				return len(ours), []string{fmt.Sprintf("events: not an object: %.300s", data)}
			}
			ours = append(ours, m)
		}
		merged, problems := mergeEvents(ours)
		r.uuids = newSameUUIDs()
		found := append(problems, r.differences(want, p.normaliseEvents(merged))...)
		if len(found) == 0 || time.Now().After(deadline) {
			if len(found) > 12 {
				found = append(found[:12], fmt.Sprintf("… and %d more", len(found)-12))
			}
			for i := range found {
				found[i] = "events: " + found[i]
			}
			return len(ours), found
		}
		if err := pause(ctx, p.options.Poll); err != nil {
			return len(ours), []string{"events: " + err.Error()}
		}
	}
}

// mergeEvents drops repetitions and makes one event of all step messages of an attempt, their records put in order:
// how a server cuts records into messages, and in which order those arrive, is free. The second value names the rules
// that were broken: times out of order, a message without records, a gap or repetition in a chain of records.
func mergeEvents(raw []map[string]any) (events []map[string]any, problems []string) {
	raw = append([]map[string]any(nil), raw...)
	sort.SliceStable(raw, func(i, j int) bool {
		if a, b := integer(raw[i]["sync_time"]), integer(raw[j]["sync_time"]); a != b {
			return a < b
		}
		return integer(raw[i]["send_time"]) < integer(raw[j]["send_time"])
	})
	seen := map[string]bool{}
	steps := map[string]map[string]any{}
	var order []string
	for _, e := range raw {
		key := copied(e)
		delete(key, "send_time")
		if text := string(compact(key)); seen[text] {
			continue
		} else {
			seen[text] = true
		}
		records, _ := e["status_change_records"].([]any)
		last := integer(e["event_time"])
		if len(records) > 0 {
			last = integer(at(records[len(records)-1], "/event_time"))
		}
		if stored, sent := integer(e["sync_time"]), integer(e["send_time"]); last > stored || stored > sent {
			problems = append(problems, "times out of order: "+brief(e, 300))
		}
		if e["type"] != stepEvent {
			events = append(events, e)
			continue
		}
		if len(records) == 0 {
			problems = append(problems, "no records: "+brief(e, 300))
		}
		who := brief([]any{e["workflow_id"], e["workflow_instance_id"], e["workflow_run_id"], e["step_id"], e["step_attempt_id"]}, 1000)
		one := steps[who]
		if one == nil {
			one = copied(e)
			one["status_change_records"] = []any{}
			steps[who], order = one, append(order, who)
			events = append(events, one)
		}
		one["status_change_records"] = append(one["status_change_records"].([]any), records...)
	}
	for _, who := range order {
		chain, broken := inChain(steps[who]["status_change_records"].([]any))
		if broken != "" {
			problems = append(problems, fmt.Sprintf("broken chain of %s: %s", who, broken))
		}
		steps[who]["status_change_records"] = chain
	}
	return events, problems
}

// inChain orders records so that each one's old status is the new status of the one before, from NOT_CREATED on. What
// does not fit stands at the end, and broken says so.
func inChain(records []any) (chain []any, broken string) {
	rest := append([]any(nil), records...)
	sort.SliceStable(rest, func(i, j int) bool { return integer(at(rest[i], "/event_time")) < integer(at(rest[j], "/event_time")) })
	chain = []any{}
	for status := any("NOT_CREATED"); len(rest) > 0; {
		next := -1
		for i, r := range rest {
			if at(r, "/old_status") == status {
				next = i
				break
			}
		}
		if next < 0 {
			return append(chain, rest...), fmt.Sprintf("nothing follows %v", status)
		}
		status = at(rest[next], "/new_status")
		chain = append(chain, rest[next])
		rest = append(rest[:next], rest[next+1:]...)
	}
	return chain, ""
}

// normaliseEvents sorts events and replaces what differs from one playing to the next: definition events, then those
// of workflow instances, then those of steps; in each the root's before those of inline workflows.
func (p *player) normaliseEvents(events []map[string]any) any {
	events = append([]map[string]any(nil), events...)
	id := p.names["run"].(string)
	type placed struct {
		event map[string]any
		place []any
	}
	list := make([]placed, len(events))
	for i, e := range events {
		workflow, inline := fmt.Sprint(e["workflow_id"]), int64(0)
		if inlineID.MatchString(workflow) {
			workflow, inline = "", 1
		}
		kind := len(eventTypes)
		for j, t := range eventTypes {
			if e["type"] == t {
				kind = j
			}
		}
		group := int64(0)
		switch e["type"] {
		case workflowEvent:
			group = 1
		case stepEvent:
			group = 2
		}
		step, _ := e["step_id"].(string)
		list[i] = placed{e, []any{group, inline, strings.ReplaceAll(workflow, id, ""), integer(e["workflow_instance_id"]), integer(e["workflow_run_id"]),
			step, integer(e["step_attempt_id"]), integer(e["event_time"]), int64(kind)}}
	}
	sort.SliceStable(list, func(i, j int) bool { return before(list[i].place, list[j].place) })
	names := map[string]string{}
	out := make([]any, len(list))
	for i, e := range list {
		out[i] = inlineNames(e.event, names)
	}
	return newNormaliser(id, p.options.Stub).value(out)
}

// before compares two tuples of int64 and string.
func before(a, b []any) bool {
	for i := range a {
		if a[i] == b[i] {
			continue
		}
		if x, ok := a[i].(int64); ok {
			return x < b[i].(int64)
		}
		return a[i].(string) < b[i].(string)
	}
	return false
}

// inlineNames numbers the generated ids of loop bodies and drops what is not compared.
func inlineNames(v any, names map[string]string) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, k := range sortedKeys(v) {
			if !droppedOfEvents[k] {
				out[k] = inlineNames(v[k], names)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = inlineNames(x, names)
		}
		return out
	case string:
		return inlineID.ReplaceAllStringFunc(v, func(id string) string {
			if names[id] == "" {
				names[id] = fmt.Sprintf("<%s-%d>", inlineID.FindStringSubmatch(id)[1], len(names)+1)
			}
			return names[id]
		})
	}
	return v
}

func copied(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// integer is a number's whole part, 0 for anything else.
func integer(v any) int64 {
	n, _ := v.(json.Number)
	i, err := strconv.ParseInt(n.String(), 10, 64)
	if err != nil {
		f, _ := n.Float64()
		return int64(f)
	}
	return i
}
