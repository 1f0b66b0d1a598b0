package clients

import (
	"context"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/telemetry/logtest"
)

// program is one running "coffer dev".
type program struct {
	url, dir string
	log      *logtest.Log
}

// dev starts the program, authentication on, for the time of the test.
func dev(t *testing.T) *program {
	t.Helper()
	binary, err := the.binary()
	if err != nil {
		t.Fatal(err)
	}
	listen, work := freePort(t), t.TempDir()
	p := &program{url: "http://" + listen, dir: filepath.Join(work, "data"), log: &logtest.Log{}}
	cmd := exec.CommandContext(context.Background(), binary, "dev", "--listen", listen, "--data-dir", p.dir, "--kafka", "off")
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = append(plainEnv(), "SECRETS_API_REQUIRE_AUTH=true"), work, p.log, p.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the program ended with %v\n%s", err, p.log)
			}
		case <-time.After(12 * time.Second):
			_ = cmd.Process.Kill()
			t.Error("still running 12 s after SIGTERM")
		}
		if strings.Contains(p.log.String(), "panic") {
			t.Errorf("a handler panicked\n%s", p.log)
		}
	})
	p.await(t, done)
	return p
}

func (p *program) await(t *testing.T, done <-chan error) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-done:
			t.Fatalf("the program ended: %v\n%s", err, p.log)
		default:
		}
		if status, _, err := p.get(t.Context(), "", "/readyz"); err == nil && status == http.StatusOK {
			return
		}
	}
	t.Fatalf("not ready in time\n%s", p.log)
}

// token is that of a caller of group dev.
func (p *program) token(t *testing.T) string {
	t.Helper()
	binary, err := the.binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "token", "--data-dir", p.dir, "--sub", "peer", "--groups", "dev")
	cmd.Env = plainEnv()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("coffer token: %v", err)
	}
	return strings.TrimSpace(string(out))
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestSDKParser holds the parser of the SDK and that of the door against each other.
func TestSDKParser(t *testing.T) {
	python(t)
	p := dev(t)
	script(t, "sdk_uris.py", "COFFER_URL="+p.url, "COFFER_TOKEN="+p.token(t))
}

// TestSchemathesis makes up requests from the document that the program serves, and
// holds every answer to it. Seed and number are fixed: what it finds today it finds
// tomorrow.
func TestSchemathesis(t *testing.T) {
	interpreter := python(t)
	config, err := filepath.Abs("schemathesis.toml")
	if err != nil {
		t.Fatal(err)
	}
	p := dev(t)
	token := p.token(t)
	cmd := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(interpreter), "schemathesis"),
		"--config-file", config, "run", p.url+"/openapi.json",
		"--header", "Authorization: Bearer "+token,
		"--seed", "1", "--max-examples", "60", "--continue-on-failure", "--no-color", "--warnings", "off")
	cmd.Env = append(plainEnv(), "PYTHONDONTWRITEBYTECODE=1", "SCHEMATHESIS_HOOKS="+filepath.Join(filepath.Dir(config), "schemathesis_hooks.py"))
	cmd.Dir = t.TempDir() // it leaves files behind
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s\nlog of the program:\n%s", err, out, tail(p.log.String()))
	}
	t.Logf("%s", tail(string(out)))
	for _, want := range []string{"17 selected / 18 total", "No issues found"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("schemathesis does not say %q", want)
		}
	}
	_, found, err := p.get(t.Context(), token, "/api/secrets/search?q=&prefix=coffer%2Bkv2://secret/peer/")
	if err != nil || !strings.Contains(found, `"path":"secret/peer/`) {
		t.Errorf("no request got as far as to write a secret: %v %s", err, found)
	}
}

// get reads one document.
func (p *program) get(ctx context.Context, token, target string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+target, nil)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

// tail is the end of a long text.
func tail(text string) string { return text[max(0, len(text)-4096):] }
