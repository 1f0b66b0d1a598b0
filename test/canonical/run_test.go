package canonical

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestRun_devIsReadySoon(t *testing.T) {
	t.Parallel()
	began := time.Now()
	s := start(t, options{})
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("ready after %s", took)
	}
	for _, path := range []string{"/readyz", "/healthz", "/livez", "/metrics"} {
		s.raw(t, "GET", path, nil).want(t, 200)
	}
	for deadline := time.Now().Add(5 * time.Second); s.out.String() == "" && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if !strings.Contains(s.out.String(), s.url) {
		t.Errorf("the output does not say where it listens:\n%s", s.out)
	}
}

// Commands that are printed work when they are pasted.
func TestRun_printedCommands(t *testing.T) {
	t.Parallel()
	for _, env := range [][]string{nil, {"SECRETS_API_REQUIRE_AUTH=true", "SECRETS_ENFORCE_SCOPES=true"}} {
		s := prepare(t, options{env: env})
		s.launch(t)
		s.ready(t)
		for deadline := time.Now().Add(5 * time.Second); strings.Count(s.out.String(), "curl ") < 3 && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond)
		}
		var lines []string
		for line := range strings.Lines(s.out.String()) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "curl ") {
				lines = append(lines, line)
			}
		}
		if len(lines) != 3 {
			t.Fatalf("%d commands are printed:\n%s", len(lines), s.out)
		}
		for i, line := range lines {
			cmd := exec.CommandContext(t.Context(), "bash", "-c", line)
			out, err := cmd.Output()
			if code := cmd.ProcessState.ExitCode(); err != nil && !(code == 28 && strings.Contains(line, "--max-time")) {
				t.Errorf("%s: %v", line, err)
			}
			if i == 0 && !strings.Contains(string(out), `"status":"ok"`) || len(out) == 0 || strings.Contains(string(out), `"error"`) {
				t.Errorf("%s\nanswers %s", line, out)
			}
		}
		for _, line := range regexp.MustCompile(`(?m)^\s*export COFFER_\w+=(\S+)$`).FindAllStringSubmatch(s.out.String(), -1) {
			s.value(t, fresh("none"), bearer(line[1])).want(t, 404)
		}
		if _, err := s.terminate(); err != nil {
			t.Error(err)
		}
	}
}

func claims(t testing.TB, token string) (out map[string]any) {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRun_token(t *testing.T) {
	s := dev(t)
	got := claims(t, s.token(t, "--sub", "alice", "--name", "Alice", "--groups", "a,b", "--roles", "r,s", "--scopes", "x y", "--claim", `n=1`, "--claim", `text=a=b`, "--claim", `list=["x"]`))
	now := float64(time.Now().Unix())
	if got["sub"] != "alice" || got["iss"] != s.url+"/dev/issuer" || got["aud"] != "crud.secrets" || got["scope"] != "x y" || got["preferred_username"] != "Alice" ||
		got["n"] != 1.0 || got["text"] != "a=b" || got["exp"].(float64)-now < 3500 || got["exp"].(float64)-now > 3610 || got["jti"] == "" {
		t.Errorf("%v", got)
	}
	for name, want := range map[string]string{"groups": `["a","b"]`, "realm_access": `{"roles":["r","s"]}`, "list": `["x"]`} {
		if raw, _ := json.Marshal(got[name]); string(raw) != want {
			t.Errorf("%s is %s", name, raw)
		}
	}
	if got := claims(t, s.token(t, "--sub", "alice", "--ttl", "-1h")); got["exp"].(float64) > now-3500 {
		t.Errorf("a negative life ends at %v", got["exp"])
	}
	if got := claims(t, s.token(t, "--sub", "alice", "--aud", "other")); got["aud"] != "other" {
		t.Errorf("aud %v", got["aud"])
	}
	for _, args := range [][]string{
		{"token", "--data-dir", s.dir}, {"token", "--data-dir", s.dir, "--sub", "a", "--ttl", "x"},
		{"token", "--data-dir", s.dir, "--sub", "a", "--claim", "x"}, {"token", "--data-dir", s.dir, "--sub", ""},
	} {
		if out, _, code := coffer(t, nil, args...); code == 0 {
			t.Errorf("%q prints %s", args, out)
		}
	}
}

func TestRun_issuer(t *testing.T) {
	s := dev(t)
	discovery := s.raw(t, "GET", "/dev/issuer/.well-known/openid-configuration", nil).want(t, 200).object(t)
	if discovery["issuer"] != s.url+"/dev/issuer" {
		t.Errorf("%v", discovery)
	}
	jwks := strings.TrimPrefix(discovery["jwks_uri"].(string), s.url)
	var keys struct{ Keys []map[string]any }
	s.raw(t, "GET", jwks, nil).want(t, 200).json(t, &keys)
	if len(keys.Keys) == 0 || keys.Keys[0]["kid"] == "" || keys.Keys[0]["d"] != nil {
		t.Errorf("%v", keys)
	}
}

func TestC45_startRefusals(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:8091"} {
		out, log, code := coffer(t, nil, "dev", "--listen", listen, "--data-dir", t.TempDir(), "--kafka", "off")
		if code == 0 || log == "" {
			t.Errorf("dev on %s: %d %s %s", listen, code, out, log)
		}
	}
	dir := t.TempDir()
	key := filepath.Join(dir, "kek")
	write(t, key, strings.Repeat("k", 32))
	base := []string{"COFFER_LISTEN=" + freePort(t), "COFFER_DATA_DIR=" + filepath.Join(dir, "data"), "COFFER_KEK_ACTIVE_FILE=" + key, "COFFER_AUDIT_FILE=" + filepath.Join(dir, "audit")}
	for _, env := range [][]string{{}, {"ENVIRONMENT=prod"}, {"ENVIRONMENT=prod", "SECRETS_API_REQUIRE_AUTH=false"}, {"ENVIRONMENT=production"}, {"ENVIRONMENT="}} {
		_, log, code := coffer(t, append(env, base...), "serve")
		if code == 0 || !strings.Contains(log, "SECRETS_API_REQUIRE_AUTH") && !strings.Contains(log, "ENVIRONMENT") {
			t.Errorf("serve with %q: %d %s", env, code, log)
		}
	}
	// Everything that is missing is named at once, with how to set it.
	_, log, code := coffer(t, nil, "serve")
	for _, name := range []string{"COFFER_DATA_DIR", "COFFER_KEK_ACTIVE_FILE", "COFFER_AUDIT_FILE", "SECRETS_API_REQUIRE_AUTH"} {
		if code == 0 || !strings.Contains(log, name) {
			t.Errorf("%s is not named: %d\n%s", name, code, log)
		}
	}
	_, log, code = coffer(t, base, "serve", "--config", configFile(t, "nonsense: 1\nsecrets: {requireauth: true}\n"))
	if code == 0 || !strings.Contains(log, "nonsense") || !strings.Contains(log, "requireauth") {
		t.Errorf("unknown keys: %d %s", code, log)
	}
}

func TestC45_serveInTest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key := filepath.Join(dir, "kek")
	write(t, key, strings.Repeat("k", 32))
	listen := freePort(t)
	s := start(t, options{verb: "serve", dir: filepath.Join(dir, "data"), listen: listen, env: []string{
		"ENVIRONMENT=test", "COFFER_LISTEN=" + listen, "COFFER_DATA_DIR=" + filepath.Join(dir, "data"), "COFFER_KEK_ACTIVE_FILE=" + key,
		"COFFER_AUDIT_FILE=" + filepath.Join(dir, "audit.jsonl"),
	}})
	s.value(t, fresh("serve")).fails(t, 403, "SECRET_AUTHZ_FAILED")
	s.raw(t, "GET", "/dev/issuer/.well-known/openid-configuration", nil).want(t, 404)
}

func TestRun_terminate(t *testing.T) {
	t.Parallel()
	s := start(t, options{})
	stream := s.listen(t, "")
	s.put(t, fresh("term"), obj{"a": 1})
	stream.next(t)
	took, err := s.terminate()
	if err != nil || took > 10*time.Second {
		t.Errorf("stopped after %s: %v", took, err)
	}
	select {
	case _, open := <-stream.events:
		if open {
			t.Error("the stream goes on")
		}
	case <-time.After(2 * time.Second):
		t.Error("the stream does not end")
	}
}

func TestRun_killKeepsEverything(t *testing.T) {
	t.Parallel()
	s := start(t, options{})
	uri := s.versions(t, "kept", 3)
	key := header("Idempotency-Key", "kept")
	first := s.post(t, "", obj{"uri": uri, "value": obj{"n": 4}}, key).want(t, 200)
	s.post(t, "/metadata/owner", obj{"uri": uri, "owner": "team"}).want(t, 200)
	token := s.token(t, "--sub", "alice")
	ref := first.object(t)["resource_ref"]
	s.kill()
	s.launch(t)
	s.ready(t)
	s.value(t, uri).is(t, `{"n":4}`)
	s.value(t, uri+"?version=1").is(t, `{"token":"`+mark("1")+`"}`)
	again := s.post(t, "", obj{"uri": uri, "value": obj{"n": 4}}, key).want(t, 200)
	if again.header.Get("Idempotency-Replayed") != "true" || again.object(t)["resource_ref"] != ref {
		t.Errorf("%s after %s", again, first)
	}
	if again := claims(t, s.token(t, "--sub", "alice")); again["iss"] != claims(t, token)["iss"] {
		t.Errorf("issuer %v", again["iss"])
	}
	stream := s.listen(t, "0")
	for i := range 4 {
		if e := stream.next(t); e.name != "SECRET_UPDATED" || e.told(t).Version != i+1 {
			t.Errorf("event %d after the restart: %+v", i, e)
		}
	}
}

func TestE27_wrongKEK(t *testing.T) {
	t.Parallel()
	s := start(t, options{})
	uri := s.versions(t, "e27", 1)
	if _, err := s.terminate(); err != nil {
		t.Fatal(err)
	}
	kek := filepath.Join(s.dir, "kek")
	right, err := os.ReadFile(kek)
	if err != nil {
		t.Fatal(err)
	}
	write(t, kek, strings.Repeat("x", 32))
	s.launch(t)
	deadline := time.Now().Add(15 * time.Second)
	for status := 0; status == 0 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		status, _ = probe(s.url + "/livez")
	}
	for _, a := range []answer{s.value(t, uri), s.post(t, "", obj{"uri": uri, "value": obj{"a": 1}}), s.del(t, q{"uri": uri})} {
		a.fails(t, 503, "VAULT_CONNECTION_ERROR")
	}
	health := s.raw(t, "GET", "/healthz", nil)
	if health.object(t)["sealed"] != true {
		t.Errorf("%s", health)
	}
	if ready := s.raw(t, "GET", "/readyz", nil); ready.status != 503 {
		t.Errorf("%s", ready)
	}
	if _, err := s.terminate(); err != nil {
		t.Error(err)
	}
	write(t, kek, string(right))
	s.launch(t)
	s.ready(t)
	s.value(t, uri).is(t, `{"token":"`+mark("1")+`"}`)
	if s.current(t, uri) != 1 {
		t.Error("something was written while sealed")
	}
}

func TestRun_keyring(t *testing.T) {
	t.Parallel()
	s := start(t, options{})
	uri := s.versions(t, "keyring", 2)
	run := func(args ...string) (string, int) {
		out, log, code := coffer(t, nil, append([]string{"keyring", "--data-dir", s.dir}, args...)...)
		return out + log, code
	}
	for _, args := range [][]string{{"status"}, {"rotate"}, {"status"}, {"rewrap"}, {"rewrap"}, {"status"}} {
		if out, code := run(args...); code != 0 {
			t.Errorf("keyring %s: %d %s", args, code, out)
		}
	}
	s.value(t, uri).want(t, 200)
	if v := s.put(t, uri, obj{"token": mark("3")}); v != 3 {
		t.Errorf("version %d", v)
	}
	// The key that still seals records stays, and so does the active one.
	for _, id := range []string{"1", "2", "99", "x"} {
		if out, code := run("retire", id); code == 0 && id != "1" {
			t.Errorf("retire %s: %s", id, out)
		}
	}
	s.value(t, uri+"?version=1").want(t, 200)
	s.kill()
	s.launch(t)
	s.ready(t)
	s.value(t, uri+"?version=1").want(t, 200)
	if out, code := run("status"); code != 0 || strings.Contains(out, marker) {
		t.Errorf("%d %s", code, out)
	}
	if out, _, code := coffer(t, nil, "keyring", "status", "--data-dir", t.TempDir()); code == 0 {
		t.Errorf("nobody runs there: %s", out)
	}
}

func TestRun_otherVerbs(t *testing.T) {
	t.Parallel()
	if out, _, code := coffer(t, nil, "version"); code != 0 || !strings.HasPrefix(out, "coffer ") {
		t.Errorf("version: %d %s", code, out)
	}
	reference, _, code := coffer(t, nil, "config", "reference")
	if code != 0 || !strings.Contains(reference, "SECRETS_API_REQUIRE_AUTH") {
		t.Errorf("config reference: %d %s", code, reference)
	}
	_, log, code := coffer(t, nil, "config", "check", "--config", configFile(t, "tenant: {id: 'A B'}\nlimits: {requests: 0}\nx: 1\n"))
	for _, name := range []string{"tenant.id", "limits.requests", "x", "kek.active"} {
		if code == 0 || !strings.Contains(log, name) {
			t.Errorf("config check does not name %s: %d\n%s", name, code, log)
		}
	}
	if out, log, code := coffer(t, nil, "config", "check", "--mode", "dev"); code != 0 {
		t.Errorf("config check of dev: %d %s%s", code, out, log)
	}
	// The reference is a configuration as it stands.
	if _, log, code := coffer(t, nil, "config", "check", "--mode", "dev", "--config", configFile(t, reference)); code != 0 {
		t.Errorf("the reference is refused: %s", log)
	}
	for _, args := range [][]string{{"nonsense"}, {"dev", "--nonsense"}, {"dev", "extra"}} {
		if _, log, code := coffer(t, nil, args...); code == 0 || log == "" {
			t.Errorf("%q: %d %s", args, code, log)
		}
	}
}
