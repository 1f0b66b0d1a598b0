package devissuer_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/identity/devissuer"
	"github.com/coffer-dev/coffer/internal/identity/oidc"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) *devissuer.Issuer {
	t.Helper()
	i, err := devissuer.Open(dir)
	must(t, err)
	return i
}

func mint(t *testing.T, i *devissuer.Issuer, c devissuer.Claims) string {
	t.Helper()
	token, err := i.Mint(c)
	must(t, err)
	return token
}

// payload reads what a token says.
func payload(t *testing.T, token string) map[string]any {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	must(t, err)
	var m map[string]any
	must(t, json.Unmarshal(data, &m))
	return m
}

// local trusts the issuer by its key set.
func local(t *testing.T, i *devissuer.Issuer) *oidc.Authenticator {
	t.Helper()
	url, err := i.URL()
	must(t, err)
	a, err := oidc.New(oidc.Config{
		Tenant: "dev", Issuers: []oidc.Issuer{{URL: url, Alias: devissuer.Alias, Keys: i.KeySet()}},
	})
	must(t, err)
	return a
}

func TestClaimsOfAToken(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	i := open(t, t.TempDir()).WithClock(func() time.Time { return now })
	got := payload(t, mint(t, i, devissuer.Claims{
		Subject: "alice", Name: "Alice", Groups: []string{"dev", "/ops"}, Roles: []string{"admin"},
		Scopes: []string{"secrets.read", "secrets.write"}, TTL: time.Minute,
		Extra: map[string]any{"x": json.RawMessage(`{"y":1}`)},
	}))
	if got["jti"] == "" {
		t.Error("no jti")
	}
	delete(got, "jti")
	want := map[string]any{
		"iss": devissuer.DefaultURL, "sub": "alice", "aud": "crud.secrets", "azp": "coffer-dev", "client_id": "coffer-dev",
		"iat": float64(now.Unix()), "exp": float64(now.Unix() + 60), "name": "Alice", "preferred_username": "Alice",
		"groups": []any{"dev", "/ops"}, "realm_access": map[string]any{"roles": []any{"admin"}},
		"scope": "secrets.read secrets.write", "x": map[string]any{"y": 1.0},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestDefaultsOfAToken(t *testing.T) {
	i := open(t, t.TempDir())
	got := payload(t, mint(t, i, devissuer.Claims{Subject: "a"}))
	if life := got["exp"].(float64) - got["iat"].(float64); life != 3600 {
		t.Errorf("lives %v s", life)
	}
	for _, name := range []string{"name", "preferred_username", "groups", "realm_access", "scope"} {
		if _, present := got[name]; present {
			t.Errorf("%s is there unasked", name)
		}
	}
	null := map[string]any{"aud": json.RawMessage("null")}
	for _, c := range []devissuer.Claims{{Subject: "a", Audience: []string{}}, {Subject: "a", Extra: null}} {
		if got, present := payload(t, mint(t, i, c))["aud"]; present {
			t.Errorf("got aud %v", got)
		}
	}
	if got := payload(t, mint(t, i, devissuer.Claims{Subject: "a", Audience: []string{"x", "y"}})); len(got["aud"].([]any)) != 2 {
		t.Errorf("got aud %v", got["aud"])
	}
	if _, err := i.Mint(devissuer.Claims{}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("without a subject: %v", err)
	}
	if _, err := i.Mint(devissuer.Claims{Subject: "a", Extra: map[string]any{"f": func() {}}}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("with a claim that is no JSON: %v", err)
	}
}

func TestTokensAreAcceptedByAVerifier(t *testing.T) {
	i := open(t, t.TempDir())
	a := local(t, i)
	ctx := context.Background()
	p, err := a.Authenticate(ctx, identity.Credentials{Bearer: mint(t, i, devissuer.Claims{
		Subject: "alice", Groups: []string{"dev"}, Roles: []string{"admin"}, Scopes: []string{"secrets.read"},
	})})
	must(t, err)
	if p.Subject != "auth:account:dev:alice" || p.Groups[0] != "dev" || !p.HasRole("admin") || !p.HasScope("secrets.read") {
		t.Errorf("got %+v", p)
	}
	for name, c := range map[string]devissuer.Claims{
		"expired":     {Subject: "a", TTL: -time.Hour},
		"without sub": {Subject: "a", Extra: map[string]any{"sub": nil}},
		"of another":  {Subject: "a", Extra: map[string]any{"iss": "https://evil.example"}},
	} {
		_, err := a.Authenticate(ctx, identity.Credentials{Bearer: mint(t, i, c)})
		if fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("%s: got %v", name, err)
		}
	}
	_, err = a.Authenticate(ctx, identity.Credentials{Bearer: mint(t, i, devissuer.Claims{Subject: "a", Audience: []string{"x"}})})
	if fault.CodeOf(err) != identity.CodeAudience {
		t.Errorf("for another audience: %v", err)
	}
	_, err = a.Authenticate(ctx, identity.Credentials{Bearer: mint(t, open(t, t.TempDir()), devissuer.Claims{Subject: "a"})})
	if fault.KindOf(err) != fault.Unauthenticated {
		t.Errorf("of another data directory: %v", err)
	}
}

// A verifier elsewhere finds the keys by discovery, as it would with any issuer.
func TestDocumentsServeAVerifierElsewhere(t *testing.T) {
	i := open(t, t.TempDir())
	var server *httptest.Server
	mux := http.NewServeMux()
	serve := func(path string, document func() ([]byte, error)) {
		mux.HandleFunc("GET "+devissuer.Path+path, func(w http.ResponseWriter, _ *http.Request) {
			body, err := document()
			if err != nil {
				w.WriteHeader(http.StatusInternalServerError)
			}
			_, _ = w.Write(body)
		})
	}
	serve("/.well-known/openid-configuration", func() ([]byte, error) { return i.Discovery(server.URL) })
	serve("/jwks.json", i.JWKS)
	server = httptest.NewServer(mux)
	defer server.Close()

	url, err := i.Announce(server.URL + "/")
	must(t, err)
	a, err := oidc.New(oidc.Config{Issuers: []oidc.Issuer{
		{URL: url, Alias: "elsewhere", Reach: oidc.Reach{AllowPrivate: true}},
	}})
	must(t, err)
	p, err := a.Authenticate(context.Background(), identity.Credentials{Bearer: mint(t, i, devissuer.Claims{Subject: "a"})})
	must(t, err)
	if p.Issuer != server.URL+devissuer.Path {
		t.Errorf("got issuer %s", p.Issuer)
	}
}

func TestDocumentsHoldNothingPrivate(t *testing.T) {
	document, err := open(t, t.TempDir()).JWKS()
	must(t, err)
	var set struct{ Keys []map[string]any }
	must(t, json.Unmarshal(document, &set))
	if len(set.Keys) != 1 {
		t.Fatalf("%d keys", len(set.Keys))
	}
	for name := range set.Keys[0] {
		switch name {
		case "kty", "kid", "use", "alg", "n", "e":
		default:
			t.Errorf("member %s is published", name)
		}
	}
}

func TestTheKeyOutlivesTheProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	token := mint(t, open(t, dir), devissuer.Claims{Subject: "a"})
	if _, err := local(t, open(t, dir)).Authenticate(context.Background(), identity.Credentials{Bearer: token}); err != nil {
		t.Errorf("after a restart: %v", err)
	}
}

func TestTheAddressIsSharedThroughTheDirectory(t *testing.T) {
	dir := t.TempDir()
	server, command := open(t, dir), open(t, dir)
	for _, base := range []string{"http://127.0.0.1:1234", "http://127.0.0.1:4321"} {
		_, err := server.Announce(base)
		must(t, err)
		if got := payload(t, mint(t, command, devissuer.Claims{Subject: "a"})); got["iss"] != base+devissuer.Path {
			t.Errorf("got issuer %v", got["iss"])
		}
	}
}

func TestFilesArePrivateAndNothingIsLeftBehind(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	_, err := open(t, dir).Announce("http://127.0.0.1:1")
	must(t, err)
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, entry := range entries {
		info, err := entry.Info()
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", entry.Name(), info.Mode())
		}
	}
	if len(entries) != 2 {
		t.Errorf("%d files, want key and address", len(entries))
	}
	info, err := os.Stat(dir)
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v", info.Mode())
	}
}

func TestProcessesThatStartAtOnceAgreeOnOneKey(t *testing.T) {
	dir := t.TempDir()
	documents := make([]string, 4)
	var wg sync.WaitGroup
	for n := range documents {
		wg.Go(func() {
			i, err := devissuer.Open(dir)
			if err != nil {
				t.Error(err)
				return
			}
			document, err := i.JWKS()
			if err != nil {
				t.Error(err)
			}
			documents[n] = string(document)
		})
	}
	wg.Wait()
	for _, document := range documents {
		if document != documents[0] {
			t.Fatal("two keys were made")
		}
	}
}

func TestAKeyFileThatIsNoneIsNotReplaced(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "garbage": "x", "no key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "dev-issuer.key")
		must(t, os.WriteFile(path, []byte(text), 0o600))
		if _, err := devissuer.Open(dir); fault.KindOf(err) != fault.Corrupt {
			t.Errorf("%s: got %v", name, err)
		}
		if kept, err := os.ReadFile(path); err != nil || string(kept) != text {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

func TestErrorsNameNoPath(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	_, err := devissuer.Open(filepath.Join(file, "below"))
	if err == nil || strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
}

func TestExtraClaimsOfTheCommandLine(t *testing.T) {
	for text, want := range map[string]string{
		"a=1":           `1`,
		"a=x":           `"x"`,
		"a=":            `""`,
		"a=null":        `null`,
		"a=[1,\"b\"]":   `[1,"b"]`,
		"a=b=c":         `"b=c"`,
		`a="1"`:         `"1"`,
		`a={"jkt":"x"}`: `{"jkt":"x"}`,
		"a={":           `"{"`,
	} {
		name, value, err := devissuer.ParseExtra(text)
		must(t, err)
		if got, _ := json.Marshal(value); name != "a" || string(got) != want {
			t.Errorf("%s: got %s = %s", text, name, got)
		}
	}
	for _, text := range []string{"", "a", "=x"} {
		if _, _, err := devissuer.ParseExtra(text); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: got %v", text, err)
		}
	}
}
