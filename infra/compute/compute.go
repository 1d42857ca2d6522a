// Package compute declares the six functions, each with a role of its own that allows what Functions lists.
package compute

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/functions/env"
	"github.com/downbeat/downbeat/infra/config"
	"github.com/downbeat/downbeat/infra/queues"
	"github.com/downbeat/downbeat/infra/store"
)

// Props of the functions.
type Props struct {
	Config config.Config
	Store  store.Store
	Queues map[queue.Name]queues.Pair
	// Bus receives status events; nil when none are published there.
	Bus  awsevents.EventBus
	Code Code
}

// Code is where the functions' code comes from: the folder Dist, which holds <function>/bootstrap, or, when Bucket is
// set, objects <KeyPrefix><function>.zip of a bucket that the person who deploys filled.
type Code struct {
	Dist      string
	Bucket    awss3.IBucket
	KeyPrefix *string
}

func (c Code) of(function string) awslambda.Code {
	if c.Bucket != nil {
		key := awscdk.Fn_Join(jsii.String(""), &[]*string{c.KeyPrefix, jsii.String(function + ".zip")})
		return awslambda.Code_FromBucket(c.Bucket, key, nil)
	}
	return awslambda.Code_FromAsset(jsii.String(filepath.Join(c.Dist, function)), nil)
}

// New declares the functions and what feeds them from queues.
func New(scope constructs.Construct, id string, props Props) map[string]awslambda.Function {
	s := constructs.NewConstruct(scope, &id)
	functions := map[string]awslambda.Function{}
	for _, access := range Functions() {
		functions[access.Function] = one(s, access, props)
	}
	return functions
}

func one(s constructs.Construct, access Access, props Props) awslambda.Function {
	name := access.Function
	c := props.Config
	logs := awslogs.NewLogGroup(s, jsii.String(name+"-logs"), &awslogs.LogGroupProps{
		Retention:     awslogs.RetentionDays_INFINITE, // replaced below: the enumeration has names, not numbers
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
	logs.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(jsii.Number(c.LogRetentionDays))

	// A role of its own, since the one that CDK would make carries a managed policy that allows every log group.
	role := awsiam.NewRole(s, jsii.String(name+"-role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})
	variables := map[string]*string{
		env.Table:       props.Store.Table.TableName(),
		env.Bucket:      props.Store.Bucket.BucketName(),
		env.Cluster:     jsii.String(c.Cluster),
		env.Environment: jsii.String(c.Environment),
		env.LogLevel:    jsii.String(c.LogLevel),
		env.Metrics:     jsii.String(c.Metrics),
		env.Stack:       jsii.String(c.StackName),
		// Twice the time-out: whoever claimed is surely gone, and a repeated delivery, which comes after six times the
		// time-out, finds the claim expired.
		env.ClaimTimeout: jsii.String(strconv.Itoa(2 * c.Functions.TimeoutSeconds)),
	}
	for _, to := range access.Sends {
		variables[env.QueueURL(to)] = props.Queues[to].Main.QueueUrl()
	}
	if access.Publishes && props.Bus != nil {
		variables[env.Bus] = props.Bus.EventBusName()
	}
	if access.Publishes && c.Events.TopicARN != "" {
		variables[env.Topic] = jsii.String(c.Events.TopicARN)
	}
	if len(c.HTTPAllow) > 0 {
		variables[env.HTTPAllow] = jsii.String(strings.Join(c.HTTPAllow, ","))
	}
	timeout := c.Functions.TimeoutSeconds
	if name == "api" {
		timeout = c.Functions.APITimeoutSeconds
		variables[env.User] = jsii.String(userOf(c.Authorization))
	}
	architecture := awslambda.Architecture_ARM_64()
	if c.Architecture == "x86_64" {
		architecture = awslambda.Architecture_X86_64()
	}
	systemLogs := awslambda.SystemLogLevel_WARN
	if c.PlatformLogs {
		systemLogs = awslambda.SystemLogLevel_INFO
	}
	// Lambda takes lines without a level, which those of the metrics are, for INFO: the function filters, not Lambda.
	applicationLogs := awslambda.ApplicationLogLevel_INFO
	if c.LogLevel == "DEBUG" {
		applicationLogs = awslambda.ApplicationLogLevel_DEBUG
	}
	fn := awslambda.NewFunction(s, jsii.String(name), &awslambda.FunctionProps{
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Architecture: architecture,
		Handler:      jsii.String("bootstrap"),
		Code:         props.Code.of(name),
		Description:  jsii.String("Downbeat: " + name),
		Timeout:      awscdk.Duration_Seconds(jsii.Number(timeout)),
		MemorySize:   jsii.Number(c.Functions.MemoryMB),
		Environment:  &variables,
		Role:         role,
		LogGroup:     logs,

		LoggingFormat:         awslambda.LoggingFormat_JSON,
		SystemLogLevelV2:      systemLogs,
		ApplicationLogLevelV2: applicationLogs,
		// Runs go on by messages from functions to their own queues. Lambda would take a chain of 16 of them for a
		// runaway loop and drop the message.
		RecursiveLoop: awslambda.RecursiveLoop_ALLOW,
	})

	allow := func(actions []string, resources ...*string) {
		role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions: jsii.Strings(actions...), Resources: &resources,
		}))
	}
	allow([]string{"logs:CreateLogStream", "logs:PutLogEvents"}, logs.LogGroupArn())
	if access.Items {
		allow(tableActions, props.Store.Table.TableArn())
		allow([]string{"s3:GetObject", "s3:PutObject"}, join(props.Store.Bucket.BucketArn(), "/*"))
		// Without the right to list, S3 answers 403 in place of 404 for a body that is not there.
		allow([]string{"s3:ListBucket"}, props.Store.Bucket.BucketArn())
	}
	if access.Due {
		allow([]string{"dynamodb:Query"}, join(props.Store.Table.TableArn(), "/index/"+store.DueIndex))
	}
	if access.Deletes {
		allow([]string{"s3:DeleteObject"}, join(props.Store.Bucket.BucketArn(), "/*"))
	}
	var targets []*string
	for _, to := range access.Sends {
		targets = append(targets, props.Queues[to].Main.QueueArn())
	}
	allow([]string{"sqs:SendMessage"}, targets...)
	if access.Publishes && props.Bus != nil {
		allow([]string{"events:PutEvents"}, props.Bus.EventBusArn())
	}
	if access.Publishes && c.Events.TopicARN != "" {
		allow([]string{"sns:Publish"}, jsii.String(c.Events.TopicARN))
	}
	if access.Consumes != "" {
		source := props.Queues[access.Consumes].Main
		// The first three are the mapping's; the function has unreadable messages come again soon.
		allow([]string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"}, source.QueueArn())
		awslambda.NewEventSourceMapping(s, jsii.String(name+"-source"), &awslambda.EventSourceMappingProps{
			Target:                  fn,
			EventSourceArn:          source.QueueArn(),
			BatchSize:               jsii.Number(c.Queues.BatchSize),
			MaxConcurrency:          jsii.Number(c.Queues.MaxConcurrency),
			ReportBatchItemFailures: jsii.Bool(true),
		}).Node().AddDependency(role)
	}
	cdknag.NagSuppressions_AddResourceSuppressions(role, &[]*cdknag.NagPackSuppression{{
		Id: jsii.String("AwsSolutions-IAM5"),
		Reason: jsii.String("Bodies are stored under keys made of content hashes, which no policy can list: the wildcard is the " +
			"object keys of the stack's own bucket."),
		AppliesTo: &[]any{map[string]any{"regex": "/^Resource::<StoreBodies[A-Z0-9]+\\.Arn>\\/\\*$/"}},
	}}, jsii.Bool(true))
	return fn
}

// userOf is the value of env.User for a kind of authorisation.
func userOf(a config.Authorization) string {
	switch a.Type {
	case "none":
		return env.UserHeader
	case "jwt":
		return env.UserJWTPrefix + a.UserClaim
	}
	return env.UserIAM
}

func join(arn *string, rest string) *string {
	return awscdk.Fn_Join(jsii.String(""), &[]*string{arn, jsii.String(rest)})
}
