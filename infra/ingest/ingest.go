// Package ingest declares the EventBridge rules: events that start workflows, and the minute of the sweep.
package ingest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/downbeat/downbeat/functions/ingest"
	"github.com/downbeat/downbeat/infra/config"
	"github.com/downbeat/downbeat/infra/queues"
)

// Props of the rules.
type Props struct {
	Starts []config.Start
	// Queue is the trigger queue. What EventBridge cannot deliver to it goes to its dead-letter queue.
	Queue queues.Pair
	Sweep awslambda.Function
}

// New declares the rules.
func New(scope constructs.Construct, id string, props Props) error {
	s := constructs.NewConstruct(scope, &id)
	var arns []*string
	for _, start := range props.Starts {
		pattern, err := Pattern(start)
		if err != nil {
			return fmt.Errorf("start %s: %w", start.Name, err)
		}
		template, err := Template(start)
		if err != nil {
			return fmt.Errorf("start %s: %w", start.Name, err)
		}
		var bus *string
		if start.Bus != "" && start.Bus != "default" {
			bus = jsii.String(start.Bus)
		}
		rule := awsevents.NewCfnRule(s, jsii.String(start.Name), &awsevents.CfnRuleProps{
			Description:  jsii.String("Downbeat: starts " + start.Workflow),
			EventBusName: bus,
			EventPattern: pattern,
			State:        jsii.String("ENABLED"),
			Targets: &[]any{&awsevents.CfnRule_TargetProperty{
				Id:               jsii.String("trigger"),
				Arn:              props.Queue.Main.QueueArn(),
				InputTransformer: &awsevents.CfnRule_InputTransformerProperty{InputTemplate: jsii.String(template)},
				DeadLetterConfig: &awsevents.CfnRule_DeadLetterConfigProperty{Arn: props.Queue.Dead.QueueArn()},
			}},
		})
		arns = append(arns, rule.AttrArn())
	}
	if len(arns) > 0 {
		for _, q := range []interface {
			AddToResourcePolicy(awsiam.PolicyStatement) *awsiam.AddToResourcePolicyResult
		}{props.Queue.Main, props.Queue.Dead} {
			q.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
				Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil)},
				Actions:    jsii.Strings("sqs:SendMessage"),
				Resources:  jsii.Strings("*"), // in a queue's own policy: this queue
				Conditions: &map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": &arns}},
			}))
		}
	}

	// A cron expression fires at the full minute; a rate would fire at the second at which the rule was made, and the
	// sweep's minute is that of the event (P23).
	tick := awsevents.NewCfnRule(s, jsii.String("Minute"), &awsevents.CfnRuleProps{
		Description:        jsii.String("Downbeat: the sweep"),
		ScheduleExpression: jsii.String("cron(* * * * ? *)"),
		State:              jsii.String("ENABLED"),
		Targets: &[]any{&awsevents.CfnRule_TargetProperty{
			Id:  jsii.String("sweep"),
			Arn: props.Sweep.FunctionArn(),
			// The next minute's sweep finds what this one missed.
			RetryPolicy: &awsevents.CfnRule_RetryPolicyProperty{
				MaximumEventAgeInSeconds: jsii.Number(60), MaximumRetryAttempts: jsii.Number(2),
			},
		}},
	})
	props.Sweep.AddPermission(jsii.String("Minute"), &awslambda.Permission{
		Principal: awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil),
		SourceArn: tick.AttrArn(),
	})
	props.Sweep.ConfigureAsyncInvoke(&awslambda.EventInvokeConfigOptions{
		MaxEventAge: awscdk.Duration_Seconds(jsii.Number(60)), RetryAttempts: jsii.Number(1),
	})
	return nil
}

// Pattern is the event pattern of a start.
func Pattern(start config.Start) (map[string]any, error) {
	if start.Bucket == "" {
		var p map[string]any
		if err := json.Unmarshal(start.Pattern, &p); err != nil {
			return nil, fmt.Errorf("pattern: %w", err)
		}
		return p, nil
	}
	detail := map[string]any{"bucket": map[string]any{"name": []any{start.Bucket}}}
	var key map[string]any
	switch {
	case start.Prefix != "" && start.Suffix != "":
		// Elements of one list are alternatives, so both at once need a wildcard.
		escape := strings.NewReplacer(`\`, `\\`, `*`, `\*`)
		key = map[string]any{"wildcard": escape.Replace(start.Prefix) + "*" + escape.Replace(start.Suffix)}
	case start.Prefix != "":
		key = map[string]any{"prefix": start.Prefix}
	case start.Suffix != "":
		key = map[string]any{"suffix": start.Suffix}
	}
	if key != nil {
		detail["object"] = map[string]any{"key": []any{key}}
	}
	return map[string]any{"source": []any{"aws.s3"}, "detail-type": []any{"Object Created"}, "detail": detail}, nil
}

// Template is the message that EventBridge sends to the trigger queue for an event: the start, and the event as it is.
func Template(start config.Start) (string, error) {
	m := ingest.Mapping{
		Name: start.Name, Workflow: start.Workflow, Version: start.Version, User: start.User, Params: map[string]ingest.Param{},
	}
	for name, p := range start.Params {
		m.Params[name] = ingest.Param{Type: p.Type, Value: p.Value, From: p.From}
	}
	// encoding/json writes < and > as escapes, so nothing in the configuration can look like a placeholder.
	data, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("params: %w", err)
	}
	const limit = 8192 // EventBridge, "InputTemplate": maximum length
	t := fmt.Sprintf(`{"v":%d,"mapping":%s,"event":<aws.events.event.json>}`, ingest.Format, data)
	if len(t) > limit {
		return "", fmt.Errorf("params: the input template has %d characters, EventBridge allows %d", len(t), limit)
	}
	return t, nil
}
