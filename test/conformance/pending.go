package conformance

import (
	"bufio"
	"fmt"
	"io/fs"
	"strings"
)

// Pending reads pending.txt: the scenarios that are known not to pass, by name, with the reason. A line holds a name
// (AREA/NAME), blanks and the reason; empty lines and those that begin with # are skipped. Every name must be that of
// a scenario and have a reason.
func Pending(fsys fs.FS, known []string) (map[string]string, error) {
	f, err := fsys.Open("pending.txt")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	exists := map[string]bool{}
	for _, name := range known {
		exists[name] = true
	}
	out := map[string]string{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, _ := strings.Cut(line, " ")
		reason = strings.TrimSpace(reason)
		switch {
		case !exists[name]:
			return nil, fmt.Errorf("pending.txt:%d: no scenario is named %s", n, name)
		case reason == "":
			return nil, fmt.Errorf("pending.txt:%d: %s: a reason must be given", n, name)
		case out[name] != "":
			return nil, fmt.Errorf("pending.txt:%d: %s stands here twice", n, name)
		}
		out[name] = reason
	}
	return out, lines.Err()
}
