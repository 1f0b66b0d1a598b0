package oidc

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
)

// fakeServer is an authorization server that knows some opaque tokens.
type fakeServer struct {
	*httptest.Server
	asked atomic.Int64

	mu     sync.Mutex
	tokens map[string]any
	status int
	hold   chan struct{}
	auth   string
	form   string
}

func newFakeServer(t testing.TB, tokens map[string]any) *fakeServer {
	t.Helper()
	f := &fakeServer{tokens: tokens, status: http.StatusOK}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.asked.Add(1)
	f.mu.Lock()
	f.auth = r.Header.Get("Authorization")
	f.form = r.Method + " " + r.Header.Get("Content-Type") + " " + r.PostFormValue("token_type_hint") + " " + r.URL.RawQuery
	answer, status, hold := f.tokens[r.PostFormValue("token")], f.status, f.hold
	f.mu.Unlock()
	if hold != nil {
		<-hold
	}
	w.WriteHeader(status)
	if answer == nil {
		answer = claims{"active": false}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (f *fakeServer) config(t testing.TB) *Introspection {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(file, []byte("p:w\n"), 0o600))
	return &Introspection{
		Endpoint: f.URL, Alias: "as", ClientID: "coffer", SecretFile: file, Reach: Reach{AllowPrivate: true},
	}
}

func active(changes claims) claims {
	return claims{"active": true, "sub": "alice", "scope": "secrets.read", "exp": testNow().Add(time.Hour).Unix()}.with(changes)
}

func TestOpaqueTokens(t *testing.T) {
	k := newES256(t, "k1")
	tests := map[string]struct {
		answer any
		kind   fault.Kind
		code   string
		sub    string
	}{
		"active":             {active(nil), 0, "", "auth:account:as:alice"},
		"of its issuer":      {active(claims{"iss": "https://as.example"}), 0, "", "auth:account:as:alice"},
		"of our issuer":      {active(claims{"iss": testIssuer}), fault.Unauthenticated, identity.CodeUnauthenticated, ""},
		"of no issuer":       {active(claims{"iss": 7}), fault.Unauthenticated, identity.CodeUnauthenticated, ""},
		"without exp":        {active(claims{"exp": nil}), 0, "", "auth:account:as:alice"},
		"right audience":     {active(claims{"aud": "crud.secrets"}), 0, "", "auth:account:as:alice"},
		"unknown":            {nil, fault.Unauthenticated, identity.CodeUnauthenticated, ""},
		"inactive":           {active(claims{"active": false}), fault.Unauthenticated, identity.CodeUnauthenticated, ""},
		"active as text":     {active(claims{"active": "true"}), fault.Unauthenticated, identity.CodeUnauthenticated, ""},
		"active as a number": {active(claims{"active": 1}), fault.Unauthenticated, identity.CodeUnauthenticated, ""},
		"without active":     {active(claims{"active": nil}), fault.Unauthenticated, identity.CodeUnauthenticated, ""},
		"expired all the same": {
			active(claims{"exp": testNow().Add(-time.Hour).Unix()}), fault.Unauthenticated, identity.CodeUnauthenticated, "",
		},
		"without sub":    {active(claims{"sub": nil}), fault.Unauthenticated, identity.CodeUnauthenticated, ""},
		"wrong audience": {active(claims{"aud": []string{}}), fault.Forbidden, identity.CodeAudience, ""},
		"bound to a key": {active(claims{"cnf": claims{"jkt": "x"}}), fault.Unauthenticated, identity.CodeBinding, ""},
		"no object":      {[]int{1}, fault.Unavailable, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFakeServer(t, map[string]any{"opaque-token": test.answer})
			server := f.config(t)
			server.Issuer = "https://as.example"
			a := newAuthenticator(t, newFakeClock(), Config{
				Introspection: server, Issuers: []Issuer{localIssuer(testIssuer, "idp", k)},
			})
			if test.sub == "" {
				reject(t, a, bearer("opaque-token"), test.kind, test.code)
				return
			}
			if p := accept(t, a, bearer("opaque-token")); p.Subject != test.sub || !p.HasScope("secrets.read") {
				t.Errorf("got %+v", p)
			}
		})
	}
}

// Only tokens that are not of our own issuers are asked about, whatever their form.
func TestSignedTokensOfOthersAreAskedAbout(t *testing.T) {
	k := newES256(t, "k1")
	foreign := k.sign(t, goodClaims("https://as.example"), nil)
	forged := newES256(t, "k1").sign(t, goodClaims(testIssuer), nil)
	f := newFakeServer(t, map[string]any{foreign: active(nil), forged: active(nil), "ey.x.y": active(nil)})
	a := newAuthenticator(t, newFakeClock(), Config{
		Introspection: f.config(t), Issuers: []Issuer{localIssuer(testIssuer, "idp", k)},
	})
	for _, token := range []string{foreign, "ey.x.y"} {
		if p := accept(t, a, bearer(token)); p.Subject != "auth:account:as:alice" {
			t.Errorf("got %s", p.Subject)
		}
	}
	asked := f.asked.Load()
	reject(t, a, bearer(forged), fault.Unauthenticated, identity.CodeUnauthenticated)
	if f.asked.Load() != asked {
		t.Error("a token that fails here was asked about")
	}
}

func TestIntrospectionAuthenticatesAndHidesTheToken(t *testing.T) {
	f := newFakeServer(t, map[string]any{"opaque-token": active(nil)})
	a := newAuthenticator(t, newFakeClock(), Config{Introspection: f.config(t)})
	accept(t, a, bearer("opaque-token"))
	if f.form != "POST application/x-www-form-urlencoded access_token " {
		t.Errorf("asked by %q", f.form)
	}
	if f.auth != "Basic Y29mZmVyOnAlM0F3" { // coffer:p%3Aw
		t.Errorf("authenticated by %q", f.auth)
	}
}

func TestWhatWasVouchedForIsRememberedForAMinute(t *testing.T) {
	f := newFakeServer(t, map[string]any{
		"long":  active(nil),
		"short": active(claims{"exp": testNow().Add(-30 * time.Second).Unix()}),
	})
	clock := newFakeClock()
	a := newAuthenticator(t, clock, Config{Introspection: f.config(t)})
	for range 10 {
		accept(t, a, bearer("long"))
		accept(t, a, bearer("short")) // within the leeway
	}
	if n := f.asked.Load(); n != 2 {
		t.Errorf("asked %d times, want 2", n)
	}
	f.mu.Lock()
	f.tokens = nil
	f.mu.Unlock()
	clock.Add(30 * time.Second)
	accept(t, a, bearer("long"))
	reject(t, a, bearer("short"), fault.Unauthenticated, identity.CodeUnauthenticated)
	clock.Add(30 * time.Second)
	reject(t, a, bearer("long"), fault.Unauthenticated, identity.CodeUnauthenticated)
}

func TestFailuresAreNotRemembered(t *testing.T) {
	f := newFakeServer(t, map[string]any{"opaque-token": active(nil)})
	a := newAuthenticator(t, newFakeClock(), Config{Introspection: f.config(t)})
	f.mu.Lock()
	f.status = http.StatusInternalServerError
	f.mu.Unlock()
	reject(t, a, bearer("opaque-token"), fault.Unavailable, "")
	f.mu.Lock()
	f.status = http.StatusOK
	f.mu.Unlock()
	accept(t, a, bearer("opaque-token"))
}

func TestConcurrentRequestsAskOnce(t *testing.T) {
	hold := make(chan struct{})
	f := newFakeServer(t, map[string]any{"opaque-token": active(nil)})
	f.hold = hold
	a := newAuthenticator(t, newFakeClock(), Config{Introspection: f.config(t)})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { accept(t, a, bearer("opaque-token")) })
	}
	time.Sleep(50 * time.Millisecond)
	close(hold)
	wg.Wait()
	if n := f.asked.Load(); n > 2 { // one may come between the answer and its entry
		t.Errorf("50 requests asked %d times", n)
	}
}

func TestQuestionsEnd(t *testing.T) {
	f := newFakeServer(t, nil)
	a := newAuthenticator(t, newFakeClock(), Config{Introspection: f.config(t)})
	for i := range 2 * maxQueries {
		reject(t, a, bearer(fmt.Sprint("unknown-", i)), fault.Unauthenticated, identity.CodeUnauthenticated)
	}
}

func TestQuestionsAtOnceAreBounded(t *testing.T) {
	hold := make(chan struct{})
	f := newFakeServer(t, nil)
	f.hold = hold
	a := newAuthenticator(t, newFakeClock(), Config{Introspection: f.config(t)})
	var wg sync.WaitGroup
	for i := range 3 * maxQueries {
		wg.Go(func() {
			reject(t, a, bearer(fmt.Sprint("unknown-", i)), fault.Unauthenticated, identity.CodeUnauthenticated)
		})
	}
	time.Sleep(100 * time.Millisecond)
	if n := f.asked.Load(); n > maxQueries {
		t.Errorf("%d questions are under way", n)
	}
	close(hold)
	wg.Wait()
}

func TestACallerDoesNotWaitForever(t *testing.T) {
	hold := make(chan struct{})
	f := newFakeServer(t, nil)
	f.hold = hold
	defer close(hold)
	a := newAuthenticator(t, newFakeClock(), Config{Introspection: f.config(t)})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := a.Authenticate(ctx, bearer("opaque-token")); fault.KindOf(err) != fault.Timeout {
		t.Errorf("got %v", err)
	}
}

func TestC42TheReservedWordIsNeverAskedAbout(t *testing.T) {
	f := newFakeServer(t, map[string]any{"internal": active(nil)})
	a := newAuthenticator(t, newFakeClock(), Config{Introspection: f.config(t), AcceptCertificates: true})
	reject(t, a, bearer("internal"), fault.Unauthenticated, identity.CodeUnauthenticated)
	reject(t, a, identity.Credentials{Session: "internal"}, fault.Unauthenticated, identity.CodeUnauthenticated)
	reject(t, a, identity.Credentials{}, fault.Unauthenticated, identity.CodeUnauthenticated)
	if f.asked.Load() != 0 {
		t.Error("the server was asked")
	}
}

func TestSessionsNeedTheCSRFPairToChangeAnything(t *testing.T) {
	k := newES256(t, "k1")
	f := newFakeServer(t, map[string]any{"session-id": active(nil)})
	a := newAuthenticator(t, newFakeClock(), Config{
		Introspection: f.config(t), Issuers: []Issuer{localIssuer(testIssuer, "idp", k)},
	})
	for _, session := range []string{"session-id", k.sign(t, goodClaims(testIssuer), nil)} {
		for name, test := range map[string]struct {
			mutation       bool
			header, cookie string
			ok             bool
		}{
			"read without":      {false, "", "", true},
			"change with":       {true, "c", "c", true},
			"change without":    {true, "", "", false},
			"header alone":      {true, "c", "", false},
			"cookie alone":      {true, "", "c", false},
			"another":           {true, "c", "d", false},
			"a prefix":          {true, "c", "cc", false},
			"read with another": {false, "c", "d", true},
		} {
			t.Run(name, func(t *testing.T) {
				c := identity.Credentials{
					Session: session, Mutation: test.mutation, CSRFHeader: test.header, CSRFCookie: test.cookie,
				}
				if test.ok {
					accept(t, a, c)
				} else {
					reject(t, a, c, fault.Forbidden, identity.CodeCSRF)
				}
			})
		}
	}
	bad := identity.Credentials{Session: "unknown", Mutation: true}
	reject(t, a, bad, fault.Unauthenticated, identity.CodeUnauthenticated)
}

func TestATokenBesideASession(t *testing.T) {
	k := newES256(t, "k1")
	f := newFakeServer(t, map[string]any{"session-id": active(claims{"sub": "bob"})})
	a := newAuthenticator(t, newFakeClock(), Config{
		Introspection: f.config(t), Issuers: []Issuer{localIssuer(testIssuer, "idp", k)},
	})
	c := identity.Credentials{Bearer: k.sign(t, goodClaims(testIssuer), nil), Session: "session-id", Mutation: true}
	if p := accept(t, a, c); p.ID != "alice" {
		t.Errorf("the session won: %s", p.ID)
	}
	c.Bearer = "internal"
	c.Mutation = false
	reject(t, a, c, fault.Unauthenticated, identity.CodeUnauthenticated) // not made good by the session
}

func TestTheClientSecretIsReadAnew(t *testing.T) {
	f := newFakeServer(t, map[string]any{"a": active(nil), "b": active(nil)})
	config := f.config(t)
	a := newAuthenticator(t, newFakeClock(), Config{Introspection: config})
	accept(t, a, bearer("a"))
	before := f.auth
	must(t, os.WriteFile(config.SecretFile, []byte("rotated"), 0o600))
	accept(t, a, bearer("b"))
	if f.auth == before {
		t.Error("the old secret is still used")
	}
	must(t, os.Remove(config.SecretFile))
	_, err := a.Authenticate(context.Background(), bearer("c"))
	if fault.KindOf(err) != fault.Unavailable || strings.Contains(err.Error(), config.SecretFile) {
		t.Errorf("got %v", err)
	}
}
