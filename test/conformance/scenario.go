package conformance

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"
)

//go:embed scenarios events pending.txt
var files embed.FS

// Files holds the scenarios of this repository: `scenarios/AREA/NAME.json`, `events/NAME.json` and `pending.txt`.
func Files() fs.FS { return files }

// Scenario is one recorded scenario.
type Scenario struct {
	Name  string `json:"-"`     // AREA/NAME, without the suffix
	About string `json:"about"` // what is shown, in a sentence
	Spec  string `json:"spec"`  // where the behaviour is described; for people only
	// Ignore and Unordered are pointers into every answer: what lies at or below an ignored one is not compared, the
	// list at an unordered one is compared as a set. `*` stands for one part, `**` for any number of them.
	Ignore    []string `json:"ignore"`
	Unordered []string `json:"unordered"`
	Steps     []Step   `json:"steps"`
	// Events are the status events that must have been published, normalised; nil when the scenario says nothing of
	// events. EventsIgnore and EventsUnordered are pointers into the list.
	Events          json.RawMessage `json:"events"`
	EventsIgnore    []string        `json:"events_ignore"`
	EventsUnordered []string        `json:"events_unordered"`
}

// Step is a call, a wait or a pause: a pause when Pause is set, a wait when Until is, else a call.
type Step struct {
	Call    string             `json:"call"` // method and path with query
	Body    json.RawMessage    `json:"body"`
	Text    *string            `json:"text"`    // a body as it is (YAML, broken JSON), in place of Body
	Headers map[string]*string `json:"headers"` // added to the usual ones; null takes one out
	Save    map[string]string  `json:"save"`    // name → pointer into the answer, used later as ${name}
	// Until repeats the call until the value at each pointer is (one of) the given; nothing else is compared.
	Until   map[string]json.RawMessage `json:"until"`
	Seconds float64                    `json:"seconds"` // how long Until may take; 0 means 30
	Pause   float64                    `json:"pause"`   // seconds
	// Check is "" for the whole answer, "status" for the status alone, "none" for nothing.
	Check     string   `json:"check"`
	Ignore    []string `json:"ignore"`
	Unordered []string `json:"unordered"`
	Expect    *Answer  `json:"expect"` // nil: nothing is compared
}

// Answer is a recorded answer: the body below 400, the family of the error from 400 on.
type Answer struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"` // nil: the body is not compared
	Error  *ErrorFamily    `json:"error"`
}

// ErrorFamily is what is compared of an error: its content type and the `status` member of its body.
type ErrorFamily struct {
	Type   string `json:"type"`
	Status any    `json:"status"` // nil, a string or a number
}

// Load reads the scenario in a file. Its name is the file's path without suffix and without a leading `scenarios/`.
func Load(fsys fs.FS, file string) (*Scenario, error) {
	data, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	d.DisallowUnknownFields()
	s := &Scenario{Name: strings.TrimPrefix(strings.TrimSuffix(path.Clean(file), ".json"), "scenarios/")}
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for i, step := range s.Steps {
		if step.Call == "" && step.Pause == 0 {
			return nil, fmt.Errorf("%s: step %d: neither call nor pause", file, i+1)
		}
		if step.Check != "" && step.Check != "status" && step.Check != "none" {
			return nil, fmt.Errorf("%s: step %d: check: %q is neither status nor none", file, i+1, step.Check)
		}
	}
	return s, nil
}

// List names the scenario files at or below the given paths, sorted. Paths ending in .json are taken as they are.
func List(fsys fs.FS, paths ...string) ([]string, error) {
	var out []string
	for _, p := range paths {
		err := fs.WalkDir(fsys, path.Clean(p), func(file string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.HasSuffix(file, ".json") {
				out = append(out, file)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	sort.Strings(out)
	return out, nil
}

// Area is the first part of a scenario's name: the folder it lies in.
func (s *Scenario) Area() string { return AreaOf(s.Name) }

// AreaOf is the area in a scenario's name.
func AreaOf(name string) string {
	area, _, _ := strings.Cut(name, "/")
	return area
}
