// Package sdk runs the Python client of Maestro's users, unchanged, against a server in one process.
//
// test/peers/sdk.sh installs the client and runs the test; without its environment the test is skipped.
package sdk
