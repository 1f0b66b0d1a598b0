package authzen

import (
	"net/http"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
)

func TestTokenIsUsedOnce(t *testing.T) {
	p := newPDP(t, granting(`{"max_uses":2}`))
	replayed := 0
	d, clock := newDecider(t, p.URL, func(c *Config) {
		c.Replay = ReplayJTI
		c.Observe.Replayed = func() { replayed++ }
	})
	expect(t, decide(d, reading(t)), "")
	expect(t, decide(d, reading(t)), "") // under the grant nothing is asked
	expect(t, decide(d, reading(t)), policy.ReasonReplay)
	other := reading(t)
	other.URI.Fragment = "other"
	expect(t, decide(d, other), "")
	fresh := reading(t)
	fresh.Principal.TokenID = "jti-2"
	expect(t, decide(d, fresh), "") // a replay leaves no refusal behind
	clock.pass(300 * time.Second)
	expect(t, decide(d, reading(t)), "")
	if replayed != 1 {
		t.Errorf("%d replays counted", replayed)
	}
}

func TestReplayModes(t *testing.T) {
	withoutJTI := func(r *policy.Request) { r.Principal.TokenID = "" }
	for name, c := range map[string]struct {
		mode   ReplayMode
		change func(*policy.Request)
		why    policy.Reason // of the second read
	}{
		"dpop trusts the authenticator": {ReplayDPoP, func(*policy.Request) {}, ""},
		"off":                           {ReplayOff, func(*policy.Request) {}, ""},
		"jti":                           {ReplayJTI, func(*policy.Request) {}, policy.ReasonReplay},
		"jti without jti":               {ReplayJTI, withoutJTI, policy.ReasonReplay},
		"jti with a certificate": {ReplayJTI, func(r *policy.Request) {
			withoutJTI(r)
			r.Principal.Binding = identity.Binding{Thumbprint: "x"}
		}, ""},
		"jti of nobody": {ReplayJTI, func(r *policy.Request) { r.Principal = identity.Anonymous("dev") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPDP(t, always(permit))
			d, _ := newDecider(t, p.URL, func(cfg *Config) { cfg.Replay = c.mode })
			r := reading(t)
			c.change(&r)
			decide(d, r)
			expect(t, decide(d, r), c.why)
		})
	}
}

func TestUnansweredQuestionGivesTheTokenBack(t *testing.T) {
	p := newPDP(t, func(call) (int, string) { return http.StatusBadGateway, "" })
	d, clock := newDecider(t, p.URL, func(c *Config) { c.Replay = ReplayJTI })
	expect(t, decide(d, reading(t)), policy.ReasonUnavailable)
	p.now(always(permit))
	clock.pass(6 * time.Second)
	expect(t, decide(d, reading(t)), "")
	expect(t, decide(d, reading(t)), policy.ReasonReplay)
}

func TestReplaysAreBoundedAndNeverForgottenEarly(t *testing.T) {
	now := time.Now()
	p := newReplays(10*time.Second, 2)
	a, b, c := use{token: "a"}, use{token: "b"}, use{token: "c"}
	for _, step := range []struct {
		use  use
		at   int // seconds
		want policy.Reason
	}{
		{a, 0, ""}, {b, 1, ""}, {c, 2, policy.ReasonUnavailable}, {a, 9, policy.ReasonReplay},
		{c, 10, ""}, {b, 10, policy.ReasonReplay}, {a, 11, ""},
	} {
		if got := p.claim(step.use, now.Add(time.Duration(step.at)*time.Second)); got != step.want {
			t.Fatalf("%s at %d s: %q, want %q", step.use.token, step.at, got, step.want)
		}
	}
	p.withdraw(c)
	if got := p.claim(c, now.Add(20*time.Second)); got != "" {
		t.Errorf("withdrawn use: %q", got)
	}
	if got := p.claim(c, now.Add(29*time.Second)); got != policy.ReasonReplay {
		t.Errorf("claimed again: %q", got)
	}
}
