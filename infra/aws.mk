# The AWS half of the Makefile.

ARCH ?= arm64

## build: the six functions, dist/<name>/bootstrap (ARCH=arm64 or x86_64)
build:
	infra/scripts/build.sh $(ARCH)

## synth: the CloudFormation template, checked by cdk-nag and cfn-lint (CONFIG=FILE)
synth:
	infra/scripts/synth.sh $(CONFIG)

## infra-test: who may touch what, read from the synthesised template
infra-test:
	cd infra && $(GO) vet ./... && $(GO) test ./...

## peers: the AWS adapters and the deployed stack on servers that nobody here wrote
peers: peers-adapters peers-stack

## peers-stack: the stack on MiniStack, with functions that are killed (DOWNBEAT_PEERS_RUNS=200 runs)
peers-stack:
	test/peers/stack.sh -v

## peers-conformance: the recorded scenarios against the deployed stack on MiniStack
peers-conformance:
	test/peers/conformance.sh

## deploy-local: the stack on an emulator of AWS on this machine, deployed by the CDK CLI
deploy-local:
	infra/scripts/ministack.sh start
	infra/scripts/ministack.sh deploy

## release: a template and zip files for people without the CDK, in dist/release
release:
	infra/scripts/release.sh $(ARCH) $(CONFIG)

.PHONY: build synth infra-test peers peers-stack peers-conformance deploy-local release
