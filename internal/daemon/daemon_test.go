package daemon_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/config"
	"github.com/coffer-dev/coffer/internal/daemon"
	"github.com/coffer-dev/coffer/internal/telemetry/logtest"
)

// place is a short directory: the name of a socket may not be long.
func place(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "coffer")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func load(t *testing.T, dir string, file string) *config.Config {
	t.Helper()
	flags := map[string]string{"listen": "127.0.0.1:0", "data_dir": dir, "kafka.dev_listen": "off"}
	o := config.Options{Mode: config.Dev, Flags: flags}
	if file != "" {
		o.File = filepath.Join(dir, "coffer.yaml")
		if err := os.WriteFile(o.File, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type running struct {
	*daemon.Daemon
	log *logtest.Log
}

func start(t *testing.T, c *config.Config) running {
	t.Helper()
	r := running{log: &logtest.Log{}}
	var err error
	if r.Daemon, err = daemon.Start(t.Context(), daemon.Options{Config: c, Log: r.log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func send(t *testing.T, method, url, body string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(got), res.Header
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("never: %s", what)
		}
	}
}

const (
	write = `{"uri":"coffer+kv2://secret/app","value":{"k":"marker-of-a-value"}}`
	read  = "/api/secrets/value?uri=coffer%2Bkv2://secret/app"
)

func TestStartServeStopStart(t *testing.T) {
	dir := place(t)
	d := start(t, load(t, dir, ""))
	if status, body, _ := send(t, "POST", d.URL()+"/api/secrets", write); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	eventually(t, "ready", d.Ready)
	for _, path := range []string{"/readyz", "/livez", "/healthz", "/metrics"} {
		if status, body, _ := send(t, "GET", d.URL()+path, ""); status != 200 {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Errorf("again: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "admin.sock")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
	again := start(t, load(t, dir, ""))
	if status, body, _ := send(t, "GET", again.URL()+read, ""); status != 200 || body != `{"k":"marker-of-a-value"}` {
		t.Errorf("%d %s", status, body)
	}
	if log := d.log.String() + again.log.String(); strings.Contains(log, "marker-of-a-value") || strings.Contains(log, "secret/app") {
		t.Error("the log tells of a value or a path")
	}
}

// A start that fails leaves nothing running: the data can be used at once.
func TestStartThatFails(t *testing.T) {
	dir := place(t)
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	c := load(t, dir, "")
	c.Listen = taken.Addr().String()
	if d, err := daemon.Start(t.Context(), daemon.Options{Config: c, Log: &logtest.Log{}}); err == nil || d != nil {
		t.Fatalf("%v %v", d, err)
	}
	c = load(t, dir, "")
	c.Log.Level = "loud"
	if d, err := daemon.Start(t.Context(), daemon.Options{Config: c, Log: &logtest.Log{}}); err == nil || d != nil {
		t.Fatalf("%v %v", d, err)
	}
	d := start(t, load(t, dir, ""))
	eventually(t, "ready", d.Ready)
}

// Without its key the store is sealed: it says so, and serves when the key is back.
func TestSealedStart(t *testing.T) {
	dir := place(t)
	first := start(t, load(t, dir, ""))
	if status, body, _ := send(t, "POST", first.URL()+"/api/secrets", write); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	c := load(t, dir, "")
	key := c.KEK.Active.File
	right, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	d := start(t, c) // coffer dev makes a key of its own: another one
	status, body, head := send(t, "GET", d.URL()+read, "")
	if status != 503 || head.Get("Retry-After") == "" || head.Get("X-Correlation-Id") == "" || !strings.Contains(body, "VAULT_CONNECTION_ERROR") {
		t.Errorf("%d %s %v", status, body, head)
	}
	if status, _, _ := send(t, "GET", d.URL()+"/nowhere", ""); status != 404 {
		t.Errorf("%d", status)
	}
	if status, _, _ := send(t, "GET", d.URL()+"/readyz", ""); status != 503 || d.Ready() {
		t.Errorf("ready while sealed: %d", status)
	}
	if err := os.WriteFile(key, right, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "unsealed", func() bool {
		status, body, _ = send(t, "GET", d.URL()+read, "")
		return status == 200
	})
	if body != `{"k":"marker-of-a-value"}` {
		t.Error(body)
	}
	eventually(t, "ready", d.Ready)
	if err := d.Close(); err != nil { // also what was started late stops
		t.Error(err)
	}
}

func TestStopWhileSealed(t *testing.T) {
	dir := place(t)
	if err := start(t, load(t, dir, "")).Close(); err != nil {
		t.Fatal(err)
	}
	c := load(t, dir, "")
	if err := os.Remove(c.KEK.Active.File); err != nil {
		t.Fatal(err)
	}
	d := start(t, c)
	began := time.Now()
	if err := d.Close(); err != nil || time.Since(began) > 10*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

// A stream that is open does not hold up the stop.
func TestStopEndsStreams(t *testing.T) {
	d := start(t, load(t, place(t), ""))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.URL()+"/api/secrets/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res, err)
	}
	defer func() { _ = res.Body.Close() }()
	began := time.Now()
	if err := d.Close(); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Errorf("the stream was cut, not ended: %v", err)
	}
}

func TestAuditIsReopened(t *testing.T) {
	dir := place(t)
	c := load(t, dir, "")
	d := start(t, c)
	put := func() {
		t.Helper()
		if status, body, _ := send(t, "POST", d.URL()+"/api/secrets", write); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
	}
	put()
	moved := c.Audit.File + ".1"
	if err := os.Rename(c.Audit.File, moved); err != nil {
		t.Fatal(err)
	}
	if err := d.ReopenAudit(t.Context()); err != nil {
		t.Fatal(err)
	}
	put()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{moved, c.Audit.File} {
		body, err := os.ReadFile(file)
		if err != nil || bytes.Count(body, []byte(`"event":"SECRET_UPDATED"`)) != 2 {
			t.Errorf("%s: %s %v", file, body, err)
		}
		if bytes.Contains(body, []byte("marker")) || bytes.Contains(body, []byte("secret/app")) {
			t.Errorf("%s tells of a value or a path", file)
		}
	}
}

func TestOperatorSocket(t *testing.T) {
	dir := place(t)
	d := start(t, load(t, dir, ""))
	path := filepath.Join(dir, "admin.sock")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	ask := func(method, path string) (int, map[string]any) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "http://operator"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		var body map[string]any
		_ = json.NewDecoder(res.Body).Decode(&body)
		return res.StatusCode, body
	}
	if status, body := ask("GET", "/keyring"); status != 200 || len(body) == 0 {
		t.Errorf("%d %v", status, body)
	}
	if status, body := ask("POST", "/keyring/rotate"); status != 200 || body["active"] != 2.0 {
		t.Errorf("%d %v", status, body)
	}
	if status, body := ask("POST", "/keyring/rewrap"); status != 200 || body["rewrapped"] != true {
		t.Errorf("%d %v", status, body)
	}
	for _, id := range []string{"x", "-1", "4294967296", "77"} {
		if status, body := ask("POST", "/keyring/retire/"+id); status != 409 || body["error"] == "" {
			t.Errorf("retire %s: %d %v", id, status, body)
		}
	}
	if status, _ := ask("DELETE", "/keyring"); status != 405 {
		t.Errorf("%d", status)
	}
	if status, body, _ := send(t, "GET", d.URL()+"/keyring", ""); status != 404 {
		t.Errorf("the keyring is on the network: %d %s", status, body)
	}
}

func TestDocuments(t *testing.T) {
	d := start(t, load(t, place(t), ""))
	for path, want := range map[string]string{
		"/openapi.json": `"openapi":"3.1`, "/openapi/canonical.json": `"openapi":"3.1`, "/docs": "<html", "/docs/app.js": "", "/docs/style.css": "",
		"/dev/issuer/.well-known/openid-configuration": d.URL(), "/dev/issuer/jwks.json": `"keys"`,
	} {
		status, body, head := send(t, "GET", d.URL()+path, "")
		if status != 200 || !strings.Contains(strings.ToLower(body), strings.ToLower(want)) {
			t.Errorf("%s: %d %.80s", path, status, body)
		}
		if strings.HasPrefix(path, "/docs") && (head.Get("Content-Security-Policy") == "" || strings.Contains(body, "https://cdn")) {
			t.Errorf("%s: %v", path, head)
		}
		if !strings.HasPrefix(path, "/dev") {
			if status, _, head := send(t, "POST", d.URL()+path, ""); status != 405 || head.Get("Allow") == "" {
				t.Errorf("POST %s: %d", path, status)
			}
		}
	}
	for _, path := range []string{"/", "/docs/", "/docs/../docs/app.js", "/openapi/other.json", "/debug/pprof/"} {
		if status, _, head := send(t, "GET", d.URL()+path, ""); status == 200 && path != "/docs/../docs/app.js" || head.Get("Location") != "" {
			t.Errorf("%s: %d %v", path, status, head)
		}
	}
}

// What a stage of a deployment shuts is shut: the stream, the audit records, and
// everything to callers without a name.
func TestStages(t *testing.T) {
	for stage, want := range map[string][3]int{"dev": {200, 200, 404}, "test": {200, 200, 403}, "prod": {404, 404, 403}} {
		d := start(t, load(t, place(t), "environment: "+stage+"\n"))
		for i, path := range []string{"/api/secrets/audit", "/api/secrets/audit?effect=Deny", read} {
			if status, body, _ := send(t, "GET", d.URL()+path, ""); status != want[i] {
				t.Errorf("%s %s: %d %s", stage, path, status, body)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}
