package oidc

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
)

func TestAVerifiedTokenIsRememberedUntilItEnds(t *testing.T) {
	k := newES256(t, "k1")
	clock := newFakeClock()
	a := newAuthenticator(t, clock, Config{Issuers: []Issuer{localIssuer(testIssuer, "idp", k)}})
	short := k.sign(t, goodClaims(testIssuer).with(claims{"exp": testNow().Add(time.Minute).Unix()}), nil)
	long := k.sign(t, goodClaims(testIssuer), nil)
	remembered := func(token string) bool { return a.tokens.get(a.tokens.id(token), clock.Now()) != nil }

	accept(t, a, bearer(short))
	accept(t, a, bearer(long))
	if !remembered(short) || !remembered(long) {
		t.Fatal("a verified token is not remembered")
	}
	clock.Add(2 * time.Minute) // exp and the leeway
	if remembered(short) {
		t.Error("an expired token is remembered")
	}
	reject(t, a, bearer(short), fault.Unauthenticated, identity.CodeUnauthenticated)
	if !remembered(long) {
		t.Error("a live token is forgotten")
	}
	clock.Add(3 * time.Minute)
	if remembered(long) {
		t.Error("a token is believed unasked for more than five minutes")
	}
	accept(t, a, bearer(long))
}

func TestATokenThatFailsIsNotRemembered(t *testing.T) {
	k := newES256(t, "k1")
	clock := newFakeClock()
	a := newAuthenticator(t, clock, Config{Issuers: []Issuer{localIssuer(testIssuer, "idp", k)}})
	forged := newES256(t, "k1").sign(t, goodClaims(testIssuer), nil)
	early := k.sign(t, goodClaims(testIssuer).with(claims{"nbf": testNow().Add(2 * time.Minute).Unix()}), nil)
	for range 3 {
		reject(t, a, bearer(forged), fault.Unauthenticated, identity.CodeUnauthenticated)
		reject(t, a, bearer(early), fault.Unauthenticated, identity.CodeUnauthenticated)
	}
	clock.Add(time.Minute)
	accept(t, a, bearer(early))
}

func TestTheMemoryIsBounded(t *testing.T) {
	cache, err := newTokenCache(shards*4, rand.Reader)
	must(t, err)
	now := testNow()
	favourite := cache.id("favourite")
	cache.put(favourite, &verified{until: now.Add(time.Hour)})
	for i := range 10_000 {
		cache.put(cache.id(fmt.Sprint("token-", i)), &verified{until: now.Add(time.Hour)})
		if cache.get(favourite, now) == nil {
			t.Fatalf("a token in use was put out after %d others", i)
		}
	}
	total := 0
	for i := range cache.shards {
		if len(cache.shards[i].index) != len(cache.shards[i].slots) {
			t.Errorf("shard %d: %d names for %d slots", i, len(cache.shards[i].index), len(cache.shards[i].slots))
		}
		total += len(cache.shards[i].slots)
	}
	if total > shards*4 {
		t.Errorf("%d tokens are kept, want at most %d", total, shards*4)
	}
}

func TestPuttingATokenAgainReplacesIt(t *testing.T) {
	cache, err := newTokenCache(1, rand.Reader)
	must(t, err)
	id, now := cache.id("t"), testNow()
	cache.put(id, &verified{until: now})
	if cache.get(id, now) != nil {
		t.Error("a token is live at its end")
	}
	cache.put(id, &verified{until: now.Add(time.Second)})
	if cache.get(id, now) == nil {
		t.Error("the newer entry is not found")
	}
}

func TestNamesOfTokensDifferByProcess(t *testing.T) {
	one, err := newTokenCache(1, rand.Reader)
	must(t, err)
	two, err := newTokenCache(1, rand.Reader)
	must(t, err)
	if one.id("t") == two.id("t") {
		t.Error("the name of a token can be known from outside")
	}
	if first := one.id("t"); one.id("t") != first || one.id("u") == first {
		t.Error("names do not tell tokens apart")
	}
}

func TestNoMemoryWithoutRandomness(t *testing.T) {
	_, err := New(Config{Random: iotest.ErrReader(errors.New("empty"))})
	if fault.KindOf(err) != fault.Internal {
		t.Errorf("got %v", err)
	}
}

func TestTheMemoryUnderConcurrency(t *testing.T) {
	k, other := newES256(t, "k1"), newES256(t, "k2")
	f := newFakeIssuer(t, k, other)
	clock := newFakeClock()
	a := newAuthenticator(t, clock, Config{Issuers: []Issuer{f.issuer("idp")}, CacheSize: 8})
	tokens := make([]string, 32)
	for i := range tokens {
		tokens[i] = k.sign(t, goodClaims(f.URL).with(claims{"sub": fmt.Sprint("user-", i)}), nil)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i, token := range tokens {
				if p := accept(t, a, bearer(token)); p.ID != fmt.Sprint("user-", i) {
					t.Errorf("token %d is %s", i, p.ID)
				}
			}
		})
	}
	wg.Wait()
}

// longToken is of the size that issuers make in practice.
func longToken(b *testing.B, k signingKey) string {
	b.Helper()
	return k.sign(b, goodClaims(testIssuer).with(claims{"groups": []string{strings.Repeat("group", 100)}}), nil)
}

func BenchmarkRememberedToken(b *testing.B) {
	k := newRSA(b, "k1", 2048)
	a := newAuthenticator(b, newFakeClock(), Config{Issuers: []Issuer{localIssuer(testIssuer, "idp", k)}})
	c := bearer(longToken(b, k))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFreshToken(b *testing.B) {
	for name, k := range map[string]signingKey{
		"RS256": newRSA(b, "k1", 2048), "ES256": newES256(b, "k1"), "EdDSA": newEd(b, "k1"),
	} {
		a := newAuthenticator(b, newFakeClock(), Config{Issuers: []Issuer{localIssuer(testIssuer, "idp", k)}})
		token, from := longToken(b, k), a.issuers[testIssuer]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c, _ := parseCompact(token, maxToken)
				if _, err := a.verifySigned(b.Context(), c, from); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkForgedToken(b *testing.B) {
	k := newRSA(b, "k1", 2048)
	a := newAuthenticator(b, newFakeClock(), Config{Issuers: []Issuer{localIssuer(testIssuer, "idp", k)}})
	c := bearer(newES256(b, "k1").sign(b, goodClaims(testIssuer), nil))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(b.Context(), c); err == nil {
			b.Fatal("accepted")
		}
	}
}
