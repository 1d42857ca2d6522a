package signal

import (
	"reflect"
	"testing"

	"github.com/downbeat/downbeat/core/definition"
)

func long(n int64) definition.SignalValue  { return definition.SignalValue{Long: n} }
func text(s string) definition.SignalValue { return definition.SignalValue{IsText: true, Text: s} }

func TestDerivedID(t *testing.T) {
	for _, c := range []struct {
		name   string
		params []Param
		want   string
	}{
		{"signal_a", []Param{{"watermark", long(123456)}, {"foo", text("bat")}}, "ef1f8b71-5bec-390a-a649-6a30837e16d7"},
		{"signal_a", nil, "c00e677b-12e3-33f8-9df9-810c4fcd0956"},
		{"hourly/etl", []Param{{"day", long(20250101)}, {"region", text("eu")}}, "eecf57d2-9833-34e4-9b41-1fa5477b7704"},
		{"daily.done", []Param{{"day", long(20250101)}}, "d8c48e13-96d3-34b0-8f7e-6f2a2cfb1690"},
	} {
		if got := DerivedID(c.name, c.params); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestReadValues(t *testing.T) {
	for in, want := range map[string]any{
		`1.9`: long(1), `1e3`: long(1000), `1e19`: long(9223372036854775807), `-1e30`: long(-9223372036854775808), `"x"`: text("x"),
		`-2`: long(-2), `true`: nil, `null`: nil, `[1]`: nil, `{}`: nil, `9223372036854775808`: nil,
	} {
		i, err := Read([]byte(`{"name":"s","params":{"k":`+in+`}}`), 5)
		switch {
		case want == nil:
			if err == nil {
				t.Errorf("%s is accepted", in)
			}
		case err != nil:
			t.Errorf("%s: %v", in, err)
		case i.Params[0].Value != want:
			t.Errorf("%s: %v, want %v", in, i.Params[0].Value, want)
		}
	}
}

func TestStoredForm(t *testing.T) {
	i, err := Read([]byte(`{"name":"s","extra":[1,null],"params":{"b":1,"a":"x"},"payload":{"p":{"q":0.25}},"more":null,"request_id":7}`), 5)
	if err != nil {
		t.Fatal(err)
	}
	i.Seq, i.CreateTime = 3, 9
	back, err := Decode(i.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(i.AppendJSON(nil), back.AppendJSON(nil)) {
		t.Errorf("%s\nis read back as\n%s", i.AppendJSON(nil), back.AppendJSON(nil))
	}
	const want = `{"name":"s","seq_id":3,"instance_id":"7","params":{"b":1,"a":"x"},"payload":{"p":{"q":0.25},"more":null},"request_time":5,"create_time":9}`
	if got := string(back.AppendJSON(nil)); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	for n := range i.Encode() {
		if _, err := Decode(i.Encode()[:n]); err == nil {
			t.Errorf("the first %d bytes are read as a whole", n)
		}
	}
}

func TestHolds(t *testing.T) {
	i := &Instance{Params: []Param{{"n", long(5)}, {"s", text("b")}}}
	v := func(x definition.SignalValue) *definition.SignalValue { return &x }
	for _, c := range []struct {
		c    Condition
		want bool
	}{
		{Condition{"n", v(long(5)), "="}, true}, {Condition{"n", v(long(4)), ">"}, true}, {Condition{"n", v(long(5)), ">"}, false},
		{Condition{"n", v(long(5)), ">="}, true}, {Condition{"n", v(long(6)), "<"}, true}, {Condition{"n", v(long(5)), "<="}, true},
		{Condition{"n", v(text("5")), "="}, false}, {Condition{"s", v(text("a")), ">"}, true}, {Condition{"s", v(long(1)), ">"}, false},
		{Condition{"x", v(long(1)), "="}, false}, {Condition{"n", nil, "="}, false}, {Condition{"n", v(long(5)), ""}, false},
	} {
		if got := Holds([]Condition{c.c}, i); got != c.want {
			t.Errorf("%+v: %v", c.c, got)
		}
	}
	if !Holds(nil, i) {
		t.Error("no condition is not met")
	}
}

// TestJoin follows the join of two signals of the contract (signals.md 14.2).
func TestJoin(t *testing.T) {
	day, dt := "day", "dt"
	eu := text("eu")
	trigger := &definition.SignalTrigger{Definitions: []definition.NamedSignalEntry{
		{Name: "orders", Entry: &definition.SignalEntry{MatchParams: []definition.NamedSignalMatch{{Name: "region", Value: &eu, Operator: "="}}, JoinKeys: []*string{&day}}},
		{Name: "users", Entry: &definition.SignalEntry{JoinKeys: []*string{&dt}}},
	}}
	streams := map[string][]*Instance{}
	find := func(name string, above int64, conditions []Condition) (*Instance, error) {
		for _, i := range streams[name] {
			if i.Seq > above && Holds(conditions, i) {
				return i, nil
			}
		}
		return nil, nil
	}
	s := Subscribe("wf", "t", trigger, func(string) int64 { return 0 })
	for n, c := range []struct {
		name   string
		params []Param
		fires  []int64
		seen   []int64
	}{
		{"orders", []Param{{"region", text("eu")}, {"day", long(1)}}, nil, []int64{0, 0}},
		{"orders", []Param{{"region", text("eu")}, {"day", long(2)}}, nil, []int64{0, 0}},
		{"users", []Param{{"dt", long(2)}}, []int64{2, 1}, []int64{2, 1}},
		{"users", []Param{{"dt", long(1)}}, nil, []int64{2, 1}},
		{"orders", []Param{{"region", text("us")}, {"day", long(1)}}, nil, []int64{2, 1}},
		{"orders", []Param{{"region", text("eu")}, {"day", long(1)}}, []int64{4, 2}, []int64{4, 2}},
	} {
		i := &Instance{Name: c.name, Seq: int64(len(streams[c.name]) + 1), Params: c.params}
		streams[c.name] = append(streams[c.name], i)
		chosen, err := Match(s, trigger, i, find)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(chosen, c.fires) {
			t.Errorf("%d: fires %v, want %v", n+1, chosen, c.fires)
		}
		s.Consume(chosen)
		if !reflect.DeepEqual(s.Seen, c.seen) {
			t.Errorf("%d: checkpoints %v, want %v", n+1, s.Seen, c.seen)
		}
	}
}

func TestDedup(t *testing.T) {
	s := &Subscription{WorkflowID: "demo.join", TriggerUUID: "11111111-2222-3333-4444-555555555555", Names: []string{"orders.ready", "users.ready"}}
	for expr, want := range map[string]string{"": "29ef3fa9-04ff-33f5-88c9-c0eb003be6c7", "return '20250101';": "83215935-fd06-3063-bfc9-1886e79f8c2f"} {
		f, err := Fire(s, &definition.SignalTrigger{DedupExpr: expr}, []int64{4, 9}, 1, "test")
		if err != nil {
			t.Fatal(err)
		}
		if f.RequestID != want {
			t.Errorf("%q: %s, want %s", expr, f.RequestID, want)
		}
	}
}
