package authzen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/policy"
)

// The rules of the test: alice reads and lists below app/, with obligations as rule
// outputs; below strange/ the permit carries one that nobody knows.
const cerbosPolicy = `
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: secret
  version: default
  rules:
    - name: app
      actions: [execute, read_metadata]
      effect: EFFECT_ALLOW
      roles: ["*"]
      condition:
        match:
          all:
            of:
              - expr: P.id == "auth:account:main:alice" && P.attr.tenant_id == "dev"
              - expr: R.attr.backend == "embedded" && R.attr.path.startsWith("app/")
      output:
        when:
          ruleActivated: |-
            {"obligations": {"ttl_s": 60, "max_uses": 2, "classification": "internal", "wrap_ttl": 30}}
    - name: strange
      actions: [execute, read_metadata]
      effect: EFFECT_ALLOW
      roles: ["*"]
      condition:
        match:
          expr: R.attr.path.startsWith("strange/")
      output:
        when:
          ruleActivated: |-
            {"obligations": [{"id": "four_eyes", "parameters": {"by": "bob"}}]}
`

const cerbosConfig = `
server:
  httpListenAddr: %q
  grpcListenAddr: %q
telemetry: {disabled: true}
storage:
  driver: disk
  disk: {directory: %q, watchForChanges: false}
`

// startCerbos starts a real decision point on loopback, or skips the test and says why.
func startCerbos(t *testing.T) (url string) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIP Cerbos: -short")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "../../../test/peers/cerbos.sh")
	var why strings.Builder
	install.Stderr = &why
	out, err := install.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 3 {
		t.Skipf("SKIP Cerbos, no real decision point was tested: %s", why.String())
	}
	if err != nil {
		t.Fatalf("cerbos.sh: %v: %s", err, why.String())
	}
	dir, err := os.MkdirTemp("", "cerbos") // t.TempDir is too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	address := freeAddress(t)
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	rules := filepath.Dir(write("policies/secret.yaml", cerbosPolicy))
	config := write("cerbos.yaml", fmt.Sprintf(cerbosConfig, address, "unix:"+filepath.Join(dir, "grpc.sock"), rules))

	server := exec.Command(strings.TrimSpace(string(out)), "server", "--config", config, "--debug-listen-addr=", "--log-level=error")
	var log strings.Builder
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	url = "http://" + address
	for range 200 {
		resp, err := http.Get(url + "/.well-known/authzen-configuration")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return url
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("cerbos does not answer")
	return ""
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestCerbos(t *testing.T) {
	url := startCerbos(t)
	newOne := func(t *testing.T, outputs bool) (*Decider, *atomic.Int32) {
		calls := new(atomic.Int32)
		d, _ := newDecider(t, url, func(c *Config) {
			c.CerbosOutputs = outputs
			c.Observe.Called = func(time.Duration) { calls.Add(1) }
			c.Observe.Failed = func(err error) { t.Error(err) }
		})
		if !d.directory.settled || d.directory.known.many == "" {
			t.Fatalf("discovery document was not taken: %+v", d.directory.known)
		}
		return d, calls
	}
	t.Run("permit with obligations", func(t *testing.T) {
		d, calls := newOne(t, true)
		for i, want := range []int32{1, 1, 2} {
			dec := decide(d, reading(t))
			expect(t, dec, "")
			if dec.WrapTTL != 30 || dec.Classification != "internal" || calls.Load() != want {
				t.Errorf("read %d after %d calls: %+v", i+1, calls.Load(), dec)
			}
		}
	})
	t.Run("outputs come only when asked for", func(t *testing.T) {
		d, calls := newOne(t, false)
		for range 2 {
			dec := decide(d, reading(t))
			expect(t, dec, "")
			if dec.WrapTTL != 0 {
				t.Errorf("decision %+v", dec)
			}
		}
		if calls.Load() != 2 { // the default of one use a grant
			t.Errorf("%d calls", calls.Load())
		}
	})
	t.Run("deny", func(t *testing.T) {
		d, _ := newOne(t, true)
		expect(t, decide(d, writing(t, "app/api")), policy.ReasonPolicy)
		other := reading(t)
		other.Principal.Subject = "auth:account:main:mallory"
		expect(t, decide(d, other), policy.ReasonPolicy)
		expect(t, decide(d, other), policy.ReasonPolicy)
	})
	t.Run("unknown obligation", func(t *testing.T) {
		d, _ := newOne(t, true)
		r := reading(t)
		r.URI = parse(t, "coffer+kv2://secret/strange/api")
		expect(t, decide(d, r), policy.ReasonPolicy)
	})
	t.Run("batch", func(t *testing.T) {
		d, calls := newOne(t, true)
		var rs []policy.Request
		for i := range 120 {
			r := writing(t, fmt.Sprintf("%s/%d", [...]string{"app", "other", "strange"}[i%3], i))
			r.Purpose = policy.ReadMetadata
			rs = append(rs, r)
		}
		for i, dec := range d.DecideAll(t.Context(), rs) {
			if dec.Permit != (i%3 == 0) || (dec.WrapTTL == 30) != (i%3 == 0) || dec.Reason == policy.ReasonUnavailable {
				t.Errorf("item %d: %+v", i, dec)
			}
		}
		if calls.Load() != 120/maxOutputs {
			t.Errorf("%d calls for 120 items", calls.Load())
		}
	})
}
