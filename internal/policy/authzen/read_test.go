package authzen

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
)

// granting is a permit with obligations.
func granting(obligations string) func(call) (int, string) {
	return always(`{"decision":true,"context":{"policy_version":"v1","obligations":` + obligations + `}}`)
}

func TestGrantServesItsUses_C49(t *testing.T) {
	p := newPDP(t, granting(`{"max_uses":2,"classification":"secret","wrap_ttl":30}`))
	d, _ := newDecider(t, p.URL, nil)
	for i, want := range []struct {
		calls  int
		cached bool
	}{{1, false}, {1, true}, {2, false}, {2, true}, {3, false}} {
		dec := decide(d, reading(t))
		expect(t, dec, "")
		if dec.Cached != want.cached || dec.WrapTTL != 30 || dec.Classification != "secret" || dec.GrantID == "" {
			t.Errorf("read %d: %+v", i+1, dec)
		}
		p.expectCalls(t, want.calls)
	}
}

func TestGrantLimits(t *testing.T) {
	for name, c := range map[string]struct {
		obligations string
		reads       int
		pause       time.Duration
		calls       int
	}{
		"one use by default":             {`{}`, 3, 0, 3},
		"configured ttl":                 {`{"max_uses":9}`, 3, 299 * time.Second, 2},
		"ttl ends the grant":             {`{"max_uses":9,"ttl_s":10}`, 3, 10 * time.Second, 3},
		"ttl lasts":                      {`{"max_uses":9,"ttl_s":10}`, 3, 4 * time.Second, 1},
		"ttl 0 remembers nothing":        {`{"max_uses":9,"ttl_s":0}`, 3, 0, 3},
		"ttl is bounded":                 {`{"max_uses":9,"ttl_s":2000000000}`, 3, 13 * time.Hour, 2},
		"revalidate on unseen event":     {`{"max_uses":9,"must_revalidate_on":["moon"]}`, 3, 0, 3},
		"revalidate on policy change":    {`{"max_uses":9,"must_revalidate_on":["policy_version"]}`, 3, 0, 1},
		"revalidate on either as a text": {`{"max_uses":9,"must_revalidate_on":"each_use"}`, 2, 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPDP(t, granting(c.obligations))
			d, clock := newDecider(t, p.URL, nil)
			for range c.reads {
				expect(t, decide(d, reading(t)), "")
				clock.pass(c.pause)
			}
			p.expectCalls(t, c.calls)
		})
	}
}

func TestGrantBelongsToItsKey(t *testing.T) {
	p := newPDP(t, granting(`{"max_uses":100}`))
	d, _ := newDecider(t, p.URL, nil)
	expect(t, decide(d, reading(t)), "")
	for i, change := range []func(*policy.Request){
		func(r *policy.Request) { r.Principal.Subject = "auth:account:main:bob" },
		func(r *policy.Request) { r.Principal.Tenant = "other" },
		func(r *policy.Request) { r.URI = r.URI.At(2) },
		func(r *policy.Request) { r.URI.Fragment = "other" },
	} {
		r := reading(t)
		change(&r)
		expect(t, decide(d, r), "")
		p.expectCalls(t, i+2)
	}
}

func TestOtherPurposesAskEachTime(t *testing.T) {
	p := newPDP(t, granting(`{"max_uses":100}`))
	d, _ := newDecider(t, p.URL, nil)
	for i := range 3 {
		expect(t, decide(d, writing(t, "a")), "")
		p.expectCalls(t, i+1)
	}
	p.now(always(`{"decision":false}`))
	expect(t, decide(d, writing(t, "a")), policy.ReasonPolicy)
	p.now(always(permit))
	expect(t, decide(d, writing(t, "a")), "")
}

func TestBinding_C50(t *testing.T) {
	key := func(r policy.Request, jkt string) policy.Request {
		r.Principal.Binding = identity.Binding{JKT: jkt}
		return r
	}
	for name, obligations := range map[string]string{
		"uses left":   `{"max_uses":9,"cnf_binding":"jkt:a"}`,
		"spent":       `{"cnf_binding":"jkt:a"}`,
		"object form": `{"max_uses":9,"cnf_binding":{"jkt":"a"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			p := newPDP(t, granting(obligations))
			d, _ := newDecider(t, p.URL, nil)
			expect(t, decide(d, key(reading(t), "a")), "")
			expect(t, decide(d, key(reading(t), "b")), policy.ReasonBinding)
			expect(t, decide(d, key(reading(t), "")), policy.ReasonBinding)
			p.expectCalls(t, 1)
			expect(t, decide(d, key(reading(t), "a")), "") // a drift is not remembered
		})
	}
	t.Run("fresh permit for another key", func(t *testing.T) {
		p := newPDP(t, granting(`{"max_uses":1,"wrap_ttl":5,"cnf_binding":"jkt:a"}`))
		d, _ := newDecider(t, p.URL, nil)
		dec := decide(d, key(reading(t), "b"))
		expect(t, dec, policy.ReasonBinding)
		if dec.WrapTTL != 0 {
			t.Errorf("a refusal is wrapped: %+v", dec)
		}
		dec = decide(d, key(reading(t), "a")) // the one use is still there
		expect(t, dec, "")
		if !dec.Cached || dec.WrapTTL != 5 {
			t.Errorf("decision %+v", dec)
		}
		p.expectCalls(t, 1)
		expect(t, decide(d, key(writing(t, "a"), "b")), policy.ReasonBinding)
	})
}

func TestWrongCallerDoesNotBlockRightOne_C51(t *testing.T) {
	p := newPDP(t, always(permit))
	d, _ := newDecider(t, p.URL, func(c *Config) { c.Replay = ReplayJTI })
	wrong := reading(t)
	wrong.Principal.TokenID = "" // cannot prove single use
	for range 10 {
		dec := decide(d, wrong)
		expect(t, dec, policy.ReasonReplay)
		if dec.Cached {
			t.Fatal("a replay was remembered")
		}
	}
	p.expectCalls(t, 0)
	expect(t, decide(d, reading(t)), "")
}

func TestRefusalIsRepeated(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		why    policy.Reason
	}{"denied": {200, policy.ReasonPolicy}, "unreachable": {500, policy.ReasonUnavailable}} {
		t.Run(name, func(t *testing.T) {
			p := newPDP(t, func(call) (int, string) {
				return c.status, `{"decision":false,"context":{"id":"no-1"}}`
			})
			var hits atomic.Int32
			d, clock := newDecider(t, p.URL, func(cfg *Config) {
				cfg.Jitter = func() time.Duration { return 300 * time.Millisecond }
				cfg.Observe.NegativeHit = func() { hits.Add(1) }
			})
			first := decide(d, reading(t))
			expect(t, first, c.why)
			p.now(always(permit))
			clock.pass(5299 * time.Millisecond)
			again := decide(d, reading(t))
			expect(t, again, c.why)
			if !again.Cached || first.Cached || again.ID != first.ID || hits.Load() != 1 {
				t.Errorf("first %+v again %+v hits %d", first, again, hits.Load())
			}
			p.expectCalls(t, 1)
			clock.pass(time.Millisecond)
			expect(t, decide(d, reading(t)), "")
			expect(t, decide(d, reading(t)), "") // the permit has cleared it
		})
	}
}

func TestRefusalsAreNotRememberedWhenOff(t *testing.T) {
	p := newPDP(t, always(`{"decision":false}`))
	d, _ := newDecider(t, p.URL, func(c *Config) { c.NegativeTTL = -1 })
	expect(t, decide(d, reading(t)), policy.ReasonPolicy)
	p.now(always(permit))
	expect(t, decide(d, reading(t)), "")
}

func TestCallerWhoLeavesBlamesNobody(t *testing.T) {
	entered := make(chan struct{}, 1)
	release := make(chan struct{})
	p := newPDP(t, func(c call) (int, string) {
		if c.n == 1 {
			entered <- struct{}{}
			<-release
		}
		return http.StatusOK, permit
	})
	d, _ := newDecider(t, p.URL, func(c *Config) {
		c.Observe.Failed = func(err error) { t.Errorf("counted as a failure: %v", err) }
	})
	ctx, leave := context.WithCancel(t.Context())
	go func() { <-entered; leave() }()
	expect(t, d.Decide(ctx, reading(t)), policy.ReasonUnavailable)
	close(release)
	expect(t, decide(d, reading(t)), "")
}

func TestWaitingForTheKeyCanBeCancelled(t *testing.T) {
	release := make(chan struct{})
	entered := make(chan struct{}, 1)
	p := newPDP(t, func(c call) (int, string) {
		if c.n == 1 {
			entered <- struct{}{}
			<-release
		}
		return http.StatusOK, permit
	})
	d, _ := newDecider(t, p.URL, nil)
	done := make(chan policy.Decision, 1)
	go func() { done <- decide(d, reading(t)) }()
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	expect(t, d.Decide(ctx, reading(t)), policy.ReasonUnavailable)
	close(release)
	expect(t, <-done, "")
}

func TestAnotherPolicyVersionEndsGrants(t *testing.T) {
	version := func(v string) func(call) (int, string) {
		return always(fmt.Sprintf(`{"decision":true,"context":{"policy_version":%q,"obligations":{"max_uses":9}}}`, v))
	}
	p := newPDP(t, version("v1"))
	d, _ := newDecider(t, p.URL, nil)
	expect(t, decide(d, reading(t)), "")
	expect(t, decide(d, writing(t, "a")), "") // the same version ends nothing
	p.now(always(`{"decision":true}`))
	expect(t, decide(d, writing(t, "a")), "") // no version ends nothing
	if dec := decide(d, reading(t)); !dec.Cached {
		t.Fatalf("grant was dropped: %+v", dec)
	}
	p.now(version("v2"))
	expect(t, decide(d, writing(t, "a")), "")
	if dec := decide(d, reading(t)); dec.Cached || dec.PolicyVersion != "v2" {
		t.Errorf("grant of the old policy served: %+v", dec)
	}
	if dec := decide(d, reading(t)); !dec.Cached {
		t.Errorf("grant of the new policy does not serve: %+v", dec)
	}
}

func TestEraOfAnOvertakenAnswerIsOver(t *testing.T) {
	var e era
	first := e.settle(e.current(), "v1")
	asked := e.current()
	second := e.settle(e.current(), "v2") // overtakes
	if late := e.settle(asked, "v1"); late == e.current() || late == second || first == second {
		t.Errorf("late answer of era %d stands in era %d", late, e.current())
	}
	if again := e.settle(e.current(), "v2"); again != e.current() {
		t.Errorf("era %d, current %d", again, e.current())
	}
}

// TestUsesAreCountedOnce: a hundred readers of one key with ten uses a grant ask
// exactly ten times, whatever their timing.
func TestUsesAreCountedOnce(t *testing.T) {
	p := newPDP(t, func(call) (int, string) {
		time.Sleep(time.Millisecond)
		return http.StatusOK, `{"decision":true,"context":{"obligations":{"max_uses":10}}}`
	})
	var hits, misses atomic.Int32
	d, _ := newDecider(t, p.URL, func(c *Config) {
		c.Observe.GrantHit = func() { hits.Add(1) }
		c.Observe.GrantMiss = func() { misses.Add(1) }
	})
	uses := sync.Map{}
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			dec := decide(d, reading(t))
			if !dec.Permit {
				t.Errorf("refused: %+v", dec)
			}
			n, _ := uses.LoadOrStore(dec.GrantID, new(atomic.Int32))
			n.(*atomic.Int32).Add(1)
		})
	}
	wg.Wait()
	p.expectCalls(t, 10)
	uses.Range(func(id, n any) bool {
		if got := n.(*atomic.Int32).Load(); got != 10 {
			t.Errorf("grant %v served %d", id, got)
		}
		return true
	})
	if hits.Load() != 90 || misses.Load() != 10 {
		t.Errorf("%d hits, %d misses", hits.Load(), misses.Load())
	}
}

func TestTableIsBounded(t *testing.T) {
	p := newPDP(t, granting(`{"max_uses":9}`))
	d, _ := newDecider(t, p.URL, func(c *Config) { c.MaxEntries = 2 })
	read := func(fragment string) policy.Decision {
		r := reading(t)
		r.URI.Fragment = fragment
		return decide(d, r)
	}
	read("a")
	read("b")
	read("a") // b is now the oldest
	read("c")
	if len(d.table.slots) != 2 || d.table.idle.Len() != 2 {
		t.Errorf("%d slots, %d idle", len(d.table.slots), d.table.idle.Len())
	}
	if dec := read("a"); !dec.Cached {
		t.Error("the key in use was forgotten")
	}
	if dec := read("b"); dec.Cached || !dec.Permit {
		t.Errorf("forgotten key: %+v", dec)
	}
}

func TestTableFullOfUsersRefuses(t *testing.T) {
	table := newTable(1)
	s, err := table.acquire(t.Context(), key{subject: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.acquire(t.Context(), key{subject: "b"}); err == nil {
		t.Fatal("a slot in use was given away")
	}
	table.release(s)
	if _, err := table.acquire(t.Context(), key{subject: "b"}); err != nil {
		t.Errorf("an unused slot blocks the table: %v", err)
	}
}

func TestObserveDecided(t *testing.T) {
	p := newPDP(t, granting(`{"max_uses":2}`))
	var hits []bool
	d, _ := newDecider(t, p.URL, func(c *Config) {
		c.Observe.Decided = func(_ time.Duration, hit bool) { hits = append(hits, hit) }
	})
	decide(d, reading(t))
	decide(d, reading(t))
	if len(hits) != 2 || hits[0] || !hits[1] {
		t.Errorf("observed %v", hits)
	}
}

// BenchmarkReadUnderGrant is what a remembered permit costs a read.
func BenchmarkReadUnderGrant(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"decision":true,"context":{"obligations":{"max_uses":2000000000,"ttl_s":86400}}}`)
	}))
	defer server.Close()
	d, err := New(b.Context(), Config{URL: server.URL})
	if err != nil {
		b.Fatal(err)
	}
	r := reading(b)
	b.ReportAllocs()
	for b.Loop() {
		if dec := d.Decide(b.Context(), r); !dec.Permit {
			b.Fatalf("refused: %+v", dec)
		}
	}
}
