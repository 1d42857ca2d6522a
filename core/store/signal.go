package store

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/pack"
	"github.com/downbeat/downbeat/core/table"
)

// Signals. Names are not limited to what fits into a key: outputs of steps announce any name, so keys hold a hash.
//
//	sig#<signal>              head          the newest number, and how far triggers and waiters were told
//	sig#<signal>#<block>      <seq>         an instance, 1,024 to a block
//	sigid#<signal>#<id>       n             the number of an instance id: what is announced again is a duplicate
//	sigx#<signal>#<param>     <seq>         the history under one param's value
//	sigw#<signal>#<param>     <run>#<hash>  a run that waits, under one equality condition or "*" (P33)
//	subs#<workflow>           <trigger>     a subscription with its checkpoints
//	subn#<signal>             <wf>#<trigger> the same by signal

func signalName(name string) string { return shortHash(name) }

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

// InlineKey names the item that tells the largest iteration and run of the body of a loop.
func InlineKey(inline string) table.Key { return table.Key{PK: "inline#" + inline, SK: "i"} }

// SignalKey names the head of a stream.
func SignalKey(name string) table.Key { return StreamKey(signalName(name)) }

// StreamKey names the head of a stream by what ParseSignalKey gives.
func StreamKey(stream string) table.Key { return table.Key{PK: "sig#" + stream, SK: "head"} }

// ParseSignalKey reads what stands for the signal's name out of the key of a stream's head: its name is in the item.
func ParseSignalKey(k table.Key) (stream string, ok bool) {
	stream, ok = strings.CutPrefix(k.PK, "sig#")
	return stream, ok && k.SK == "head"
}

// signalBlock is how many instances lie in one partition.
const signalBlock = 1024

// SignalBlock is the number of the partition of an instance.
func SignalBlock(seq int64) int64 { return seq / signalBlock }

// SignalBlockPK is a partition of instances.
func SignalBlockPK(name string, block int64) string {
	return "sig#" + signalName(name) + "#" + strconv.FormatInt(block, 10)
}

// SignalInstanceKey names an instance.
func SignalInstanceKey(name string, seq int64) table.Key {
	return table.Key{PK: SignalBlockPK(name, SignalBlock(seq)), SK: num(seq)}
}

// SignalSeqSK is the sort key of a number in partitions that are ordered by it.
func SignalSeqSK(seq int64) string { return num(seq) }

// SignalIDKey names the item that tells the number of an instance id.
func SignalIDKey(name, id string) table.Key {
	return table.Key{PK: "sigid#" + signalName(name) + "#" + shortHash(id), SK: "n"}
}

func paramHash(param string, v definition.SignalValue) string {
	text := "n" + strconv.FormatInt(v.Long, 10)
	if v.IsText {
		text = "s" + v.Text
	}
	return shortHash(strconv.Itoa(len(param)) + ":" + param + "=" + text)
}

// SignalIndexPK is the history of a signal under a param's value.
func SignalIndexPK(name, param string, v definition.SignalValue) string {
	return "sigx#" + signalName(name) + "#" + paramHash(param, v)
}

// SignalIndexKey names an instance in that history.
func SignalIndexKey(name, param string, v definition.SignalValue, seq int64) table.Key {
	return table.Key{PK: SignalIndexPK(name, param, v), SK: num(seq)}
}

// ParseSeq reads the number out of a sort key of instances.
func ParseSeq(sk string) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimLeft(sk, "0"), 10, 64)
	return n, err == nil
}

// WaiterPK is the partition of those who wait for a signal with a param's value; without param of those who wait for
// any instance.
func WaiterPK(name string, param string, v *definition.SignalValue) string {
	if v == nil {
		return "sigw#" + signalName(name) + "#*"
	}
	return "sigw#" + signalName(name) + "#" + paramHash(param, *v)
}

// WaiterKey names a waiting run in such a partition; conditions tells apart what it waits for.
func WaiterKey(pk string, r RunID, conditions string) table.Key {
	return table.Key{PK: pk, SK: r.String() + "#" + shortHash(conditions)}
}

// SubscriptionPK is the partition of the subscriptions of a workflow.
func SubscriptionPK(workflow string) string { return "subs#" + workflow }

// SubscriptionKey names a subscription.
func SubscriptionKey(workflow, trigger string) table.Key {
	return table.Key{PK: SubscriptionPK(workflow), SK: trigger}
}

// SubscriberPK is the partition of the subscriptions to a signal.
func SubscriberPK(name string) string { return "subn#" + signalName(name) }

// SubscriberKey names a subscription in it.
func SubscriberKey(name, workflow, trigger string) table.Key {
	return table.Key{PK: SubscriberPK(name), SK: workflow + "#" + trigger}
}

// SignalHead is the head of a stream.
type SignalHead struct {
	Name string
	// Latest is the newest number; Told the newest of which triggers and waiters were told.
	Latest, Told int64
}

const signalHeadFormat = 1

// Encode is the stored form.
func (h SignalHead) Encode() []byte {
	var w pack.Writer
	w.Format(signalHeadFormat)
	w.Str(h.Name)
	w.Int(h.Latest)
	w.Int(h.Told)
	return w.Buf
}

// DecodeSignalHead reads the stored form.
func DecodeSignalHead(data []byte) (SignalHead, error) {
	r, _, err := pack.NewReader(data, signalHeadFormat)
	if err != nil {
		return SignalHead{}, err
	}
	h := SignalHead{Name: r.Str(), Latest: r.Int(), Told: r.Int()}
	return h, r.Err()
}

// Subscriber names a subscription. InternalID is that of the workflow.
type Subscriber struct {
	Workflow, Trigger string
	InternalID        int64
}

// Encode is the stored form.
func (s Subscriber) Encode() []byte {
	var w pack.Writer
	w.Format(1)
	w.Str(s.Workflow)
	w.Str(s.Trigger)
	w.Int(s.InternalID)
	return w.Buf
}

// DecodeSubscriber reads the stored form.
func DecodeSubscriber(data []byte) (Subscriber, error) {
	r, _, err := pack.NewReader(data, 1)
	if err != nil {
		return Subscriber{}, err
	}
	s := Subscriber{r.Str(), r.Str(), r.Int()}
	return s, r.Err()
}

// EncodeRunID is a run as the data of an item that points at it.
func EncodeRunID(r RunID) []byte {
	var w pack.Writer
	w.Format(1)
	w.Str(r.Workflow)
	w.Int(r.Instance)
	w.Int(r.Run)
	return w.Buf
}

// DecodeRunID reads the stored form.
func DecodeRunID(data []byte) (RunID, error) {
	r, _, err := pack.NewReader(data, 1)
	if err != nil {
		return RunID{}, err
	}
	id := RunID{r.Str(), r.Int(), r.Int()}
	return id, r.Err()
}
