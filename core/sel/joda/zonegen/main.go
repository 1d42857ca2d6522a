// Command zonegen writes the zone data that package joda embeds.
//
// Its input is public: the jar of Joda-Time 2.10.14 (Maven coordinates joda-time:joda-time:2.10.14), of
// which it reads the compiled zone data, org/joda/time/tz/data/…, and nothing else. That data is the IANA
// time zone database 2022a as Joda-Time compiled it; package joda says why it is this one. Another jar is
// refused, so the output cannot change by accident:
//
//	mvn dependency:get -Dartifact=joda-time:joda-time:2.10.14
//	go run ./core/sel/joda/zonegen -jar ~/.m2/repository/joda-time/joda-time/2.10.14/joda-time-2.10.14.jar -out core/sel/joda/zones.bin
//
// The English names of zones come from a Java runtime, which is where Joda-Time takes them from:
//
//	java core/sel/joda/zonegen/ZoneNames.java > names.tsv    # Java 17
//	go run ./core/sel/joda/zonegen -jar … -names names.tsv -out core/sel/joda/zonenames.txt
package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"sort"
	"strings"
)

const (
	jarSHA256 = "d65b4f127d36cf52b9b7b439552db22f3de92b892014512870cb3c98a3cf505e"
	dataDir   = "org/joda/time/tz/data/"
)

func main() {
	jar := flag.String("jar", "", "the jar of Joda-Time 2.10.14")
	names := flag.String("names", "", "write names from this output of ZoneNames.java instead of zones")
	out := flag.String("out", "", "the file to write")
	flag.Parse()
	if err := run(*jar, *names, *out); err != nil {
		fmt.Fprintln(os.Stderr, "zonegen:", err)
		os.Exit(1)
	}
}

func run(jar, names, out string) error {
	ids, zones, err := readJar(jar)
	if err != nil {
		return err
	}
	data := encode(ids, zones)
	if names != "" {
		table, err := os.ReadFile(names)
		if err != nil {
			return err
		}
		if data, err = groupNames(string(table), zones); err != nil {
			return err
		}
	}
	return os.WriteFile(out, data, 0o644)
}

// zone is the compiled data of one zone: its states in order, then, maybe, a rule for ever after.
type zone struct {
	states []state
	tail   *tail
}

// state is what holds from an instant on; the first one has held since ever.
type state struct{ at, offset, standard int64 }

type tail struct {
	standard int64
	rules    [2]rule
}

// rule is a change on a day of each year.
type rule struct {
	mode             byte // how millis is to be read: u(TC), s(tandard) or w(all) time
	month, day, week int64
	advance          bool
	millis, save     int64
}

// readJar gives the zone that every id stands for, and the zones by their own id.
func readJar(path string) (ids map[string]string, zones map[string]*zone, err error) {
	jar, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	if sum := sha256.Sum256(jar); hex.EncodeToString(sum[:]) != jarSHA256 {
		return nil, nil, fmt.Errorf("%s is not the jar of joda-time 2.10.14", path)
	}
	r, err := zip.NewReader(bytes.NewReader(jar), int64(len(jar)))
	if err != nil {
		return nil, nil, err
	}
	zones = map[string]*zone{}
	for _, f := range r.File {
		name, ok := strings.CutPrefix(f.Name, dataDir)
		if !ok || name == "" || strings.HasSuffix(name, "/") {
			continue
		}
		rc, err := f.Open()
		if err != nil {
			return nil, nil, err
		}
		data, err := io.ReadAll(rc)
		if err != nil {
			return nil, nil, err
		}
		in := &input{data: data}
		if name == "ZoneInfoMap" {
			ids = in.idMap()
		} else {
			zones[name] = in.zone()
		}
		if in.err != nil || len(in.data) > 0 {
			return nil, nil, fmt.Errorf("%s: %v, %d bytes left", name, in.err, len(in.data))
		}
	}
	for id, target := range ids {
		if zones[target] == nil {
			return nil, nil, fmt.Errorf("%s stands for %s, which has no data", id, target)
		}
	}
	return ids, zones, nil
}

// input reads the forms of Java's DataOutput and those of the zone data. After an error it gives zeros.
type input struct {
	data []byte
	err  error
}

func (in *input) take(n int) []byte {
	if len(in.data) < n {
		in.err, in.data = io.ErrUnexpectedEOF, nil
		return make([]byte, n)
	}
	b := in.data[:n]
	in.data = in.data[n:]
	return b
}

func (in *input) byte() int64  { return int64(in.take(1)[0]) }
func (in *input) uint16() int  { return int(binary.BigEndian.Uint16(in.take(2))) }
func (in *input) int32() int   { return int(int32(binary.BigEndian.Uint32(in.take(4)))) }
func (in *input) text() string { return string(in.take(in.uint16())) }
func (in *input) truth() bool  { return in.byte() != 0 }
func (in *input) pool() []string {
	out := make([]string, in.uint16())
	for i := range out {
		out[i] = in.text()
	}
	return out
}

// millis has its unit in the upper two bits: half hours, minutes and seconds fill 1, 4 and 5 bytes, and
// milliseconds the 8 that follow.
func (in *input) millis() int64 {
	first := in.byte()
	rest, unit := 0, int64(1800000)
	switch first >> 6 {
	case 1:
		rest, unit = 3, 60000
	case 2:
		rest, unit = 4, 1000
	case 3:
		return int64(binary.BigEndian.Uint64(in.take(8)))
	}
	v := first & 0x3F
	if v&0x20 != 0 {
		v -= 0x40
	}
	for range rest {
		v = v<<8 | in.byte()
	}
	return v * unit
}

func (in *input) idMap() map[string]string {
	pool := in.pool()
	out := map[string]string{}
	for range in.uint16() {
		id := pool[in.uint16()]
		out[id] = pool[in.uint16()]
	}
	return out
}

func (in *input) zone() *zone {
	z := &zone{}
	switch kind := in.byte(); kind {
	case 'F': // a fixed offset
		in.text()
		z.states = []state{{math.MinInt64, in.millis(), in.millis()}}
		return z
	case 'P', 'C': // the same but for a cache in memory
	default:
		in.err = fmt.Errorf("unknown kind of zone %d", kind)
		return z
	}
	names := in.pool()
	for range in.int32() {
		s := state{in.millis(), in.millis(), in.millis()}
		if len(names) < 256 {
			in.byte()
		} else {
			in.uint16()
		}
		// What changes nothing but the abbreviation, which nobody sees, is left out.
		if n := len(z.states); n == 0 || z.states[n-1].offset != s.offset || z.states[n-1].standard != s.standard {
			z.states = append(z.states, s)
		}
	}
	if in.truth() {
		z.tail = &tail{standard: in.millis()}
		for i := range z.tail.rules {
			r := rule{mode: byte(in.byte()), month: in.byte(), day: int64(int8(in.byte())), week: in.byte(), advance: in.truth(), millis: in.millis()}
			in.text()
			r.save = in.millis()
			z.tail.rules[i] = r
		}
	}
	if len(z.states) == 0 || z.states[0].at != math.MinInt64 {
		in.err = fmt.Errorf("the zone does not begin at the beginning")
	}
	return z
}

// encode writes the form that package joda reads (joda/zonedata.go).
func encode(ids map[string]string, zones map[string]*zone) []byte {
	number := map[string]int{}
	own := sorted(zones)
	for i, id := range own {
		number[id] = i
	}
	var out []byte
	text := func(s string) { out = append(binary.AppendUvarint(out, uint64(len(s))), s...) }
	text("2022agtz")
	out = binary.AppendUvarint(out, uint64(len(own)))
	for _, id := range own {
		text(id)
		record := zones[id].encode()
		out = append(binary.AppendUvarint(out, uint64(len(record))), record...)
	}
	var links []string
	for _, id := range sorted(ids) {
		if ids[id] != id {
			links = append(links, id)
		}
	}
	out = binary.AppendUvarint(out, uint64(len(links)))
	for _, id := range links {
		text(id)
		out = binary.AppendUvarint(out, uint64(number[ids[id]]))
	}
	return out
}

func (z *zone) encode() []byte {
	type kind struct{ offset, standard int64 }
	var kinds []kind
	number := map[kind]int{}
	for _, s := range z.states {
		k := kind{s.offset, s.standard}
		if _, ok := number[k]; !ok {
			number[k] = len(kinds)
			kinds = append(kinds, k)
		}
	}
	out := binary.AppendUvarint(nil, uint64(len(kinds)))
	for _, k := range kinds {
		out = binary.AppendVarint(binary.AppendVarint(out, k.offset), k.standard)
	}
	// The first state is of kind 0 and has no beginning.
	out = binary.AppendUvarint(out, uint64(len(z.states)-1))
	last := int64(0)
	for _, s := range z.states[1:] {
		out = binary.AppendVarint(out, s.at-last)
		out = binary.AppendUvarint(out, uint64(number[kind{s.offset, s.standard}]))
		last = s.at
	}
	if z.tail == nil {
		return append(out, 0)
	}
	out = binary.AppendVarint(append(out, 1), z.tail.standard)
	for _, r := range z.tail.rules {
		out = append(out, r.mode, byte(r.month), byte(int8(r.day)), byte(r.week), 0)
		if r.advance {
			out[len(out)-1] = 1
		}
		out = binary.AppendVarint(binary.AppendVarint(out, r.millis), r.save)
	}
	return out
}

// groupNames writes a line for each set of names: the names between bars, then the zones that have them.
func groupNames(table string, zones map[string]*zone) ([]byte, error) {
	groups := map[string][]string{}
	for _, line := range strings.Split(strings.TrimSpace(table), "\n") {
		f := strings.Split(line, "\t")
		if len(f) != 5 {
			return nil, fmt.Errorf("%q has not five columns", line)
		}
		// Joda-Time looks names up by the id without this prefix, also where the id with it has some.
		if strings.HasPrefix(f[0], "Etc/") {
			continue
		}
		if zones[f[0]] != nil || zones["Etc/"+f[0]] != nil {
			key := strings.Join(f[1:], "|")
			groups[key] = append(groups[key], f[0])
		}
	}
	var out strings.Builder
	for _, key := range sorted(groups) {
		sort.Strings(groups[key])
		fmt.Fprintf(&out, "%s|%s\n", key, strings.Join(groups[key], " "))
	}
	return []byte(out.String()), nil
}

func sorted[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
