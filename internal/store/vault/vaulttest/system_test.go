package vaulttest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	baoapi "github.com/openbao/openbao/api/v2"

	"github.com/coffer-dev/coffer/internal/store/storetest"
	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest"
)

// raw sends what no official client would: a path as it is.
func (w *world) raw(method, target string, header map[string]string, body string) (int, string) {
	w.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, w.url, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	r.URL.Opaque = target
	for k, v := range header {
		r.Header.Set(k, v)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestFaults(t *testing.T) {
	w := newWorld(t, nil)
	faults := w.handler.Faults()
	healthy := call{do: "GET secret/data/p", status: 404, want: notFoundBody}
	faults.RateLimit(true)
	w.run(call{do: "GET secret/data/p", status: 429, want: errs(`request path "secret/data/p": rate limit quota exceeded`)})
	faults.RateLimit(false)
	w.run(healthy)
	faults.Seal(true)
	w.run(call{do: "GET secret/data/p", token: "-", status: 503, want: errs("Vault is sealed")})
	faults.Seal(false)
	w.run(healthy)
}

func TestHealth(t *testing.T) {
	w := newWorld(t, nil)
	faults := w.handler.Faults()
	status := func(target string) int {
		code, body := w.raw("GET", "/v1/sys/health"+target, nil, "")
		var shown struct {
			Initialized, Sealed, Standby bool
		}
		if err := json.Unmarshal([]byte(body), &shown); err != nil {
			t.Fatal(err)
		}
		if shown.Sealed != (code == 503 || code == 501) || shown.Initialized != (code != 501) {
			t.Errorf("status %d says %+v", code, shown)
		}
		return code
	}
	check := func(target string, want int) {
		t.Helper()
		if got := status(target); got != want {
			t.Errorf("health%s = %d, want %d", target, got, want)
		}
	}
	check("", 200)
	faults.Standby(true)
	check("", 429)
	check("?standbyok=true", 200)
	faults.Standby(false)
	faults.Seal(true)
	check("", 503)
	if code, _ := w.raw("GET", "/v1/sys/health?sealedcode=299", nil, ""); code != 299 {
		t.Errorf("sealedcode: %d", code)
	}
	faults.Seal(false)
	faults.Uninitialise(true)
	check("", 501)
	if code, body := w.raw("HEAD", "/v1/sys/health", nil, ""); code != 501 || body != "" {
		t.Errorf("HEAD: %d %q", code, body)
	}
	if _, body := w.raw("GET", "/v1/sys/init", nil, ""); body != `{"initialized":false}`+"\n" {
		t.Errorf("init: %s", body)
	}
	faults.Uninitialise(false)
	if _, body := w.raw("GET", "/v1/sys/seal-status", nil, ""); !strings.Contains(body, `"sealed":false`) {
		t.Errorf("seal status: %s", body)
	}
}

// K41: what a server would redirect, decode or stumble over is refused.
func TestUncleanPathsAreRefused(t *testing.T) {
	m := storetest.NewMemory(time.Now)
	w := newWorld(t, func(c *vaulttest.Config) { c.Store = m })
	root := map[string]string{"X-Vault-Token": "root"}
	for _, target := range []string{
		"/v1/secret/data/a/../b", "/v1/secret/data/a//b", "/v1/secret/data/a%2Fb", "/v1/secret/data/a%2fb",
		"/v1/secret/data/%2e%2e/b", "/v1/secret/data/.", "/v1/secret/data/a/", "/v1/secret/metadata/a/",
		"/v1//secret/data/a", "/v1/secret/data/a%20b", "/v1/secret/data/a%00", "/v1/secret/data/a*", "/v1/secret/data/a+b",
	} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			if code, body := w.raw(method, target, root, `{"data":{}}`); code != 400 {
				t.Errorf("%s %s: %d %s", method, target, code, body)
			}
		}
	}
	if keys := m.Keys(); len(keys) > 0 {
		t.Errorf("refused requests left %d keys", len(keys))
	}
	if code, _ := w.raw("GET", "/other", root, ""); code != 404 {
		t.Errorf("outside /v1/: %d", code)
	}
	if code, _ := w.raw("POST", "/v1/secret/data/p", root, strings.Repeat(" ", 9<<20)); code != 413 {
		t.Errorf("large body: %d", code)
	}
}

func TestTokenHeaders(t *testing.T) {
	w := newWorld(t, nil)
	for _, h := range []map[string]string{{"X-Vault-Token": "root"}, {"Authorization": "Bearer root"}} {
		if code, _ := w.raw("GET", "/v1/auth/token/lookup-self", h, ""); code != 200 {
			t.Errorf("with %v: %d", h, code)
		}
	}
	for _, h := range []map[string]string{{"Authorization": "Basic root"}, {"Authorization": "bearer"}, nil} {
		if code, _ := w.raw("GET", "/v1/auth/token/lookup-self", h, ""); code != 403 {
			t.Errorf("with %v: %d", h, code)
		}
	}
}

// K42.
func TestWrapping(t *testing.T) {
	w := newWorld(t, nil)
	w.run(put("secret/data/p", `{"k":"v"}`, 1))
	client := bao(t, w.url)
	client.SetWrappingLookupFunc(func(string, string) string { return "60s" })
	wrapped, err := client.Logical().Read("secret/data/p")
	if err != nil {
		t.Fatal(err)
	}
	info := wrapped.WrapInfo
	if wrapped.Data != nil || info == nil || info.TTL != 60 || info.CreationPath != "secret/data/p" ||
		info.Accessor == "" || !info.CreationTime.Equal(w.clock.Now()) {
		t.Fatalf("wrapped answer: %+v", wrapped)
	}
	client.SetWrappingLookupFunc(func(string, string) string { return "" })
	opened, err := client.Logical().Unwrap(info.Token)
	if err != nil {
		t.Fatal(err)
	}
	if k := opened.Data["data"].(map[string]any)["k"]; k != "v" {
		t.Fatalf("unwrapped %v", opened.Data)
	}
	gone := errs("wrapping token is not valid or does not exist")
	again := call{do: "POST sys/wrapping/unwrap", body: `{"token":"` + info.Token + `"}`, status: 400, want: gone}
	w.run(again)

	a, err := w.send(call{do: "GET secret/data/p", header: [2]string{"X-Vault-Wrap-TTL", "5"}})
	if err != nil {
		t.Fatal(err)
	}
	var shown struct {
		WrapInfo struct{ Token string } `json:"wrap_info"`
	}
	if err := json.Unmarshal([]byte(a.body), &shown); err != nil || shown.WrapInfo.Token == "" {
		t.Fatalf("%v: %s", err, a.body)
	}
	w.run(call{do: "POST sys/wrapping/unwrap", token: shown.WrapInfo.Token, wait: 6 * time.Second, status: 400, want: gone},
		call{do: "GET secret/data/unknown", header: [2]string{"X-Vault-Wrap-TTL", "60s"}, status: 404, want: notFoundBody},
		call{do: "GET secret/data/p", header: [2]string{"X-Vault-Wrap-TTL", "x"}, status: 400, want: errs("error parsing X-Vault-Wrap-TTL")})
}

func bao(t *testing.T, url string) *baoapi.Client {
	t.Helper()
	cfg := baoapi.NewConfig()
	cfg.Address, cfg.MaxRetries = url, 0
	client, err := baoapi.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken("root")
	return client
}

func TestTokensLiveAndDie(t *testing.T) {
	w := newWorld(t, func(c *vaulttest.Config) {
		c.Tokens["short"] = vaulttest.Token{TTL: time.Minute, Renewable: true, Policies: []string{"p"}}
		c.Tokens["fixed"] = vaulttest.Token{TTL: time.Minute}
	})
	client := bao(t, w.url)
	client.SetToken("short")
	ttl := func() string {
		t.Helper()
		s, err := client.Auth().Token().LookupSelf()
		if err != nil {
			t.Fatal(err)
		}
		return s.Data["ttl"].(json.Number).String()
	}
	w.clock.Advance(20 * time.Second)
	if got := ttl(); got != "40" {
		t.Errorf("ttl %s", got)
	}
	renewed, err := client.Auth().Token().RenewSelf(0)
	if err != nil || renewed.Auth.LeaseDuration != 60 || renewed.Auth.ClientToken != "short" || !renewed.Auth.Renewable {
		t.Fatalf("renew: %v %+v", err, renewed)
	}
	if _, err := client.Auth().Token().RenewSelf(30); err != nil || ttl() != "30" {
		t.Errorf("increment is not heeded: %v", err)
	}
	w.clock.Advance(30 * time.Second)
	if _, err := client.Auth().Token().LookupSelf(); err == nil {
		t.Error("an expired token lives")
	}
	w.clock.Advance(-20 * time.Second)
	client.SetToken("fixed")
	if _, err := client.Auth().Token().RenewSelf(0); err == nil || !strings.Contains(err.Error(), "lease is not renewable") {
		t.Errorf("renewal of a fixed token: %v", err)
	}
	client.SetToken("root")
	if s, err := client.Auth().Token().LookupSelf(); err != nil || s.Data["expire_time"] != nil || ttl() != "0" {
		t.Errorf("root token: %v %v", err, s)
	}
}

func TestAppRoleLogin(t *testing.T) {
	w := newWorld(t, func(c *vaulttest.Config) {
		c.AppRoles = []vaulttest.AppRole{{RoleID: "r", SecretID: "s", Token: vaulttest.Token{
			TTL: time.Hour, Policies: []string{vaulttest.RootPolicy}}}}
	})
	client := bao(t, w.url)
	client.SetToken("")
	s, err := client.Logical().Write("auth/approle/login", map[string]any{"role_id": "r", "secret_id": "s"})
	if err != nil || s.Auth.LeaseDuration != 3600 {
		t.Fatalf("login: %v %+v", err, s)
	}
	client.SetToken(s.Auth.ClientToken)
	if _, err := client.KVv2("secret").Put(context.Background(), "p", map[string]any{"k": "v"}); err != nil {
		t.Fatal(err)
	}
	w.run(call{do: "POST auth/approle/login", token: "-", body: `{"role_id":"r","secret_id":"x"}`, status: 400, want: errs("invalid role or secret ID")},
		call{do: "POST auth/approle/login", token: "-", status: 400, want: errs("invalid role or secret ID")})
}

// TestHashiCorpLacks what that product does not have.
func TestHashiCorpLacks(t *testing.T) {
	w := newWorld(t, func(c *vaulttest.Config) { c.HashiCorp = true })
	w.run(put("secret/data/a/b", `{}`, 1), put("secret/data/a/c", `{}`, 1),
		call{do: "SCAN secret/metadata/a", status: 405, want: errs(multi("unsupported operation"))},
		call{do: "LIST secret/detailed-metadata/a", status: 404, want: full("null",
			`["Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use."]`, "null")},
		call{do: "LIST secret/metadata/a?after=b&limit=1", status: 200, want: data(`{"keys":["b","c"]}`)},
		call{do: "POST secret/metadata/a/b", body: `{"max_versions":1,"metadata_cas":77}`, status: 204},
		call{do: "GET secret/config", status: 200, want: data(`{"cas_required":false,"delete_version_after":"0s","max_versions":0}`)},
	)
	a, err := w.send(call{do: "GET secret/metadata/a/b"})
	if err != nil || strings.Contains(a.body, "metadata_version") || strings.Contains(a.body, "metadata_cas") {
		t.Errorf("%v: %s", err, a.body)
	}
}

// Float64 numbers come back as the servers give them (K16).
func TestFloat64Numbers(t *testing.T) {
	w := newWorld(t, func(c *vaulttest.Config) { c.Float64 = true })
	w.run(put("secret/data/p", `{"a":9007199254740993,"b":12345678901234567890,"c":1.0,"d":1e3}`, 1),
		call{do: "GET secret/data/p", status: 200, want: readable(`{"a":9007199254740992,"b":12345678901234567000,"c":1,"d":1000}`, 1)},
		call{do: "POST secret/data/p", body: `{"data":{"a":1e999}}`, status: 400, want: errs("a number is out of range")})
}

func TestSettingsAreOptional(t *testing.T) {
	w := newWorld(t, func(c *vaulttest.Config) { c.Settings = nil; c.Mounts = []string{"kv", "team"} })
	w.run(call{do: "POST kv/config", body: `{"max_versions":1}`, status: 405, want: errs(multi("unsupported operation"))},
		put("team/data/p", `{}`, 1),
		call{do: "GET kv/data/p", status: 404, want: notFoundBody},
		call{do: "GET secret/data/p", status: 404, want: errs(`no handler for route "secret/data/p". route entry not found.`)})
	mounts, err := bao(t, w.url).Sys().ListMounts()
	if err != nil || len(mounts) != 2 || mounts["kv/"].Options["version"] != "2" || mounts["team/"].Type != "kv" {
		t.Errorf("mounts: %v %v", err, mounts)
	}
}
