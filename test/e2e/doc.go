// Package e2e holds the tests of the whole: the built program is started, called over HTTP, killed and started again,
// as a person would, and judged by nothing but its answers.
package e2e
