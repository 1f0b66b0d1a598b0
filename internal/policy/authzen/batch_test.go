package authzen

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coffer-dev/coffer/internal/policy"
)

// byPath permits what does not lie below "no/", one answer per question.
func byPath(t *testing.T) func(call) (int, string) {
	return func(c call) (int, string) {
		one := func(e evaluation) string {
			return fmt.Sprintf(`{"decision":%t,"context":{"id":%q}}`,
				!strings.HasPrefix(e.Resource.Properties.Path, "no/"), e.Resource.ID+" "+string(e.Action.Name))
		}
		if c.path == "/access/v1/evaluation" {
			var e evaluation
			if err := json.Unmarshal(c.body, &e); err != nil {
				t.Error(err)
			}
			return http.StatusOK, one(e)
		}
		var answers []string
		for _, e := range evaluations(t, c) {
			answers = append(answers, one(e))
		}
		return http.StatusOK, `{"evaluations":[` + strings.Join(answers, ",") + `]}`
	}
}

func many(t *testing.T, n int) []policy.Request {
	rs := make([]policy.Request, n)
	for i := range rs {
		name := "yes"
		if i%3 == 0 {
			name = "no"
		}
		rs[i] = writing(t, fmt.Sprintf("%s/%d", name, i))
	}
	return rs
}

// check that decisions match their requests by the id that byPath gives.
func check(t *testing.T, rs []policy.Request, decs []policy.Decision) {
	t.Helper()
	if len(decs) != len(rs) {
		t.Fatalf("%d decisions for %d requests", len(decs), len(rs))
	}
	for i, dec := range decs {
		if want := rs[i].URI.String() + " " + string(rs[i].Purpose); dec.ID != want {
			t.Errorf("decision %d is %q, want %q", i, dec.ID, want)
		}
		if dec.Permit == strings.HasPrefix(rs[i].URI.Path, "no/") {
			t.Errorf("decision %d: %+v", i, dec)
		}
	}
}

func TestBatchesOfFifty(t *testing.T) {
	p := newPDP(t, byPath(t))
	d, _ := newDecider(t, p.URL, nil)
	rs := many(t, 120)
	rs = append(rs, rs[7], rs[8]) // asked once each
	check(t, rs, d.DecideAll(t.Context(), rs))
	sizes := map[int]int{}
	for _, c := range p.asked() {
		if c.path != "/access/v1/evaluations" || c.header.Get("X-Request-ID") != "corr-1" {
			t.Errorf("path %s header %v", c.path, c.header)
		}
		sizes[len(evaluations(t, c))]++
	}
	if sizes[50] != 2 || sizes[20] != 1 || len(sizes) != 2 {
		t.Errorf("sizes %v", sizes)
	}
}

func TestOneResourceIsOnceInABatch(t *testing.T) {
	p := newPDP(t, byPath(t))
	d, _ := newDecider(t, p.URL, nil)
	rs := many(t, 4)
	for _, r := range many(t, 4) {
		r.Purpose = policy.Delete
		rs = append(rs, r)
	}
	check(t, rs, d.DecideAll(t.Context(), rs))
	for _, c := range p.asked() {
		seen := map[string]bool{}
		for _, e := range evaluations(t, c) {
			if seen[e.Resource.ID] {
				t.Errorf("%s twice in one batch", e.Resource.ID)
			}
			seen[e.Resource.ID] = true
		}
	}
	p.expectCalls(t, 2)
}

func TestNothingIsNeverAsked(t *testing.T) {
	p := newPDP(t, byPath(t))
	d, _ := newDecider(t, p.URL, nil)
	if decs := d.DecideAll(t.Context(), nil); len(decs) != 0 {
		t.Errorf("%d decisions", len(decs))
	}
	p.expectCalls(t, 0)
}

func TestReadsOfABatchUseGrants(t *testing.T) {
	p := newPDP(t, func(c call) (int, string) {
		if c.path != "/access/v1/evaluation" {
			return http.StatusOK, `{"evaluations":[{"decision":true},{"decision":true}]}`
		}
		return http.StatusOK, `{"decision":true,"context":{"obligations":{"max_uses":3}}}`
	})
	d, _ := newDecider(t, p.URL, nil)
	rs := []policy.Request{reading(t), writing(t, "a"), reading(t), writing(t, "b"), reading(t)}
	cached := 0
	for _, dec := range d.DecideAll(t.Context(), rs) {
		expect(t, dec, "")
		if dec.Cached {
			cached++
		}
	}
	p.expectCalls(t, 2)
	if cached != 2 {
		t.Errorf("%d of 3 reads under the grant, want 2", cached)
	}
}

func TestBatchAnswers(t *testing.T) {
	const yes = `{"decision":true}`
	for name, c := range map[string]struct {
		body string
		why  [3]policy.Reason
	}{
		"in order":      {`[` + yes + `,{"decision":false},` + yes + `]`, [3]policy.Reason{"", policy.ReasonPolicy, ""}},
		"short":         {`[` + yes + `]`, [3]policy.Reason{"", policy.ReasonPolicy, policy.ReasonPolicy}},
		"empty":         {`[]`, [3]policy.Reason{policy.ReasonPolicy, policy.ReasonPolicy, policy.ReasonPolicy}},
		"odd items":     {`[null,true,` + yes + `]`, [3]policy.Reason{policy.ReasonPolicy, policy.ReasonPolicy, ""}},
		"text decision": {`[{"decision":"true"},` + yes + `,` + yes + `]`, [3]policy.Reason{policy.ReasonPolicy, "", ""}},
		"long":          {`[` + yes + `,` + yes + `,` + yes + `,` + yes + `]`, unavailable3()},
		"null":          {`null`, unavailable3()},
		"no list":       {`{"0":` + yes + `}`, unavailable3()},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPDP(t, always(`{"evaluations":`+c.body+`}`))
			d, _ := newDecider(t, p.URL, nil)
			rs := []policy.Request{writing(t, "a"), writing(t, "b"), writing(t, "c")}
			for i, dec := range d.DecideAll(t.Context(), rs) {
				expect(t, dec, c.why[i])
			}
		})
	}
}

func unavailable3() [3]policy.Reason {
	return [3]policy.Reason{policy.ReasonUnavailable, policy.ReasonUnavailable, policy.ReasonUnavailable}
}

func TestWithoutBatchEndpointAskOneByOne(t *testing.T) {
	for _, status := range []int{404, 405, 501} {
		p := newPDP(t, nil)
		p.answer = func(c call) (int, string) {
			if c.path == "/access/v1/evaluations" {
				return status, ""
			}
			return byPath(t)(c)
		}
		var failed atomic.Int32
		d, clock := newDecider(t, p.URL, func(c *Config) { c.Observe.Failed = func(error) { failed.Add(1) } })
		rs := many(t, 20)
		check(t, rs, d.DecideAll(t.Context(), rs))
		p.expectCalls(t, 21)
		check(t, rs, d.DecideAll(t.Context(), rs)) // the batch endpoint is left alone
		p.expectCalls(t, 41)
		clock.pass(rediscover)
		check(t, rs, d.DecideAll(t.Context(), rs))
		p.expectCalls(t, 62)
		if failed.Load() != 0 {
			t.Errorf("status %d: %d failures counted", status, failed.Load())
		}
	}
}

func TestFailureEndsTheBatch(t *testing.T) {
	p := newPDP(t, func(call) (int, string) { return http.StatusInternalServerError, "" })
	d, _ := newDecider(t, p.URL, nil)
	rs := many(t, 500)
	for range 300 {
		rs = append(rs, reading(t))
	}
	for i := range 300 {
		rs[500+i].URI.Fragment = fmt.Sprint(i)
	}
	for _, dec := range d.DecideAll(t.Context(), rs) {
		expect(t, dec, policy.ReasonUnavailable)
	}
	if n := len(p.asked()); n > 2*parallel {
		t.Errorf("asked %d times after the first failure", n)
	}
}

func TestRememberedRefusalDoesNotEndTheBatch(t *testing.T) {
	p := newPDP(t, func(call) (int, string) { return http.StatusInternalServerError, "" })
	d, _ := newDecider(t, p.URL, nil)
	expect(t, decide(d, reading(t)), policy.ReasonUnavailable)
	p.now(always(permit))
	rs := []policy.Request{reading(t)}
	for i := range 20 {
		rs = append(rs, reading(t))
		rs[i+1].URI.Fragment = fmt.Sprint(i)
	}
	decs := d.DecideAll(t.Context(), rs)
	expect(t, decs[0], policy.ReasonUnavailable)
	for _, dec := range decs[1:] {
		expect(t, dec, "")
	}
}

func TestBatchHoldsBindingsAndEndsGrants(t *testing.T) {
	p := newPDP(t, granting(`{"max_uses":9}`))
	d, _ := newDecider(t, p.URL, nil)
	expect(t, decide(d, reading(t)), "")
	const item = `{"decision":true,"context":{"policy_version":"v2","obligations":{"cnf_binding":"jkt:a"}}}`
	p.now(always(`{"evaluations":[` + item + `,` + item + `]}`))
	bearer, prover := writing(t, "a"), writing(t, "b")
	prover.Principal.Binding.JKT = "a"
	decs := d.DecideAll(t.Context(), []policy.Request{bearer, prover})
	expect(t, decs[0], policy.ReasonBinding)
	expect(t, decs[1], "")
	p.now(always(permit))
	if dec := decide(d, reading(t)); dec.Cached {
		t.Error("the grant of another policy version still serves")
	}
}
