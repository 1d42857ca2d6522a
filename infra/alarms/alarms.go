// Package alarms declares the alarms that an operator wants to be woken by.
package alarms

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/functions/env"
	"github.com/downbeat/downbeat/infra/queues"
)

// Props of the alarms.
type Props struct {
	Queues map[queue.Name]queues.Pair
	Sweep  awslambda.Function
	API    awsapigatewayv2.HttpApi
	// StackName is the value of the dimension of the functions' own metrics.
	StackName string
	// TopicARN receives changes of the alarms' states; empty for none.
	TopicARN string
}

// New declares the alarms.
func New(scope constructs.Construct, id string, props Props) {
	s := constructs.NewConstruct(scope, &id)
	minutes := func(n float64) awscdk.Duration { return awscdk.Duration_Minutes(jsii.Number(n)) }
	alarm := func(name, text string, metric awscloudwatch.IMetric, threshold, periods float64,
		compare awscloudwatch.ComparisonOperator, missing awscloudwatch.TreatMissingData) {
		a := awscloudwatch.NewAlarm(s, jsii.String(name), &awscloudwatch.AlarmProps{
			AlarmDescription: jsii.String(text), Metric: metric, Threshold: jsii.Number(threshold),
			EvaluationPeriods: jsii.Number(periods), ComparisonOperator: compare, TreatMissingData: missing,
		})
		if props.TopicARN != "" {
			a.Node().DefaultChild().(awscloudwatch.CfnAlarm).SetAlarmActions(jsii.Strings(props.TopicARN))
		}
	}
	const above = awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD
	const quiet = awscloudwatch.TreatMissingData_NOT_BREACHING
	for _, name := range queue.Names() {
		alarm(string(name)+"-dead",
			fmt.Sprintf("Messages of the %s queue failed at every receive. Read them in the dead-letter queue, repair, redrive: a redrive is harmless.", name),
			props.Queues[name].Dead.MetricApproximateNumberOfMessagesVisible(&awscloudwatch.MetricOptions{
				Period: minutes(1), Statistic: jsii.String("Maximum"),
			}), 0, 1, above, quiet)
	}
	alarm("parked", "A stored head cannot be decoded and was parked. Its run stands still until it is repaired.",
		awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
			Namespace: jsii.String(env.MetricNamespace), MetricName: jsii.String(env.MetricParked), Period: minutes(5),
			Statistic: jsii.String("Sum"), DimensionsMap: &map[string]*string{env.MetricDimension: jsii.String(props.StackName)},
		}), 0, 1, above, quiet)
	alarm("sweep-missing", "The sweep did not run for five minutes: timers, timeouts and lost messages wait.",
		props.Sweep.MetricInvocations(&awscloudwatch.MetricOptions{Period: minutes(5), Statistic: jsii.String("Sum")}),
		1, 1, awscloudwatch.ComparisonOperator_LESS_THAN_THRESHOLD, awscloudwatch.TreatMissingData_BREACHING)
	alarm("api-errors", "The REST API answered with 5xx.",
		props.API.MetricServerError(&awscloudwatch.MetricOptions{Period: minutes(5), Statistic: jsii.String("Sum")}),
		0, 1, above, quiet)
}
