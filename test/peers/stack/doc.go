// Package stack tests the deployed stack: the synthesised template on an emulator that runs the built functions.
//
// test/peers/stack.sh deploys it and runs the tests; without its environment they are skipped. The emulator speaks TLS
// and enforces IAM, so what passes here passes with the rights of the functions' own roles.
package stack
