package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"
)

// built is the program under test, built once for all tests of the package.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "downbeat-e2e-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "downbeat")
	out, err := exec.Command("go", "build", "-o", path, "github.com/downbeat/downbeat/cmd/downbeat").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := built(); err == nil && path != "" {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// process is a running `downbeat local`.
type process struct {
	url  string
	cmd  *exec.Cmd
	out  *transcript
	done chan struct{} // closed when all output was read
}

// transcript keeps what a process prints.
type transcript struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}

var serves = regexp.MustCompile(`serves (http://[^ ]+)/api/v3`)

// startProcess starts the program on a free port and waits until it says where it serves. The test's end kills it.
func startProcess(ctx context.Context, t *testing.T, args ...string) (*process, error) {
	path, err := built()
	if err != nil {
		return nil, err
	}
	p := &process{out: &transcript{}, done: make(chan struct{})}
	p.cmd = exec.CommandContext(ctx, path, append([]string{"local", "--addr", "127.0.0.1:0"}, args...)...)
	p.cmd.Stderr = p.out
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	t.Cleanup(p.kill)
	url := make(chan string, 1)
	go func() {
		defer close(p.done)
		lines := bufio.NewReader(stdout)
		for {
			line, err := lines.ReadString('\n')
			p.out.Write([]byte(line))
			if m := serves.FindStringSubmatch(line); m != nil {
				url <- m[1]
			}
			if err != nil {
				if err != io.EOF {
					fmt.Fprintf(p.out, "(output unreadable: %v)\n", err)
				}
				return
			}
		}
	}()
	select {
	case p.url = <-url:
		return p, nil
	case <-p.done:
		p.kill()
		return nil, fmt.Errorf("ended before it served:\n%s", p.out)
	case <-time.After(20 * time.Second):
		p.kill()
		return nil, fmt.Errorf("does not serve:\n%s", p.out)
	}
}

// kill ends the process as kill -9 does, and waits until it is gone. Only the first call does anything.
func (p *process) kill() {
	if p.cmd.ProcessState != nil {
		return
	}
	_ = p.cmd.Process.Kill() // gone already is as good
	<-p.done
	_ = p.cmd.Wait() // says that it was killed
}
