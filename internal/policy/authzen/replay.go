package authzen

import (
	"sync"
	"time"

	"github.com/coffer-dev/coffer/internal/policy"
)

// use is one use of a token: once per canonical URI and purpose.
type use struct {
	issuer, token, uri string
	purpose            policy.Purpose
}

// replays remembers uses for a while, at most bound of them. It never forgets one
// early: when it is full, new uses are refused.
type replays struct {
	ttl   time.Duration
	bound int
	mu    sync.Mutex
	until map[use]time.Time
	order []expiry // ascending; entries of withdrawn uses stay until they expire
}

type expiry struct {
	use use
	at  time.Time
}

func newReplays(ttl time.Duration, bound int) *replays {
	return &replays{ttl: ttl, bound: bound, until: map[use]time.Time{}}
}

// claim takes u and says ReasonReplay when it was taken before, ReasonUnavailable
// when it cannot be remembered, and "" otherwise.
func (p *replays) claim(u use, now time.Time) policy.Reason {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire(now)
	if _, used := p.until[u]; used {
		return policy.ReasonReplay
	}
	if len(p.order) >= p.bound {
		return policy.ReasonUnavailable
	}
	at := now.Add(p.ttl)
	p.until[u] = at
	p.order = append(p.order, expiry{u, at})
	return ""
}

// withdraw gives u back: its question got no answer, so the token may ask again.
func (p *replays) withdraw(u use) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.until, u)
}

func (p *replays) expire(now time.Time) {
	for len(p.order) > 0 && !now.Before(p.order[0].at) {
		first := p.order[0]
		// A use that was withdrawn and claimed again has a later entry of its own.
		if p.until[first.use].Equal(first.at) {
			delete(p.until, first.use)
		}
		p.order = p.order[1:]
	}
}

// claimUse checks the replay rule for a read that no grant covers. The returned
// function withdraws the claim.
func (d *Decider) claimUse(r policy.Request) (policy.Reason, func()) {
	keep := func() {}
	if d.cfg.Replay != ReplayJTI || r.Principal.IsAnonymous() {
		return "", keep
	}
	if r.Principal.TokenID == "" {
		if r.Principal.Binding.Thumbprint != "" {
			return "", keep // every TLS handshake proves the certificate's key anew
		}
		return policy.ReasonReplay, keep
	}
	u := use{r.Principal.Issuer, r.Principal.TokenID, r.URI.String(), r.Purpose}
	reason := d.replays.claim(u, d.cfg.Now())
	return reason, func() { d.replays.withdraw(u) }
}
