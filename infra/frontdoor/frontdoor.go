// Package frontdoor declares the HTTP API in front of the api function.
package frontdoor

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2authorizers"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2integrations"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
	"github.com/downbeat/downbeat/infra/config"
)

// Props of the front door.
type Props struct {
	Config  config.Config
	Handler awslambda.Function
}

// accessLog is what an entry of the access log says. No header is in it: some carry secrets.
const accessLog = `{"time":"$context.requestTimeEpoch","id":"$context.requestId","ip":"$context.identity.sourceIp",` +
	`"method":"$context.httpMethod","path":"$context.path","status":"$context.status","bytes":"$context.responseLength",` +
	`"ms":"$context.responseLatency","error":"$context.integrationErrorMessage"}`

// New declares the API: every path goes to the handler, which answers 404 itself. The stage has no prefix, because
// Maestro's clients drop the path of their base URL.
func New(scope constructs.Construct, id string, props Props) awsapigatewayv2.HttpApi {
	s := constructs.NewConstruct(scope, &id)
	c := props.Config
	var authorizer awsapigatewayv2.IHttpRouteAuthorizer
	switch c.Authorization.Type {
	case "jwt":
		authorizer = awsapigatewayv2authorizers.NewHttpJwtAuthorizer(jsii.String("Jwt"), jsii.String(c.Authorization.Issuer),
			&awsapigatewayv2authorizers.HttpJwtAuthorizerProps{JwtAudience: jsii.Strings(c.Authorization.Audiences...)})
	case "none":
		authorizer = awsapigatewayv2.NewHttpNoneAuthorizer()
	default:
		authorizer = awsapigatewayv2authorizers.NewHttpIamAuthorizer()
	}
	api := awsapigatewayv2.NewHttpApi(s, jsii.String("Http"), &awsapigatewayv2.HttpApiProps{
		Description:        jsii.String("Downbeat: Maestro's REST API under /api/v3"),
		CreateDefaultStage: jsii.Bool(false),
		DefaultAuthorizer:  authorizer,
		DefaultIntegration: awsapigatewayv2integrations.NewHttpLambdaIntegration(jsii.String("Handler"), props.Handler, nil),
	})
	logs := awslogs.NewLogGroup(s, jsii.String("Access"), &awslogs.LogGroupProps{RemovalPolicy: awscdk.RemovalPolicy_DESTROY})
	logs.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(jsii.Number(c.LogRetentionDays))
	stage := awsapigatewayv2.NewHttpStage(s, jsii.String("Stage"), &awsapigatewayv2.HttpStageProps{
		HttpApi:    api,
		StageName:  jsii.String("$default"),
		AutoDeploy: jsii.Bool(true),
		Throttle: &awsapigatewayv2.ThrottleSettings{
			RateLimit: jsii.Number(c.Throttle.RatePerSecond), BurstLimit: jsii.Number(c.Throttle.Burst),
		},
	})
	// The settings of the construct are an interface that Go cannot implement.
	stage.Node().DefaultChild().(awsapigatewayv2.CfnStage).SetAccessLogSettings(&awsapigatewayv2.CfnStage_AccessLogSettingsProperty{
		DestinationArn: logs.LogGroupArn(), Format: jsii.String(accessLog),
	})
	if c.Authorization.Type == "none" {
		cdknag.NagSuppressions_AddResourceSuppressions(api, &[]*cdknag.NagPackSuppression{{
			Id:     jsii.String("AwsSolutions-APIG4"),
			Reason: jsii.String("Authorisation was switched off by configuration, for an emulator or a closed network."),
		}}, jsii.Bool(true))
	}
	return api
}
