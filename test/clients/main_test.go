package clients

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// suite is what the tests share: the program and the interpreter, each made once.
type suite struct {
	dir    string
	binary func() (string, error)
	python func() (string, error)
}

var the suite

func TestMain(m *testing.M) { os.Exit(runSuite(m)) }

func runSuite(m *testing.M) int {
	dir, err := os.MkdirTemp("", "coffer-clients-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	the = suite{dir: dir, binary: sync.OnceValues(build), python: sync.OnceValues(install)}
	return m.Run()
}

func build() (string, error) {
	file := filepath.Join(the.dir, "coffer")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", file, "../../cmd/coffer")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return file, nil
}

// errAbsent says that the Python peers cannot be had here.
var errAbsent = errors.New("the Python peers are not here")

// exitAbsent is how the script says so; every other end of it is a fault of ours.
const exitAbsent = 3

func install() (string, error) {
	cmd := exec.CommandContext(context.Background(), "../peers/python.sh")
	var why bytes.Buffer
	cmd.Stderr = &why
	out, err := cmd.Output()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == exitAbsent:
		return "", fmt.Errorf("%w: %s", errAbsent, bytes.TrimSpace(why.Bytes()))
	case err != nil:
		return "", fmt.Errorf("python.sh: %w: %s", err, why.Bytes())
	}
	return string(bytes.TrimSpace(out)), nil
}

// python gives the interpreter, or skips.
func python(t *testing.T) string {
	t.Helper()
	path, err := the.python()
	if errors.Is(err, errAbsent) {
		t.Skipf("SKIP: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// script runs a file of cases; each is a subtest. A script without any is a failure.
func script(t *testing.T, file string, env ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python(t), "-B", file)
	cmd.Env = append(plainEnv(), env...)
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.Output()
	cases := 0
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		var report struct{ Case, Why string }
		if err := json.Unmarshal(lines.Bytes(), &report); err != nil {
			t.Errorf("%s printed %q", file, lines.Text())
			continue
		}
		cases++
		t.Run(report.Case, func(t *testing.T) {
			if report.Why != "" {
				t.Error(report.Why)
			}
		})
	}
	if err != nil || cases == 0 {
		t.Errorf("%s: %d cases, then %v\n%s", file, cases, err, log.Bytes())
	}
}

// plainEnv is the environment without anything that configures Coffer or a client.
func plainEnv() []string {
	home, _ := os.UserHomeDir()
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + os.TempDir()}
}
