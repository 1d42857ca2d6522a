package definition

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// The limits of names and texts, in UTF-16 units (workflow-definition.md 5.2).
const (
	MaxIDLength   = 128
	MaxNameLength = 256
	MaxTextLength = 16384
)

func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

func isIDByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-'
}

func isID(s string, leadingDigit bool) bool {
	for i := 0; i < len(s); i++ {
		if !isIDByte(s[i]) {
			return false
		}
	}
	c := s[0]
	return c != '.' && c != '-' && (leadingDigit || c < '0' || c > '9')
}

func hasReservedPrefix(s string) bool { return len(s) >= 8 && strings.EqualFold(s[:8], "maestro_") }
func hasReservedSuffix(s string) bool {
	return len(s) >= 8 && strings.EqualFold(s[len(s)-8:], "_maestro")
}

// CheckWorkflowID applies the rule for workflow ids. The answer is Maestro's text, "" for a good id.
func CheckWorkflowID(id string) string {
	n := utf16Len(id)
	switch {
	case id == "":
		return "[maestro id] cannot be null or empty"
	case n > MaxIDLength:
		return fmt.Sprintf("[maestro id] cannot be more than id length limit %d - rejected length is [%d] for value [%s]", MaxIDLength, n, id)
	case !isID(id, true):
		return fmt.Sprintf(`[maestro id] does not follow the regex rule: [_a-zA-Z0-9][.\-_a-zA-Z0-9]*+ - rejected value is [%s]`, id)
	case hasReservedPrefix(id):
		return fmt.Sprintf("[maestro id] cannot start with reserved prefix: maestro_ - rejected value is [%s]", id)
	case hasReservedSuffix(id):
		return fmt.Sprintf("[maestro id] cannot end with reserved suffix: _maestro - rejected value is [%s]", id)
	}
	return ""
}

// CheckReference applies the rule for step ids, parameter names, and types and versions of job
// templates. The answer is Maestro's text, "" for a good one.
func CheckReference(id string) string {
	n := utf16Len(id)
	switch {
	case id == "":
		return "[maestro id or name reference] cannot be null or empty"
	case n > MaxIDLength:
		return fmt.Sprintf("[maestro id or name reference] cannot be more than id length limit %d - rejected length is [%d] for value [%s]", MaxIDLength, n, id)
	case !isID(id, false):
		return fmt.Sprintf(`[maestro id or name reference] does not follow the regex rule: [_a-zA-Z][.\-_a-zA-Z0-9]*+ - rejected value is [%s]`, id)
	case strings.Contains(id, "__"):
		return fmt.Sprintf("[maestro id or name reference] cannot contain the step param separator '__' - rejected value is [%s]", id)
	case hasReservedPrefix(id):
		return fmt.Sprintf("[maestro id or name reference] cannot start with reserved prefix: maestro_ - rejected value is [%s]", id)
	}
	return ""
}

// nameMarks are the characters other than letters, digits and underscores that a name may have.
const nameMarks = ` .,:@&='(){}$+[]-/\`

// CheckName applies the rule for the names of tags and of announced signals. The answer is Maestro's
// text, "" for a good one.
func CheckName(name string) string {
	n := utf16Len(name)
	switch {
	case strings.TrimSpace(name) == "":
		return "[maestro name] cannot be null or empty or blank spaces"
	case n > MaxNameLength:
		return nameTooLong(name, n)
	case strings.ContainsFunc(name, func(r rune) bool {
		word := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_'
		return !word && !strings.ContainsRune(nameMarks, r)
	}):
		return fmt.Sprintf(`[maestro name] does not follow the regex rule: [\w \.,:@&='(){}$+\[\]\-\/\\]+ - rejected value is [%s]`, name)
	case hasReservedPrefix(name):
		return fmt.Sprintf("[maestro name] cannot start with reserved prefix: maestro_ - rejected value is [%s]", name)
	case hasReservedSuffix(name):
		return fmt.Sprintf("[maestro name] cannot end with reserved suffix: _maestro - rejected value is [%s]", name)
	}
	return ""
}

func nameTooLong(name string, n int) string {
	return fmt.Sprintf("[maestro name] cannot be more than name length limit %d - rejected length is [%d] for value [%s]", MaxNameLength, n, name)
}

// checkDisplayName applies the rule for the `name` of workflows and steps: any text of limited length.
func checkDisplayName(name string) string {
	if n := utf16Len(name); n > MaxNameLength {
		return nameTooLong(name, n)
	}
	return ""
}

func checkText(text string) string {
	if utf16Len(text) > MaxTextLength {
		return "size must be between 0 and 16384"
	}
	return ""
}

// CheckDescription applies the rule for descriptions. The answer is Maestro's text, "" for a good one.
func CheckDescription(text string) string { return checkText(text) }
