package canonical

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/telemetry/logtest"
)

// suite is what all cases share: the program, and one server with authentication off.
type suite struct {
	binary string
	dir    string
	once   sync.Once
	shared *server
	names  atomic.Int64
}

var the suite

func TestMain(m *testing.M) { os.Exit(runSuite(m)) }

func runSuite(m *testing.M) int {
	dir, err := os.MkdirTemp("", "coffer-canonical-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	the.dir = dir
	the.binary = filepath.Join(dir, "coffer")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", the.binary, "../../cmd/coffer")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	code := m.Run()
	if the.shared != nil {
		if err := the.shared.close(); err != nil {
			fmt.Fprintln(os.Stderr, "FAIL: the shared server:", err)
			code = 1
		}
	}
	return code
}

// options say how a server is started.
type options struct {
	verb   string   // dev when empty
	env    []string // NAME=value
	config string   // text of the configuration file
	dir    string   // data directory; a new one when empty
	listen string   // a free loopback port when empty
	open   bool     // do not wait until it is ready
}

// server is one running program.
type server struct {
	url, dir string
	args     []string
	env      []string
	cmd      *exec.Cmd
	out, log *logtest.Log
	done     chan struct{}
	exit     error
	tokens   []string // that must appear in no file
	mu       sync.Mutex
}

// dev is the shared server: coffer dev as it comes, authentication off.
func dev(t testing.TB) *server {
	t.Helper()
	the.once.Do(func() {
		s := prepare(t, options{dir: filepath.Join(the.dir, "shared")})
		s.launch(t)
		s.ready(t)
		the.shared = s
	})
	if the.shared == nil {
		t.Fatal("the shared server did not start")
	}
	return the.shared
}

// start runs a server of the test's own; its end is checked with the test's.
func start(t testing.TB, o options) *server {
	t.Helper()
	s := prepare(t, o)
	s.launch(t)
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	if !o.open {
		s.ready(t)
	}
	return s
}

func prepare(t testing.TB, o options) *server {
	t.Helper()
	if o.verb == "" {
		o.verb = "dev"
	}
	if o.dir == "" {
		o.dir = filepath.Join(t.TempDir(), "data")
	}
	if o.listen == "" {
		o.listen = freePort(t)
	}
	s := &server{url: "http://" + o.listen, dir: o.dir}
	s.args = []string{o.verb}
	if o.verb == "dev" {
		s.args = append(s.args, "--listen", o.listen, "--data-dir", o.dir, "--kafka", "off")
	}
	if o.config != "" {
		file := filepath.Join(t.TempDir(), "coffer.yaml")
		write(t, file, o.config)
		s.args = append(s.args, "--config", file)
	}
	s.env = append(plainEnv(), o.env...)
	return s
}

// plainEnv is the environment without anything that configures the program.
func plainEnv() []string {
	home, _ := os.UserHomeDir()
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + os.TempDir()}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *server) launch(t testing.TB) {
	t.Helper()
	s.cmd = exec.CommandContext(context.Background(), the.binary, s.args...)
	s.cmd.Env, s.cmd.Dir = s.env, the.dir
	if s.out == nil {
		s.out, s.log = &logtest.Log{}, &logtest.Log{}
	}
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done, cmd := make(chan struct{}), s.cmd
	s.done = done
	go func() {
		s.exit = cmd.Wait()
		close(done)
	}()
}

// ready waits for /readyz.
func (s *server) ready(t testing.TB) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		select {
		case <-s.done:
			t.Fatalf("the program ended: %v\n%s", s.exit, s.log)
		default:
		}
		if res, err := probe(s.url + "/readyz"); err == nil && res == 200 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("not ready in time\n%s", s.log)
}

// kill ends the process as a power cut would.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
}

// terminate asks for the end and says how long it took.
func (s *server) terminate() (time.Duration, error) {
	began := time.Now()
	select {
	case <-s.done:
		return 0, nil
	default:
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	select {
	case <-s.done:
	case <-time.After(12 * time.Second):
		s.kill()
		return time.Since(began), fmt.Errorf("still running 12 s after SIGTERM")
	}
	return time.Since(began), s.exit
}

// close stops the server and looks for what must not be in its files and output.
func (s *server) close() error {
	if _, err := s.terminate(); err != nil {
		return err
	}
	if text := s.log.String(); strings.Contains(text, "panicked") {
		return fmt.Errorf("a handler panicked:\n%s", text)
	}
	return s.scan()
}
