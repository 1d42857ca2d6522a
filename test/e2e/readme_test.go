package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// printed are the indented blocks of a page.
func printed(page string) []string {
	var blocks []string
	var block []string
	for line := range strings.Lines(page + "\nend\n") {
		if text, ok := strings.CutPrefix(line, "    "); ok {
			block = append(block, text)
			continue
		}
		if len(block) > 0 {
			blocks = append(blocks, strings.Join(block, ""))
		}
		block = nil
	}
	return blocks
}

var errorStatus = regexp.MustCompile(`^\{"status":"(BAD_REQUEST|NOT_FOUND|CONFLICT|INTERNAL_ERROR|PRECONDITION_FAILED|UNPROCESSABLE_ENTITY)"|"title":`)

// TestPrintedCommands runs every curl that the pages for newcomers print, as printed but for the address, from the
// folder that they name, and wants an answer that is no error.
func TestPrintedCommands(t *testing.T) {
	for _, tool := range []string{"sh", "curl", "grep"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: the pages use %s, which is not here", tool)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, tt := range []struct {
		page, dir string
		pushed    []string // examples that the page takes to be there, the second and later ones also run
		least     int
	}{
		{"../../README.md", "../..", nil, 4},
		{"../../examples/README.md", "../../examples", []string{"call-a-service", "look-before-publish", "stop-the-line", "restart-from-the-failure"}, 10},
	} {
		t.Run(tt.page, func(t *testing.T) {
			base := startLocal(ctx, t)
			for i, id := range tt.pushed {
				p := &play{t: t, ctx: ctx, base: base + "/api/v3/workflows", id: id}
				if err := push(ctx, p.base, filepath.Join("../../examples", id+".json")); err != nil {
					t.Fatal(err)
				}
				if i > 0 {
					p.start()
					if err := until(ctx, func() (bool, error) { return terminalRun(p.instance(1).Status), nil }); err != nil {
						t.Fatal(err)
					}
				}
			}
			page, err := os.ReadFile(tt.page)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, command := range printed(string(page)) {
				if !strings.HasPrefix(command, "curl ") {
					continue
				}
				n++
				sh := exec.CommandContext(ctx, "sh", "-c", strings.ReplaceAll(command, "http://127.0.0.1:8080", base))
				sh.Dir = tt.dir
				out, err := sh.CombinedOutput()
				answer := strings.TrimSpace(string(out))
				// What a grep shows is part of a document.
				whole := strings.Contains(command, "grep") || answer == "" || json.Valid([]byte(answer))
				if err != nil || errorStatus.MatchString(answer) || !whole {
					t.Errorf("%s\n%v: %s", command, err, answer)
				}
			}
			if n < tt.least {
				t.Errorf("the page prints %d calls, want %d at least", n, tt.least)
			}
		})
	}
}
