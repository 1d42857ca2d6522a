// The CDK app. It synthesises the stack that a configuration document asks for.
//
//	infra [-config FILE] [-architecture ARCH] [-dist FOLDER] [-portable] [-out FOLDER]
//
// The CDK CLI runs it through cdk.json and passes what is chosen as context: cdk deploy -c config=FILE -c architecture=ARCH.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/downbeat/downbeat/infra/config"
	"github.com/downbeat/downbeat/infra/stack"
)

func main() {
	defer jsii.Close()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "infra:", err)
		jsii.Close()
		os.Exit(1)
	}
}

func run() error {
	file := flag.String("config", "", "configuration document; default: the context value `config`, else the defaults")
	dist := flag.String("dist", "../dist", "folder with the built functions")
	portable := flag.Bool("portable", false, "make a template that needs no CDK to deploy")
	out := flag.String("out", "", "folder for the assembly; default: where the CDK CLI asks for it, else cdk.out")
	architecture := flag.String("architecture", "", "overrides the configuration's; default: the context value `architecture`")
	flag.Parse()

	appProps := &awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)}
	if *out != "" {
		appProps.Outdir = out
	}
	app := awscdk.NewApp(appProps)
	fromContext := func(v *string, name string) {
		if c, ok := app.Node().TryGetContext(jsii.String(name)).(string); ok && *v == "" {
			*v = c
		}
	}
	fromContext(file, "config")
	fromContext(architecture, "architecture")
	c, err := config.Load(*file)
	if err != nil {
		return err
	}
	if *architecture != "" {
		c.Architecture = *architecture
		if err := c.Validate(); err != nil {
			return fmt.Errorf("architecture: %w", err)
		}
	}
	if _, err := stack.New(app, stack.Props{Config: c, Dist: *dist, Portable: *portable}); err != nil {
		return err
	}
	app.Synth(nil)
	return nil
}
