// Package stack composes Downbeat's constructs into the one stack.
package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/infra/alarms"
	"github.com/downbeat/downbeat/infra/compute"
	"github.com/downbeat/downbeat/infra/config"
	"github.com/downbeat/downbeat/infra/frontdoor"
	"github.com/downbeat/downbeat/infra/ingest"
	"github.com/downbeat/downbeat/infra/queues"
	"github.com/downbeat/downbeat/infra/store"
)

// Props of the stack.
type Props struct {
	Config config.Config
	// Dist is the folder with the built functions, <function>/bootstrap each.
	Dist string
	// Portable makes a template that needs neither the CDK nor its bootstrap resources: the code is taken from a
	// bucket that two parameters name.
	Portable bool
}

// New declares the stack.
func New(scope constructs.Construct, props Props) (awscdk.Stack, error) {
	c := props.Config
	stackProps := &awscdk.StackProps{
		StackName:   jsii.String(c.StackName),
		Description: jsii.String("Downbeat: Maestro workflows on Lambda, DynamoDB and SQS"),
	}
	if props.Portable {
		stackProps.Synthesizer = awscdk.NewBootstraplessSynthesizer(nil)
	}
	s := awscdk.NewStack(scope, jsii.String("Downbeat"), stackProps)
	code := compute.Code{Dist: props.Dist}
	if props.Portable {
		bucket := awscdk.NewCfnParameter(s, jsii.String("CodeBucket"), &awscdk.CfnParameterProps{
			Type: jsii.String("String"), Description: jsii.String("Bucket, in the stack's region, that holds the functions' zip files"),
		})
		prefix := awscdk.NewCfnParameter(s, jsii.String("CodePrefix"), &awscdk.CfnParameterProps{
			Type: jsii.String("String"), Default: jsii.String(""), Description: jsii.String("What the zip files' keys start with, such as downbeat/v1/"),
		})
		code = compute.Code{
			Bucket:    awss3.Bucket_FromBucketName(s, jsii.String("Code"), bucket.ValueAsString()),
			KeyPrefix: prefix.ValueAsString(),
		}
	}

	data := store.New(s, "Store", store.Props{Retain: c.Data == "retain"})
	pairs := queues.New(s, "Queues", queues.Props{VisibilitySeconds: c.VisibilitySeconds(), MaxReceives: c.Queues.MaxReceives})
	var bus awsevents.EventBus
	if c.Events.Bus {
		bus = awsevents.NewEventBus(s, jsii.String("Bus"), &awsevents.EventBusProps{
			EventBusName: awscdk.Fn_Join(jsii.String("-"), &[]*string{jsii.String(c.StackName), jsii.String("events")}),
			Description:  jsii.String("Downbeat: status events of workflows, runs and steps"),
		})
	}
	functions := compute.New(s, "Functions", compute.Props{Config: c, Store: data, Queues: pairs, Bus: bus, Code: code})
	api := frontdoor.New(s, "Api", frontdoor.Props{Config: c, Handler: functions["api"]})
	err := ingest.New(s, "Events", ingest.Props{Starts: c.Starts, Queue: pairs[queue.Trigger], Sweep: functions["sweep"]})
	if err != nil {
		return nil, err
	}
	if !c.Alarms.Off {
		alarms.New(s, "Alarms", alarms.Props{
			Queues: pairs, Sweep: functions["sweep"], API: api, StackName: c.StackName, TopicARN: c.Alarms.TopicARN,
		})
	}

	output := func(name, text string, value *string) {
		awscdk.NewCfnOutput(s, jsii.String(name), &awscdk.CfnOutputProps{Value: value, Description: jsii.String(text)})
	}
	output("ApiEndpoint", "Base URL of the REST API; paths start with /api/v3", api.ApiEndpoint())
	output("ApiId", "Id of the HTTP API", api.ApiId())
	output("TableName", "The one table", data.Table.TableName())
	output("BucketName", "Bodies that exceed an item", data.Bucket.BucketName())
	for _, name := range queue.Names() {
		output(string(name)+"QueueUrl", "The "+string(name)+" queue", pairs[name].Main.QueueUrl())
		output(string(name)+"DeadUrl", "Its dead-letter queue", pairs[name].Dead.QueueUrl())
	}
	for _, access := range compute.Functions() {
		output(access.Function+"Function", "The "+access.Function+" function", functions[access.Function].FunctionName())
	}
	if bus != nil {
		output("BusName", "Where status events are published", bus.EventBusName())
	}

	awscdk.Aspects_Of(s).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{Verbose: jsii.Bool(true)}), nil)
	return s, nil
}
