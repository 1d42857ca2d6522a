// Command downbeat is the one program that a person runs: a local server, and tools around workflow definitions.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
)

// version is set by the release build; otherwise the build's own record is told.
var version = ""

const usage = `downbeat runs Netflix Maestro workflows without servers.

Usage:

  downbeat local [flags]             serve the REST API and run workflows on this machine
  downbeat sel EXPRESSION [flags]    evaluate an expression of the language SEL
  downbeat parked [flags]            list what cannot be read in a data folder
  downbeat version                   print the version

Run "downbeat COMMAND --help" for the flags of a command.
`

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main with its surroundings as arguments; it returns the exit status: 0, 1 for a failure, 2 for a wrong call.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	switch args[0] {
	case "local":
		return runLocal(args[1:], stdout, stderr)
	case "sel":
		return runSEL(args[1:], stdin, stdout, stderr)
	case "parked":
		return runParked(args[1:], stdout, stderr)
	case "version", "--version", "-v":
		fmt.Fprintln(stdout, "downbeat "+versionText())
		return 0
	case "help", "--help", "-h":
		fmt.Fprint(stdout, usage)
		return 0
	}
	fmt.Fprintf(stderr, "downbeat: unknown command %q\n\n%s", args[0], usage)
	return 2
}

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
