package oidc

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
)

func TestForgedTokensCostOneFetch(t *testing.T) {
	good, forger := newES256(t, "good"), newES256(t, "")
	f := newFakeIssuer(t, good)
	clock := newFakeClock()
	a := newAuthenticator(t, clock, Config{Issuers: []Issuer{f.issuer("idp")}})
	flood := func() {
		var wg sync.WaitGroup
		for i := range 200 {
			forger.kid = fmt.Sprintf("forged-%d", i)
			token := forger.sign(t, goodClaims(f.URL), nil)
			wg.Go(func() { reject(t, a, bearer(token), fault.Unauthenticated, identity.CodeUnauthenticated) })
		}
		wg.Wait()
	}
	flood()
	if n := f.fetches.Load(); n != 1 {
		t.Fatalf("200 forged tokens at the start cost %d fetches", n)
	}
	clock.Add(refetchGap)
	flood()
	flood()
	if n := f.fetches.Load(); n != 2 {
		t.Fatalf("400 forged tokens later cost %d fetches, want 1 more", n)
	}
	accept(t, a, bearer(good.sign(t, goodClaims(f.URL), nil)))
}

func TestRotation(t *testing.T) {
	first, second := newES256(t, "first"), newES256(t, "second")
	f := newFakeIssuer(t, first)
	clock := newFakeClock()
	a := newAuthenticator(t, clock, Config{Issuers: []Issuer{f.issuer("idp")}})
	old := bearer(first.sign(t, goodClaims(f.URL), nil))
	accept(t, a, old)

	f.publish(first, second)
	fresh := bearer(second.sign(t, goodClaims(f.URL), nil))
	reject(t, a, fresh, fault.Unauthenticated, identity.CodeUnauthenticated) // asked a moment ago
	clock.Add(refetchGap)
	accept(t, a, fresh)
	accept(t, a, old)

	f.publish(second)
	clock.Add(refetchGap)
	reject(t, a, bearer(newES256(t, "unknown").sign(t, goodClaims(f.URL), nil)), fault.Unauthenticated, identity.CodeUnauthenticated)
	reject(t, a, old, fault.Unauthenticated, identity.CodeUnauthenticated) // although it was remembered
	accept(t, a, fresh)

	f.publish()
	clock.Add(refetchGap)
	reject(t, a, bearer(newES256(t, "unknown").sign(t, goodClaims(f.URL), nil)), fault.Unauthenticated, identity.CodeUnauthenticated)
	reject(t, a, fresh, fault.Unauthenticated, identity.CodeUnauthenticated)
}

func TestAKidWithANewKeyDropsWhatTheOldOneVerified(t *testing.T) {
	first, second := newES256(t, "same"), newES256(t, "same")
	f := newFakeIssuer(t, first)
	clock := newFakeClock()
	a := newAuthenticator(t, clock, Config{Issuers: []Issuer{f.issuer("idp")}})
	old := bearer(first.sign(t, goodClaims(f.URL), nil))
	accept(t, a, old)
	f.publish(second)
	clock.Add(refetchGap)
	reject(t, a, bearer(newES256(t, "x").sign(t, goodClaims(f.URL), nil)), fault.Unauthenticated, identity.CodeUnauthenticated)
	reject(t, a, old, fault.Unauthenticated, identity.CodeUnauthenticated)
	accept(t, a, bearer(second.sign(t, goodClaims(f.URL), nil)))
}

func TestKeysServeOnWhileTheIssuerIsDown(t *testing.T) {
	k := newES256(t, "k1")
	f := newFakeIssuer(t, k)
	clock := newFakeClock()
	a := newAuthenticator(t, clock, Config{Issuers: []Issuer{f.issuer("idp")}})
	must(t, a.Ready(context.Background()))
	f.set(func(f *fakeIssuer) { f.down = true })
	for _, late := range []time.Duration{defaultFresh, maxStale, 24 * time.Hour} {
		clock.Add(late)
		must(t, a.Ready(context.Background()))
		accept(t, a, bearer(k.sign(t, goodClaims(f.URL).with(claims{"exp": clock.Now().Add(time.Hour).Unix()}), nil)))
	}
	if n := f.fetches.Load(); n < 2 {
		t.Errorf("the issuer was not asked again: %d fetches", n)
	}
}

func TestStaleKeysAreRefreshedBehindTheRequest(t *testing.T) {
	first, second := newES256(t, "first"), newES256(t, "second")
	f := newFakeIssuer(t, first)
	clock := newFakeClock()
	a := newAuthenticator(t, clock, Config{Issuers: []Issuer{f.issuer("idp")}})
	accept(t, a, bearer(first.sign(t, goodClaims(f.URL), nil)))

	hold := make(chan struct{})
	f.publish(second)
	f.set(func(f *fakeIssuer) { f.hold = hold })
	clock.Add(defaultFresh)
	token := first.sign(t, goodClaims(f.URL).with(claims{"jti": "other"}), nil)
	accept(t, a, bearer(token)) // not held up by the issuer that hangs
	close(hold)
	deadline := time.Now().Add(5 * time.Second)
	for {
		if _, err := a.Authenticate(context.Background(), bearer(token)); err != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the withdrawn key still verifies")
		}
		time.Sleep(time.Millisecond)
	}
	if n := f.fetches.Load(); n != 2 {
		t.Errorf("%d fetches, want 2", n)
	}
}

func TestAnIssuerWithoutKeysIsUnavailable(t *testing.T) {
	k := newES256(t, "k1")
	f := newFakeIssuer(t, k)
	f.set(func(f *fakeIssuer) { f.down = true })
	clock := newFakeClock()
	a := newAuthenticator(t, clock, Config{Issuers: []Issuer{f.issuer("idp")}})
	token := bearer(k.sign(t, goodClaims(f.URL), nil))
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { reject(t, a, token, fault.Unavailable, "") })
	}
	wg.Wait()
	if n := f.fetches.Load(); n != 1 {
		t.Errorf("50 requests cost %d fetches", n)
	}
	if fault.KindOf(a.Ready(context.Background())) != fault.Unavailable {
		t.Error("ready without keys")
	}
	f.set(func(f *fakeIssuer) { f.down = false })
	clock.Add(firstGap)
	accept(t, a, token)
	must(t, a.Ready(context.Background()))
}

func TestACallerWhoStopsWaitingLeavesTheFetchToOthers(t *testing.T) {
	k := newES256(t, "k1")
	f := newFakeIssuer(t, k)
	hold := make(chan struct{})
	f.set(func(f *fakeIssuer) { f.hold = hold })
	a := newAuthenticator(t, newFakeClock(), Config{Issuers: []Issuer{f.issuer("idp")}})
	token := bearer(k.sign(t, goodClaims(f.URL), nil))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := a.Authenticate(ctx, token); fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("got %v", err)
	}
	close(hold)
	accept(t, a, token)
	if n := f.fetches.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
}

func TestDiscoveryIsNotBelievedBlindly(t *testing.T) {
	k := newES256(t, "k1")
	f := newFakeIssuer(t, k)
	tests := map[string]func(self string) string{
		"another issuer":     func(string) string { return `{"issuer":"https://evil.example","jwks_uri":"` + f.URL + `/keys"}` },
		"no issuer":          func(string) string { return `{"jwks_uri":"` + f.URL + `/keys"}` },
		"keys in a file":     func(self string) string { return `{"issuer":"` + self + `","jwks_uri":"file:///etc/passwd"}` },
		"keys with userinfo": func(self string) string { return `{"issuer":"` + self + `","jwks_uri":"http://u:p@127.0.0.1/"}` },
		"no keys":            func(self string) string { return `{"issuer":"` + self + `"}` },
		"no JSON":            func(string) string { return "<html>" },
	}
	for name, document := range tests {
		t.Run(name, func(t *testing.T) {
			var server *httptest.Server
			server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(document(server.URL)))
			}))
			defer server.Close()
			a := newAuthenticator(t, newFakeClock(), Config{Issuers: []Issuer{
				{URL: server.URL, Alias: "idp", Reach: Reach{AllowPrivate: true}},
			}})
			reject(t, a, bearer(k.sign(t, goodClaims(server.URL), nil)), fault.Unavailable, "")
		})
	}
	if n := f.fetches.Load(); n != 0 {
		t.Errorf("%d key sets were fetched on the word of such documents", n)
	}
}

func TestKeySetDocuments(t *testing.T) {
	k := newES256(t, "k1")
	jwk, err := k.jwk().MarshalJSON()
	must(t, err)
	private, err := (newRSA(t, "p", 2048)).jwk().MarshalJSON()
	must(t, err)
	withOps := func(ops string) string { return string(jwk[:len(jwk)-1]) + `,"key_ops":` + ops + `}` }
	tests := map[string]struct {
		document string
		keys     int
		ok       bool
	}{
		"one":                 {`{"keys":[` + string(jwk) + `]}`, 1, true},
		"twice the same":      {`{"keys":[` + string(jwk) + `,` + string(jwk) + `]}`, 1, true},
		"with unknown types":  {`{"keys":[{"kty":"AKP"},{"kty":"oct","k":"AAAA"},7,` + string(jwk) + `]}`, 1, true},
		"for verification":    {`{"keys":[` + withOps(`["verify"]`) + `]}`, 1, true},
		"for encryption":      {`{"keys":[` + withOps(`["wrapKey"]`) + `]}`, 0, true},
		"key_ops as text":     {`{"keys":[` + withOps(`"verify"`) + `]}`, 0, true},
		"two types":           {`{"keys":[` + string(jwk) + `,` + string(private) + `]}`, 2, true},
		"withdrawn":           {`{"keys":[]}`, 0, true},
		"no keys":             {`{}`, 0, false},
		"an array":            {`[]`, 0, false},
		"no JSON":             {`x`, 0, false},
		"keys as an object":   {`{"keys":{}}`, 0, false},
		"duplicate of member": {`{"keys":[],"keys":[` + string(jwk) + `]}`, 0, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			keys, err := parseKeys([]byte(test.document))
			if len(keys) != test.keys || (err == nil) != test.ok {
				t.Errorf("got %d keys and %v", len(keys), err)
			}
		})
	}
}

func TestFreshnessIsBounded(t *testing.T) {
	for control, want := range map[string]time.Duration{
		"":                       defaultFresh,
		"max-age=600":            10 * time.Minute,
		"public, max-age=600":    10 * time.Minute,
		"max-age=0":              minFresh,
		"max-age=99999999":       maxFresh,
		"max-age=99999999999999": defaultFresh,
		"max-age=-5":             defaultFresh,
		"no-store":               minFresh,
		"NO-CACHE":               minFresh,
		"private":                defaultFresh,
	} {
		if got := freshness(http.Header{"Cache-Control": {control}}); got != want {
			t.Errorf("%q: got %v, want %v", control, got, want)
		}
	}
}

func TestATokenWithoutKidNeedsTheOnlyKeyThatFits(t *testing.T) {
	k, other := newES256(t, ""), newRSA(t, "rsa", 2048)
	a := newAuthenticator(t, newFakeClock(), Config{Issuers: []Issuer{
		localIssuer(testIssuer, "one", k, other),
		localIssuer("https://two.example", "two", k, newES256(t, "second")),
	}})
	accept(t, a, bearer(k.sign(t, goodClaims(testIssuer), nil)))
	reject(t, a, bearer(k.sign(t, goodClaims("https://two.example"), nil)), fault.Unauthenticated, identity.CodeUnauthenticated)
}

func TestOversizedAnswersAreNotRead(t *testing.T) {
	var sent atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		chunk := make([]byte, 64<<10)
		for range 1000 {
			n, err := w.Write(chunk)
			if err != nil {
				return
			}
			sent.Add(int64(n))
		}
	}))
	defer server.Close()
	_, _, err := newCaller(Reach{AllowPrivate: true}).get(context.Background(), server.URL)
	if err == nil {
		t.Fatal("64 MB were taken")
	}
	if sent.Load() > 32<<20 {
		t.Errorf("%d bytes were read", sent.Load())
	}
}
