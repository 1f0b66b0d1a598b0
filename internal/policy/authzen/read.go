package authzen

import (
	"context"

	"github.com/coffer-dev/coffer/internal/policy"
)

// decideRead decides under the lock of the request's key, so that callers of one key
// share what the first of them is told and no use is counted twice.
func (d *Decider) decideRead(ctx context.Context, r policy.Request) (dec policy.Decision) {
	begin := d.cfg.Now()
	defer func() { d.decided(begin, dec) }()
	s, err := d.table.acquire(ctx, keyOf(r))
	if err != nil {
		return d.refuse(policy.ReasonUnavailable)
	}
	defer d.table.release(s)
	if dec, ok := d.remembered(s, r); ok {
		return dec
	}
	count(d.cfg.Observe.GrantMiss)
	return d.askForGrant(ctx, s, r)
}

// remembered answers from a refusal or a grant of s. The binding is checked before
// the uses: a spent grant still says whose it was.
func (d *Decider) remembered(s *slot, r policy.Request) (policy.Decision, bool) {
	now := d.cfg.Now()
	if s.refusal != nil && now.Before(s.refusal.until) {
		count(d.cfg.Observe.NegativeHit)
		dec := s.refusal.decision
		dec.Cached = true
		return dec, true
	}
	s.refusal = nil
	g := s.grant
	if !g.live(now, d.era.current()) {
		s.grant = nil
		return policy.Decision{}, false
	}
	dec := hold(g.decision, g.binding, r)
	dec.Cached = true
	if !dec.Permit {
		return dec, true
	}
	if g.uses >= g.maxUses {
		s.grant = nil
		return policy.Decision{}, false
	}
	g.uses++
	count(d.cfg.Observe.GrantHit)
	return dec, true
}

// askForGrant checks for a replay, asks, and remembers the answer in s. Neither a
// replay nor a binding that drifted is remembered: both are about this caller's
// credentials, and the next caller of the key may have others.
func (d *Decider) askForGrant(ctx context.Context, s *slot, r policy.Request) policy.Decision {
	reason, withdraw := d.claimUse(r)
	if reason != "" {
		if reason == policy.ReasonReplay {
			count(d.cfg.Observe.Replayed)
		}
		return d.refuse(reason)
	}
	a, era, err := d.ask(ctx, r)
	if err != nil {
		withdraw()
		dec := d.refuse(policy.ReasonUnavailable)
		if ctx.Err() == nil { // a caller who left says nothing about the decision point
			d.rememberRefusal(s, dec)
		}
		return dec
	}
	if !a.permit {
		dec := d.decision(a)
		d.rememberRefusal(s, dec)
		return dec
	}
	g := d.newGrant(a, era)
	dec := hold(g.decision, g.binding, r)
	if dec.Permit {
		g.uses++
	}
	if g.uses < g.maxUses || g.binding != "" { // a spent grant still says whose it was
		s.grant = g
	}
	return dec
}

func (d *Decider) rememberRefusal(s *slot, dec policy.Decision) {
	if d.cfg.NegativeTTL < 0 {
		return
	}
	s.refusal = &refusal{until: d.cfg.Now().Add(d.cfg.NegativeTTL + d.cfg.Jitter()), decision: dec}
}

// newGrant is the grant of a permit, with the limits of the permit or else the
// configured ones.
func (d *Decider) newGrant(a answer, era uint64) *grant {
	g := &grant{maxUses: d.cfg.GrantMaxUses, era: era, binding: a.terms.binding, decision: d.decision(a)}
	g.decision.GrantID = d.cfg.NewID()
	ttl := d.cfg.GrantTTL
	if a.terms.hasTTL {
		ttl = a.terms.ttl
	}
	g.expires = d.cfg.Now().Add(ttl)
	if a.terms.maxUses > 0 {
		g.maxUses = a.terms.maxUses
	}
	if a.terms.once {
		g.maxUses = 1
	}
	return g
}
