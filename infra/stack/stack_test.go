package stack_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/functions/env"
	"github.com/downbeat/downbeat/infra/config"
	"github.com/downbeat/downbeat/infra/stack"
)

// The jsii process is shared by all tests and ended once.
func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// functionNames are the six functions.
var functionNames = []string{"advance", "api", "complete", "execute", "sweep", "trigger"}

type resource struct {
	Type           string
	Properties     map[string]any
	DeletionPolicy string
}

// synthesised is a stack as CloudFormation gets it.
type synthesised struct {
	t         *testing.T
	resources map[string]resource
	nag       [][]string // rows of cdk-nag's report
}

// synth synthesises the stack that a configuration document asks for.
func synth(t *testing.T, document string, portable bool) synthesised {
	t.Helper()
	dir := t.TempDir()
	for _, name := range functionNames {
		if err := os.MkdirAll(filepath.Join(dir, "dist", name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "dist", name, "bootstrap"), []byte(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "config.json")
	if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: &out, AnalyticsReporting: jsii.Bool(false)})
	if _, err := stack.New(app, stack.Props{Config: c, Dist: filepath.Join(dir, "dist"), Portable: portable}); err != nil {
		t.Fatal(err)
	}
	app.Synth(nil)

	s := synthesised{t: t}
	data, err := os.ReadFile(filepath.Join(out, "Downbeat.template.json"))
	if err != nil {
		t.Fatal(err)
	}
	var template struct{ Resources map[string]resource }
	if err := json.Unmarshal(data, &template); err != nil {
		t.Fatal(err)
	}
	s.resources = template.Resources
	reports, err := filepath.Glob(filepath.Join(out, "AwsSolutions-*.csv"))
	if err != nil || len(reports) != 1 {
		t.Fatalf("reports of cdk-nag: %v, %v", reports, err)
	}
	f, err := os.Open(reports[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if s.nag, err = csv.NewReader(f).ReadAll(); err != nil {
		t.Fatal(err)
	}
	return s
}

// of lists the logical ids of a type, sorted.
func (s synthesised) of(typ string) []string {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(s.resources)) {
		if s.resources[id].Type == typ {
			ids = append(ids, id)
		}
	}
	return ids
}

var hashOfID = regexp.MustCompile(`[0-9A-F]{8}$`)

// name is a logical id without the hash that the CDK appends.
func name(id string) string { return hashOfID.ReplaceAllString(id, "") }

// text renders a value of the template with its references resolved to names: ${Queuesadvance}/index/due.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		if ref, ok := v["Ref"].(string); ok {
			return "${" + name(ref) + "}"
		}
		if get, ok := v["Fn::GetAtt"].([]any); ok {
			return "${" + name(get[0].(string)) + "}"
		}
		if join, ok := v["Fn::Join"].([]any); ok {
			var parts []string
			for _, p := range join[1].([]any) {
				parts = append(parts, text(p))
			}
			return strings.Join(parts, join[0].(string))
		}
	}
	data, _ := json.Marshal(v)
	return string(data)
}

// texts renders a value that may be one or a list.
func texts(v any) []string {
	list, ok := v.([]any)
	if !ok {
		return []string{text(v)}
	}
	var out []string
	for _, e := range list {
		out = append(out, text(e))
	}
	return out
}

// rights lists what a function's role allows, one "action resource" a line, sorted.
func (s synthesised) rights(function string) []string {
	var out []string
	for _, id := range s.of("AWS::IAM::Policy") {
		roles := texts(s.resources[id].Properties["Roles"])
		if !slices.Equal(roles, []string{"${Functions" + function + "role}"}) {
			continue
		}
		document := s.resources[id].Properties["PolicyDocument"].(map[string]any)
		for _, st := range document["Statement"].([]any) {
			statement := st.(map[string]any)
			if statement["Effect"] != "Allow" || statement["NotAction"] != nil || statement["NotResource"] != nil {
				s.t.Errorf("%s: a statement of another form: %v", function, statement)
			}
			for _, action := range texts(statement["Action"]) {
				for _, on := range texts(statement["Resource"]) {
					out = append(out, action+" "+on)
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// expand writes a compact table of rights as the lines that rights gives.
func expand(lines ...string) []string {
	var out []string
	for _, line := range lines {
		actions, on, _ := strings.Cut(line, " ")
		service, names, _ := strings.Cut(actions, ":")
		for _, action := range strings.Split(names, ",") {
			out = append(out, service+":"+action+" "+on)
		}
	}
	slices.Sort(out)
	return out
}

// TestWhoMayTouchWhat reads the synthesised policies: each function's rights are these and nothing else.
func TestWhoMayTouchWhat(t *testing.T) {
	const (
		items    = "dynamodb:GetItem,BatchGetItem,Query,PutItem,DeleteItem,BatchWriteItem,ConditionCheckItem ${StoreTable}"
		due      = "dynamodb:Query ${StoreTable}/index/due"
		bodies   = "s3:GetObject,PutObject ${StoreBodies}/*"
		absent   = "s3:ListBucket ${StoreBodies}"
		erase    = "s3:DeleteObject ${StoreBodies}/*"
		consume  = "sqs:ReceiveMessage,DeleteMessage,GetQueueAttributes,ChangeMessageVisibility "
		advance  = "sqs:SendMessage ${Queuesadvance}"
		execute  = "sqs:SendMessage ${Queuesexecute}"
		complete = "sqs:SendMessage ${Queuescomplete}"
		trigger  = "sqs:SendMessage ${Queuestrigger}"
		bus      = "events:PutEvents ${Bus}"
		topic    = "sns:Publish arn:aws:sns:eu-west-1:123456789012:status"
	)
	logs := func(function string) string {
		return "logs:CreateLogStream,PutLogEvents ${Functions" + function + "logs}"
	}
	base := map[string][]string{
		"api":      {logs("api"), items, bodies, absent, erase, advance, execute},
		"trigger":  {logs("trigger"), items, bodies, absent, consume + "${Queuestrigger}", advance, execute, trigger},
		"advance":  {logs("advance"), items, bodies, absent, erase, consume + "${Queuesadvance}", advance, execute},
		"execute":  {logs("execute"), items, bodies, absent, consume + "${Queuesexecute}", advance, execute, complete},
		"complete": {logs("complete"), items, bodies, absent, consume + "${Queuescomplete}", advance, execute, complete},
		"sweep":    {logs("sweep"), due, advance},
	}
	check := func(t *testing.T, s synthesised, more ...string) {
		for _, function := range functionNames {
			want := base[function]
			if function != "sweep" {
				want = append(slices.Clone(want), more...)
			}
			if got := s.rights(function); !slices.Equal(got, expand(want...)) {
				t.Errorf("%s may\n  %s\nwant\n  %s", function, strings.Join(got, "\n  "), strings.Join(expand(want...), "\n  "))
			}
		}
		for _, id := range s.of("AWS::IAM::Role") {
			p := s.resources[id].Properties
			if p["ManagedPolicyArns"] != nil || p["Policies"] != nil {
				t.Errorf("%s has rights outside its policy", id)
			}
			principal := p["AssumeRolePolicyDocument"].(map[string]any)["Statement"].([]any)[0].(map[string]any)["Principal"]
			if got := fmt.Sprint(principal); got != "map[Service:lambda.amazonaws.com]" {
				t.Errorf("%s may be assumed by %s", id, got)
			}
		}
		if n := len(s.of("AWS::IAM::Role")); n != len(functionNames) {
			t.Errorf("%d roles for %d functions", n, len(functionNames))
		}
	}
	t.Run("nothing published", func(t *testing.T) { check(t, synth(t, `{}`, false)) })
	t.Run("bus and topic", func(t *testing.T) {
		check(t, synth(t, `{"events":{"bus":true,"topicArn":"arn:aws:sns:eu-west-1:123456789012:status"}}`, false), bus, topic)
	})
}

// TestFunctionsKnowWhatTheyMayUse compares rights and environment: a function has the address of a queue exactly when
// it may send to it, and the bus and topic exactly when it may publish there.
func TestFunctionsKnowWhatTheyMayUse(t *testing.T) {
	s := synth(t, `{"events":{"bus":true},"architecture":"x86_64"}`, false)
	for _, function := range functionNames {
		p := s.function(function)
		variables := p["Environment"].(map[string]any)["Variables"].(map[string]any)
		rights := strings.Join(s.rights(function), "\n") + "\n"
		for _, q := range queue.Names() {
			may := strings.Contains(rights, "sqs:SendMessage ${Queues"+string(q)+"}\n")
			if has := variables[env.QueueURL(q)] != nil; has != may {
				t.Errorf("%s: knows queue %s: %v, may send: %v", function, q, has, may)
			}
		}
		if has, may := variables[env.Bus] != nil, strings.Contains(rights, "events:PutEvents "); has != may {
			t.Errorf("%s: knows the bus: %v, may publish: %v", function, has, may)
		}
		read := func(n string) string { return text(orEmpty(variables[n])) }
		if _, err := env.Read(read); err != nil {
			t.Errorf("%s cannot read its environment: %v", function, err)
		}
		if got := fmt.Sprintf("%v %v %v %v", p["Architectures"], p["Runtime"], p["Handler"], p["RecursiveLoop"]); got != "[x86_64] provided.al2023 bootstrap Allow" {
			t.Errorf("%s: %s", function, got)
		}
	}
}

func orEmpty(v any) any {
	if v == nil {
		return ""
	}
	return v
}

// function gives the properties of a function by its short name.
func (s synthesised) function(function string) map[string]any {
	for _, id := range s.of("AWS::Lambda::Function") {
		if name(id) == "Functions"+function {
			return s.resources[id].Properties
		}
	}
	s.t.Fatalf("no function %s", function)
	return nil
}

// TestNothingIsLost checks what keeps state and messages: recovery, dead-letter queues, partial failures.
func TestNothingIsLost(t *testing.T) {
	s := synth(t, `{}`, false)
	tables := s.of("AWS::DynamoDB::Table")
	if len(tables) != 1 {
		t.Fatalf("%d tables", len(tables))
	}
	table := s.resources[tables[0]]
	if table.DeletionPolicy != "Retain" || table.Properties["DeletionProtectionEnabled"] != true {
		t.Error("the table does not outlive the stack")
	}
	if got := fmt.Sprint(table.Properties["PointInTimeRecoverySpecification"]); got != "map[PointInTimeRecoveryEnabled:true]" {
		t.Errorf("recovery: %s", got)
	}
	if got := fmt.Sprint(table.Properties["TimeToLiveSpecification"]); got != "map[AttributeName:x Enabled:true]" {
		t.Errorf("time to live: %s", got)
	}
	index, _ := json.Marshal(table.Properties["GlobalSecondaryIndexes"])
	if want := `[{"IndexName":"due","KeySchema":[{"AttributeName":"duep","KeyType":"HASH"},{"AttributeName":"due","KeyType":"RANGE"}],"Projection":{"ProjectionType":"KEYS_ONLY"}}]`; string(index) != want {
		t.Errorf("index %s", index)
	}
	if got := fmt.Sprint(table.Properties["AttributeDefinitions"]); got !=
		"[map[AttributeName:pk AttributeType:S] map[AttributeName:sk AttributeType:S] map[AttributeName:duep AttributeType:N] map[AttributeName:due AttributeType:N]]" {
		t.Errorf("attributes %s", got)
	}

	queues := map[string]map[string]any{}
	for _, id := range s.of("AWS::SQS::Queue") {
		queues[name(id)] = s.resources[id].Properties
	}
	if len(queues) != 2*len(queue.Names()) {
		t.Errorf("%d queues", len(queues))
	}
	for _, q := range queue.Names() {
		main, dead := queues["Queues"+string(q)], queues["Queues"+string(q)+"dead"]
		redrive, ok := main["RedrivePolicy"].(map[string]any)
		if !ok || text(redrive["deadLetterTargetArn"]) != "${Queues"+string(q)+"dead}" || redrive["maxReceiveCount"] != float64(queue.MaxReceives) {
			t.Errorf("%s: redrive %v", q, main["RedrivePolicy"])
		}
		if dead["MessageRetentionPeriod"] != 1209600.0 {
			t.Errorf("%s: dead letters are kept %v s", q, dead["MessageRetentionPeriod"])
		}
		timeout := s.function(string(q))["Timeout"].(float64)
		if main["VisibilityTimeout"].(float64) < 6*timeout {
			t.Errorf("%s: visibility %v s for a time-out of %v s", q, main["VisibilityTimeout"], timeout)
		}
	}
	sources := map[string]string{}
	for _, id := range s.of("AWS::Lambda::EventSourceMapping") {
		p := s.resources[id].Properties
		sources[text(p["EventSourceArn"])] = text(p["FunctionName"])
		if got := fmt.Sprint(p["FunctionResponseTypes"], p["ScalingConfig"], p["BatchSize"]); got != "[ReportBatchItemFailures] map[MaximumConcurrency:50] 10" {
			t.Errorf("%s: %s", id, got)
		}
	}
	for _, q := range queue.Names() {
		if sources["${Queues"+string(q)+"}"] != "${Functions"+string(q)+"}" {
			t.Errorf("sources %v", sources)
		}
	}
	if d := synth(t, `{"data":"destroy"}`, false); d.resources[d.of("AWS::DynamoDB::Table")[0]].DeletionPolicy != "Delete" {
		t.Error("data: destroy keeps the table")
	}
}

// TestFrontDoor checks who may call the REST API under each kind of authorisation, and how the caller is named.
func TestFrontDoor(t *testing.T) {
	for _, c := range []struct{ name, document, authorization, user string }{
		{"iam", `{}`, "AWS_IAM", "iam"},
		{"jwt", `{"authorization":{"type":"jwt","issuer":"https://id.example","audiences":["a"],"userClaim":"email"}}`, "JWT", "jwt:email"},
		{"none", `{"authorization":{"type":"none"}}`, "NONE", "header"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := synth(t, c.document, false)
			routes := s.of("AWS::ApiGatewayV2::Route")
			if len(routes) != 1 {
				t.Fatalf("routes %v", routes)
			}
			route := s.resources[routes[0]].Properties
			if route["RouteKey"] != "$default" || route["AuthorizationType"] != c.authorization {
				t.Errorf("route %v", route)
			}
			if got := s.function("api")["Environment"].(map[string]any)["Variables"].(map[string]any)[env.User]; got != c.user {
				t.Errorf("user %v", got)
			}
			stage := s.resources[s.of("AWS::ApiGatewayV2::Stage")[0]].Properties
			if stage["StageName"] != "$default" || stage["AccessLogSettings"] == nil {
				t.Errorf("stage %v", stage)
			}
			s.nagIsClean(t)
		})
	}
}

// nagIsClean fails on every finding of cdk-nag that is neither met nor suppressed with a reason, and on suppressions
// that this list does not have.
func (s synthesised) nagIsClean(t *testing.T) {
	t.Helper()
	suppressed := map[string]bool{}
	for _, row := range s.nag[1:] {
		rule, on, compliance, reason := row[0], row[1], row[2], row[3]
		switch compliance {
		case "Compliant", "N/A":
		case "Suppressed":
			suppressed[rule] = true
			if len(reason) < 40 {
				t.Errorf("%s on %s is suppressed for %q", rule, on, reason)
			}
		default:
			t.Errorf("%s on %s: %s", rule, on, compliance)
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(suppressed)) {
		if !slices.Contains([]string{"AwsSolutions-S1", "AwsSolutions-IAM5", "AwsSolutions-APIG4"}, rule) {
			t.Errorf("%s is suppressed", rule)
		}
	}
	if len(s.nag) < 50 {
		t.Errorf("cdk-nag looked at %d things only", len(s.nag))
	}
}

// TestEventsIn checks the rules that start workflows, and that nobody but those rules may send to the trigger queue.
func TestEventsIn(t *testing.T) {
	s := synth(t, `{"starts":[
		{"name":"csv","workflow":"demo.load","bucket":"incoming","prefix":"in/*","suffix":".csv","params":{"key":{"from":"detail.object.key"}}},
		{"name":"all","workflow":"demo.all","bucket":"incoming"},
		{"name":"order","workflow":"demo.order","version":"7","bus":"shop-bus","pattern":{"source":["shop"]},"params":{"p":{"value":"a<b>"}}}]}`, false)
	type target struct {
		Arn, DeadLetterConfig any
		InputTransformer      struct{ InputTemplate string }
	}
	got := map[string]string{}
	for _, id := range s.of("AWS::Events::Rule") {
		p := s.resources[id].Properties
		if p["ScheduleExpression"] != nil {
			if p["ScheduleExpression"] != "cron(* * * * ? *)" {
				t.Errorf("the sweep comes at %v", p["ScheduleExpression"])
			}
			continue
		}
		var targets []target
		data, _ := json.Marshal(p["Targets"])
		if err := json.Unmarshal(data, &targets); err != nil || len(targets) != 1 {
			t.Fatal(err, len(targets))
		}
		if text(targets[0].Arn) != "${Queuestrigger}" || text(targets[0].DeadLetterConfig.(map[string]any)["Arn"]) != "${Queuestriggerdead}" {
			t.Errorf("%s: targets %v", id, targets[0])
		}
		pattern, _ := json.Marshal(p["EventPattern"])
		got[name(id)] = fmt.Sprint(p["EventBusName"], " ", string(pattern), " ", targets[0].InputTransformer.InputTemplate)
	}
	want := map[string]string{
		"Eventscsv": `<nil> {"detail":{"bucket":{"name":["incoming"]},"object":{"key":[{"wildcard":"in/\\**.csv"}]}},"detail-type":["Object Created"],"source":["aws.s3"]} ` +
			`{"v":1,"mapping":{"name":"csv","workflow":"demo.load","version":"active","user":"downbeat","params":{"key":{"type":"STRING","from":"detail.object.key"}}},"event":<aws.events.event.json>}`,
		"Eventsall": `<nil> {"detail":{"bucket":{"name":["incoming"]}},"detail-type":["Object Created"],"source":["aws.s3"]} ` +
			`{"v":1,"mapping":{"name":"all","workflow":"demo.all","version":"active","user":"downbeat"},"event":<aws.events.event.json>}`,
		"Eventsorder": `shop-bus {"source":["shop"]} ` +
			`{"v":1,"mapping":{"name":"order","workflow":"demo.order","version":"7","user":"downbeat","params":{"p":{"type":"STRING","value":"a\u003cb\u003e"}}},"event":<aws.events.event.json>}`,
	}
	for _, id := range slices.Sorted(maps.Keys(want)) {
		if got[id] != want[id] {
			t.Errorf("%s:\n got %s\nwant %s", id, got[id], want[id])
		}
	}
	senders := 0
	for _, id := range s.of("AWS::SQS::QueuePolicy") {
		for _, st := range s.resources[id].Properties["PolicyDocument"].(map[string]any)["Statement"].([]any) {
			statement := st.(map[string]any)
			if statement["Effect"] != "Allow" {
				continue
			}
			senders++
			on := texts(s.resources[id].Properties["Queues"])
			arns := texts(statement["Condition"].(map[string]any)["ArnEquals"].(map[string]any)["aws:SourceArn"])
			if !strings.HasPrefix(on[0], "${Queuestrigger") || text(statement["Action"]) != "sqs:SendMessage" ||
				!slices.Equal(arns, []string{"${Eventscsv}", "${Eventsall}", "${Eventsorder}"}) {
				t.Errorf("%v may be sent to: %v", on, statement)
			}
		}
	}
	if senders != 2 {
		t.Errorf("%d queues may be sent to by rules, want the trigger queue and its dead-letter queue", senders)
	}
	s.nagIsClean(t)
}

func TestTooLargeMapping(t *testing.T) {
	c := config.Default()
	c.Starts = []config.Start{{Name: "a", Workflow: "w", Version: "active", Bucket: "bbb",
		Params: map[string]config.Param{"p": {Type: "STRING", Value: json.RawMessage(`"` + strings.Repeat("x", 9000) + `"`)}}}}
	out := t.TempDir()
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: &out, AnalyticsReporting: jsii.Bool(false)})
	_, err := stack.New(app, stack.Props{Config: c, Portable: true})
	if err == nil || !strings.Contains(err.Error(), "start a: params") {
		t.Errorf("got %v", err)
	}
}

// TestOperation checks logs and alarms.
func TestOperation(t *testing.T) {
	s := synth(t, `{"logRetentionDays":7,"alarms":{"topicArn":"arn:aws:sns:eu-west-1:123456789012:ops"}}`, false)
	if n := len(s.of("AWS::Logs::LogGroup")); n != 7 {
		t.Errorf("%d log groups, want one a function and one of the API", n)
	}
	for _, id := range s.of("AWS::Logs::LogGroup") {
		if s.resources[id].Properties["RetentionInDays"] != 7.0 {
			t.Errorf("%s keeps logs %v days", id, s.resources[id].Properties["RetentionInDays"])
		}
	}
	var alarms []string
	for _, id := range s.of("AWS::CloudWatch::Alarm") {
		p := s.resources[id].Properties
		alarms = append(alarms, name(id))
		if got := fmt.Sprint(p["AlarmActions"]); got != "[arn:aws:sns:eu-west-1:123456789012:ops]" {
			t.Errorf("%s tells %s", id, got)
		}
	}
	want := []string{"Alarmsadvancedead", "Alarmsapierrors", "Alarmscompletedead", "Alarmsexecutedead", "Alarmsparked", "Alarmssweepmissing", "Alarmstriggerdead"}
	if !slices.Equal(alarms, want) {
		t.Errorf("alarms %v", alarms)
	}
	if none := synth(t, `{"alarms":{"off":true}}`, false); len(none.of("AWS::CloudWatch::Alarm")) != 0 {
		t.Error("alarms that are off")
	}
}

// TestPortableTemplate checks that the release's template needs neither the CDK nor its bootstrap resources.
func TestPortableTemplate(t *testing.T) {
	s := synth(t, `{}`, true)
	for _, function := range functionNames {
		code := s.function(function)["Code"].(map[string]any)
		if text(code["S3Bucket"]) != "${CodeBucket}" || text(code["S3Key"]) != "${CodePrefix}"+function+".zip" {
			t.Errorf("%s: code %v", function, code)
		}
	}
	s.nagIsClean(t)
}
