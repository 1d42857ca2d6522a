package config

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestEveryFieldIsDocumented compares the configuration with docs/deploy.md.
func TestEveryFieldIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	group := ""
	for _, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cell, _, _ := strings.Cut(line[2:], "|")
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
			field := name[1]
			if rest, ok := strings.CutPrefix(field, "."); ok {
				field = group + "." + rest
			}
			group, _, _ = strings.Cut(field, ".")
			documented[field] = true
		}
	}
	var check func(typ reflect.Type, prefix string)
	check = func(typ reflect.Type, prefix string) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.Type.Kind() == reflect.Struct {
				check(f.Type, prefix+name+".")
			} else if !documented[prefix+name] {
				t.Errorf("docs/deploy.md does not have %s", prefix+name)
			}
		}
	}
	check(reflect.TypeFor[Config](), "")
	check(reflect.TypeFor[Start](), "")
}

// TestCostsAddUp recomputes the sums of docs/cost.md.
func TestCostsAddUp(t *testing.T) {
	data, err := os.ReadFile("../../docs/cost.md")
	if err != nil {
		t.Fatal(err)
	}
	section := func(title string) [][]string {
		_, rest, ok := strings.Cut(string(data), "\n## "+title+"\n")
		if !ok {
			t.Fatalf("docs/cost.md has no section %q", title)
		}
		rest, _, _ = strings.Cut(rest, "\n## ")
		var rows [][]string
		for _, line := range strings.Split(rest, "\n") {
			if strings.HasPrefix(line, "|") {
				cells := strings.Split(strings.Trim(line, "|"), "|")
				for i := range cells {
					cells[i] = strings.Trim(cells[i], " *$")
				}
				rows = append(rows, cells)
			}
		}
		return rows[2:]
	}
	number := func(s string) float64 {
		n, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	idle, sum := 0.0, 0.0
	for _, row := range section("A stack that does nothing") {
		if row[0] == "together" {
			idle = number(row[1])
			break
		}
		sum += number(row[1])
	}
	if fmt.Sprintf("%.2f", sum) != fmt.Sprintf("%.2f", idle) {
		t.Errorf("the idle stack costs %.2f, its parts %.2f", idle, sum)
	}
	const writeUnit, readUnit, start = 0.625, 0.125, 1.68 // dollars a million
	var prices []float64
	for _, row := range section("A million steps") {
		steps, writes, reads := number(row[1]), number(row[2]), number(row[3])
		table := (writes*writeUnit + reads*readUnit) / steps
		if want := fmt.Sprintf("%.2f", table); row[4] != want {
			t.Errorf("%s: the table costs $%s, want $%s", row[0], row[4], want)
		}
		if want := fmt.Sprintf("%.2f", table+start/steps); row[5] != want {
			t.Errorf("%s: $%s with its start, want $%s", row[0], row[5], want)
		}
		prices = append(prices, number(row[5]))
	}
	for _, row := range section("A million steps that are jobs") {
		prices = append(prices, number(row[6]))
	}
	for _, row := range section("A million steps (**budget**)") {
		prices = append(prices, number(row[4]))
	}
	months := section("A month")
	if len(prices) < 6 || len(prices) != len(months) {
		t.Fatalf("%d prices, %d months", len(prices), len(months))
	}
	for i, row := range months {
		for k, millions := range []float64{1, 10, 100} {
			want := fmt.Sprintf("%.2f", idle+millions*prices[i])
			if row[k+1] != want {
				t.Errorf("%s, %v million steps: $%s, want $%s", row[0], millions, row[k+1], want)
			}
		}
	}
}
