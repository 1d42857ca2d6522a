// Package queues declares the message queues, each with its dead-letter queue.
package queues

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/downbeat/downbeat/core/queue"
)

// Props of the queues.
type Props struct {
	// VisibilitySeconds is how long a received message stays hidden: at least six times the time-out of the function
	// that the queue feeds, or a message that is still worked on is delivered again.
	VisibilitySeconds int
	// MaxReceives is after how many receives a message goes to the dead-letter queue.
	MaxReceives int
}

// Pair is a queue and its dead-letter queue.
type Pair struct {
	Main, Dead awssqs.Queue
}

// New declares one pair for each name of the queue port.
func New(scope constructs.Construct, id string, props Props) map[queue.Name]Pair {
	s := constructs.NewConstruct(scope, &id)
	pairs := map[queue.Name]Pair{}
	for _, name := range queue.Names() {
		// 14 days is the longest that SQS offers: the time to notice, repair and redrive.
		dead := awssqs.NewQueue(s, jsii.String(string(name)+"-dead"), &awssqs.QueueProps{
			RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)),
			Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
			EnforceSSL:      jsii.Bool(true),
		})
		main := awssqs.NewQueue(s, jsii.String(string(name)), &awssqs.QueueProps{
			VisibilityTimeout: awscdk.Duration_Seconds(jsii.Number(props.VisibilitySeconds)),
			RetentionPeriod:   awscdk.Duration_Days(jsii.Number(14)),
			Encryption:        awssqs.QueueEncryption_SQS_MANAGED,
			EnforceSSL:        jsii.Bool(true),
			DeadLetterQueue:   &awssqs.DeadLetterQueue{Queue: dead, MaxReceiveCount: jsii.Number(props.MaxReceives)},
		})
		pairs[name] = Pair{main, dead}
	}
	return pairs
}
