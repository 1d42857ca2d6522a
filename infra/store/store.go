// Package store is the stateful part of the stack: the one table, and the bucket for bodies that exceed an item.
package store

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

// DueIndex is the name of the sparse index on the due time.
const DueIndex = "due"

// Props of a Store.
type Props struct {
	// Retain keeps table and bucket when the stack is deleted, and refuses to delete the table.
	Retain bool
}

// Store is what keeps state.
type Store struct {
	Table  awsdynamodb.Table
	Bucket awss3.Bucket
}

// New declares the table and the bucket.
func New(scope constructs.Construct, id string, props Props) Store {
	s := constructs.NewConstruct(scope, &id)
	removal := awscdk.RemovalPolicy_DESTROY
	if props.Retain {
		removal = awscdk.RemovalPolicy_RETAIN
	}
	table := awsdynamodb.NewTable(s, jsii.String("Table"), &awsdynamodb.TableProps{
		PartitionKey:        &awsdynamodb.Attribute{Name: jsii.String("pk"), Type: awsdynamodb.AttributeType_STRING},
		SortKey:             &awsdynamodb.Attribute{Name: jsii.String("sk"), Type: awsdynamodb.AttributeType_STRING},
		BillingMode:         awsdynamodb.BillingMode_PAY_PER_REQUEST,
		TimeToLiveAttribute: jsii.String("x"),
		PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{
			PointInTimeRecoveryEnabled: jsii.Bool(true),
		},
		DeletionProtection: jsii.Bool(props.Retain),
		RemovalPolicy:      removal,
	})
	// Only heads that are not at rest have the index's attributes, so the index holds what is in flight, not history.
	table.AddGlobalSecondaryIndex(&awsdynamodb.GlobalSecondaryIndexProps{
		IndexName:      jsii.String(DueIndex),
		PartitionKey:   &awsdynamodb.Attribute{Name: jsii.String("duep"), Type: awsdynamodb.AttributeType_NUMBER},
		SortKey:        &awsdynamodb.Attribute{Name: jsii.String("due"), Type: awsdynamodb.AttributeType_NUMBER},
		ProjectionType: awsdynamodb.ProjectionType_KEYS_ONLY,
	})
	bucket := awss3.NewBucket(s, jsii.String("Bodies"), &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		EnforceSSL:        jsii.Bool(true),
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		RemovalPolicy:     removal,
		LifecycleRules: &[]*awss3.LifecycleRule{{
			AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(1)),
		}},
	})
	cdknag.NagSuppressions_AddResourceSuppressions(bucket, &[]*cdknag.NagPackSuppression{{
		Id: jsii.String("AwsSolutions-S1"),
		Reason: jsii.String("The bucket is read and written by the functions of this stack alone. Access logs would need a " +
			"second bucket that costs more than this one; CloudTrail data events serve whoever needs an audit."),
	}}, nil)
	return Store{table, bucket}
}
