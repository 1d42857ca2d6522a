// Package store is the layout of the one table: which item holds what, under which key, and how it is encoded. Nothing
// else knows a key. It moves nothing on its own: package app decides what is written when.
//
// The items, and the life of one run through them:
//
//	ctl#<workflow>            ctl           what every decision about a workflow reads: active and latest version,
//	                                        properties, breakpoints, deletion
//	ver#<workflow>#<internal> v<version>    a definition version, immutable, compressed
//	tl#<workflow>             <id>#<n>      a line of the change timeline
//	lane#<workflow>           head          numbers, queue and running set (package lane)
//	lane#<workflow>#inbox#<0..15> <rev>.<ask> a start, or the end of a run, that lost the race for the lane (P13)
//	lane#<workflow>#folds     <rev>         what a commit of the lane answered to such
//	start#<workflow>#<uuid>   s             the body of a run, immutable: the one truth of a start (P12)
//	                          n             its number, written when the lane has given one and somebody may ask:
//	                                        the caller chose the request id, or another than the caller makes the head
//	run#<workflow>#<instance> h<run>        the head of a run: status, page map, tokens; moved by conditional writes
//	                          latest        the newest run of the instance, written when there is a second one
//	                          suspect<run>  how often processes died that decided about a run, and at which step (P4)
//	p#<run>#<0..7>            <n>.<token>   a page: immutable records of attempts, counted only when a head names it
//	a#<step_uuid>             a             the claim of an attempt that runs outside (P19)
//	time#<workflow>           head          the schedule of the time triggers: how far each has fired; due at the next fire
//	failed#<workflow>         <instance>    an instance whose failure blocks STRICT_SEQUENTIAL
//	parked                    <key>         a head that cannot be decoded, taken out of the due index (P4)
//	permit#<workflow>         head          permits of the derived tags of one workflow; tag#<name> of a named tag
//
// A start puts "s", the lane gives a number and lists the run, "n" and the head follow from the lane's order. The
// head names pages as they are written; readers see what a head names and nothing else (P6).
package store

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/downbeat/downbeat/core/table"
)

// RunID names a run.
type RunID struct {
	Workflow      string
	Instance, Run int64
}

func (r RunID) String() string {
	return "[" + r.Workflow + "][" + strconv.FormatInt(r.Instance, 10) + "][" + strconv.FormatInt(r.Run, 10) + "]"
}

// width of numbers in sort keys, so that the order of bytes is that of numbers.
const width = 19

func num(n int64) string {
	s := strconv.FormatInt(n, 10)
	return strings.Repeat("0", max(0, width-len(s))) + s
}

// Keys. Each is the only place that spells its format.

func CtlKey(workflow string) table.Key { return table.Key{PK: "ctl#" + workflow, SK: "ctl"} }

// ComesAgain tells whether an item with that key may be deleted and made again, and is written on the revision that was
// read. Such an item must not begin at revision 1 each time: who read the one before and stood still would find its
// revision again, and write over another life.
func ComesAgain(k table.Key) bool {
	switch kind, _, _ := strings.Cut(k.PK, "#"); kind {
	case "ctl", "del", "failed", "subs", "subn":
		return true
	}
	return false
}

// ParseCtlKey reads the workflow out of a control item's key.
func ParseCtlKey(k table.Key) (string, bool) { return strings.CutPrefix(k.PK, "ctl#") }

// VersionPK is the partition of a workflow's versions.
func VersionPK(workflow string, internalID int64) string {
	return "ver#" + workflow + "#" + strconv.FormatInt(internalID, 10)
}

// VersionKey names the item of a definition version. The internal id keeps a deleted and pushed again workflow's
// versions apart (P11).
func VersionKey(workflow string, internalID, version int64) table.Key {
	return table.Key{PK: VersionPK(workflow, internalID), SK: "v" + num(version)}
}

func TimelinePK(workflow string) string { return "tl#" + workflow }

// TimelineKey orders lines by the internal id and their running number.
func TimelineKey(workflow string, internalID, n int64) table.Key {
	return table.Key{PK: TimelinePK(workflow), SK: TimelinePrefix(internalID) + num(n)}
}

// TimelinePrefix begins the sort keys of the lines of one life of a workflow id.
func TimelinePrefix(internalID int64) string { return num(internalID) + "#" }

// RunBlobs is the owner under which the bodies of an instance lie in the Blob store.
func RunBlobs(workflow string, internalID, instance int64) string {
	return fmt.Sprintf("%s/%d/%d", workflow, internalID, instance)
}

// TimesKey names the schedule of a workflow's time triggers.
func TimesKey(workflow string) table.Key { return table.Key{PK: "time#" + workflow, SK: "head"} }

// ParseTimesKey reads the workflow out of a schedule's key.
func ParseTimesKey(k table.Key) (string, bool) { return strings.CutPrefix(k.PK, "time#") }

func LaneKey(workflow string) table.Key { return table.Key{PK: "lane#" + workflow, SK: "head"} }

func StartPK(workflow, uuid string) string { return "start#" + workflow + "#" + uuid }

func StartKey(workflow, uuid string) table.Key {
	return table.Key{PK: StartPK(workflow, uuid), SK: "s"}
}

// MadeID is the Order of a start item whose id the application made up: nobody else knows it before the start is
// answered.
const MadeID = 1

func NumberKey(workflow, uuid string) table.Key {
	return table.Key{PK: StartPK(workflow, uuid), SK: "n"}
}

func InstancePK(workflow string, instance int64) string {
	return "run#" + workflow + "#" + strconv.FormatInt(instance, 10)
}

func RunKey(r RunID) table.Key {
	return table.Key{PK: InstancePK(r.Workflow, r.Instance), SK: "h" + num(r.Run)}
}

// GoneRun is what the deletion of a workflow leaves in place of a run's head: whoever read before it that the head does
// not exist, and stood still since then, must not create it. Readers take it for absent. It expires by itself, expires in
// epoch seconds, long after anybody may still stand still. Its revision is above every one that the head had.
func GoneRun(head table.Item, expires int64) table.Item {
	return table.Item{Key: head.Key, Rev: head.Rev + 1, Expires: expires, Data: []byte{goneForm}}
}

// goneForm is no format number.
const goneForm = 0

// IsGone tells whether an item stands for a run that was deleted.
func IsGone(it table.Item) bool { return len(it.Data) == 1 && it.Data[0] == goneForm }

// LatestKey names the item that tells the newest run of an instance; absent, it is run 1.
func LatestKey(workflow string, instance int64) table.Key {
	return table.Key{PK: InstancePK(workflow, instance), SK: "latest"}
}

// SuspectKey names the item about a run at whose decisions processes may have died (P4).
func SuspectKey(r RunID) table.Key {
	return table.Key{PK: InstancePK(r.Workflow, r.Instance), SK: "suspect" + num(r.Run)}
}

// ParkedPK is the partition that lists the heads which cannot be decoded.
const ParkedPK = "parked"

// ParkedKey names the item about such a head.
func ParkedKey(head table.Key) table.Key {
	return table.Key{PK: ParkedPK, SK: head.PK + "/" + head.SK}
}

// ParseRunKey reads the run out of a head's key: what the due index shows the sweep.
func ParseRunKey(k table.Key) (RunID, bool) {
	rest, ok := strings.CutPrefix(k.PK, "run#")
	if !ok || len(k.SK) < 2 || k.SK[0] != 'h' {
		return RunID{}, false
	}
	i := strings.LastIndexByte(rest, '#')
	if i < 0 {
		return RunID{}, false
	}
	instance, err1 := strconv.ParseInt(rest[i+1:], 10, 64)
	run, err2 := strconv.ParseInt(k.SK[1:], 10, 64)
	return RunID{rest[:i], instance, run}, err1 == nil && err2 == nil
}

// ParseLaneKey reads the workflow out of a lane's key.
func ParseLaneKey(k table.Key) (string, bool) {
	w, ok := strings.CutPrefix(k.PK, "lane#")
	return w, ok && k.SK == "head"
}

// PageKey names a page. The token makes the pages of two deciders that start from one revision distinct: a loser
// overwrites nothing (P6).
func PageKey(r RunID, p PageRef) table.Key {
	return table.Key{
		PK: PagePK(r, p.N),
		SK: strconv.Itoa(p.N) + "." + hex8(p.Token),
	}
}

// hex8 is the number in eight hexadecimal digits.
func hex8(n uint32) string {
	s := strconv.FormatUint(uint64(n), 16)
	return "00000000"[len(s):] + s
}

// PagePK is the partition of the pages with number n modulo 8.
func PagePK(r RunID, n int) string {
	return "p#" + r.Workflow + "#" + strconv.FormatInt(r.Instance, 10) + "#" + strconv.FormatInt(r.Run, 10) + "#" + strconv.Itoa(n%8)
}

func ClaimKey(stepUUID string) table.Key { return table.Key{PK: "a#" + stepUUID, SK: "a"} }

func FailedPK(workflow string) string { return "failed#" + workflow }

func FailedKey(workflow string, instance int64) table.Key {
	return table.Key{PK: FailedPK(workflow), SK: num(instance)}
}

// ParseFailedKey reads the instance out of the key of a blocking failure.
func ParseFailedKey(k table.Key) (int64, bool) {
	n, err := strconv.ParseInt(k.SK, 10, 64)
	return n, err == nil
}

// PermitKey names a permit head: "wf#<workflow>" or "corr#<correlation id>" for derived tags, "tag#<name>" for a named one.
func PermitKey(head string) table.Key { return table.Key{PK: "permit#" + head, SK: "head"} }

// PermitAskKey names what a caller leaves at a permit head which it has read at the revision. They are read in the order of
// revisions.
func PermitAskKey(head string, rev int64, name string) table.Key {
	return table.Key{PK: "permit#" + head, SK: PermitAsksFrom(rev) + "." + name}
}

// PermitAsksFrom is the smallest sort key of what was left at a revision, PermitAsksTo is above all of them.
func PermitAsksFrom(rev int64) string { return "ask#" + num(rev) }

const PermitAsksTo = "ask~"

// ParsePermitAskKey reads revision and name out of the key of what lies at a permit head.
func ParsePermitAskKey(k table.Key) (rev int64, name string, ok bool) {
	text, found := strings.CutPrefix(k.SK, "ask#")
	text, name, dot := strings.Cut(text, ".")
	if !found || !dot {
		return 0, "", false
	}
	if _, err := fmt.Sscanf(text, "%d", &rev); err != nil {
		return 0, "", false
	}
	return rev, name, true
}

// ParsePermitKey reads the head's name out of its key.
func ParsePermitKey(k table.Key) (string, bool) {
	name, ok := strings.CutPrefix(k.PK, "permit#")
	return name, ok && k.SK == "head"
}

func BreakpointPK(workflow string) string { return "bp#" + workflow }

// BreakpointKey names the breakpoint of a step; scope tells inside which kind of loop the step lies.
func BreakpointKey(workflow, scope, step string) table.Key {
	return table.Key{PK: BreakpointPK(workflow), SK: scope + "/" + step}
}

func PausedPK(scope, step string) string { return "paused#" + scope + "#" + step }

// PausedKey names the record of an attempt that paused at a breakpoint.
func PausedKey(scope, step string, r RunID, attempt int64) table.Key {
	return table.Key{PK: PausedPK(scope, step), SK: fmt.Sprintf("%s#%s#%s#%s", r.Workflow, num(r.Instance), num(r.Run), num(attempt))}
}

func TemplateKey(jobType, version string) table.Key {
	return table.Key{PK: "tpl#" + jobType, SK: version}
}

func TemplatePK(jobType string) string { return "tpl#" + jobType }

// TemplateListPK is the partition that lists the job types that have a version.
func TemplateListPK(version string) string { return "tpls#" + version }

func TemplateListKey(version, jobType string) table.Key {
	return table.Key{PK: TemplateListPK(version), SK: jobType}
}

// SequenceKey names a counter of the whole system.
func SequenceKey(name string) table.Key { return table.Key{PK: "seq#" + name, SK: "n"} }

func DeletionKey(workflow string) table.Key { return table.Key{PK: "del#" + workflow, SK: "d"} }

// DeletedKey names the item that tells up to which instance a workflow id's data were deleted.
func DeletedKey(workflow string) table.Key { return table.Key{PK: "lane#" + workflow, SK: "deleted"} }

// ParseDeletionKey reads the workflow out of a deletion's key.
func ParseDeletionKey(k table.Key) (string, bool) { return strings.CutPrefix(k.PK, "del#") }

func OutputKey(jobType, jobID string) table.Key {
	return table.Key{PK: "out#" + jobType + "#" + jobID, SK: "o"}
}
