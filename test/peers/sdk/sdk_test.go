package sdk

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/downbeat/downbeat/localstack"
)

// pythonVariable names the interpreter that has the client.
const pythonVariable = "DOWNBEAT_SDK_PYTHON"

func TestPythonClient(t *testing.T) {
	python := os.Getenv(pythonVariable)
	if python == "" {
		t.Skipf("SKIPPED: the Python client is not run: %s is not set; `make sdk` installs it and sets it", pythonVariable)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	server, err := localstack.Start(ctx, localstack.Config{Addr: "127.0.0.1:0", Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()
	out, err := exec.CommandContext(ctx, python, "client.py", server.URL()).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	// A script that finds no tests succeeds too.
	if !strings.Contains(string(out), "\nOK") || strings.Contains(string(out), "Ran 0 tests") {
		t.Error("the client's tests did not run")
	}
}
