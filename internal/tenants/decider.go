package tenants

import (
	"context"
	"strings"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/policy/acl"
)

// Decider is the built-in decider: the policies of all the caller's groups, on the
// Vault API path of the request. Every decision is fresh. The zero Decider denies.
type Decider struct{ s *Service }

var _ policy.Decider = Decider{}

// Decider decides by the policies and groups that the service administers.
func (s *Service) Decider() Decider { return Decider{s} }

// Decide implements policy.Decider.
func (d Decider) Decide(ctx context.Context, r policy.Request) policy.Decision {
	if d.s == nil {
		return policy.Decision{Reason: policy.ReasonPolicy}
	}
	rules, err := d.s.current(ctx)
	return d.s.verdict(rules, err, r)
}

// DecideAll implements policy.Decider. All decisions are made on one state of the rules.
func (d Decider) DecideAll(ctx context.Context, rs []policy.Request) []policy.Decision {
	out := make([]policy.Decision, len(rs))
	if d.s == nil {
		for i := range out {
			out[i].Reason = policy.ReasonPolicy
		}
		return out
	}
	rules, err := d.s.current(ctx)
	for i, r := range rs {
		out[i] = d.s.verdict(rules, err, r)
	}
	return out
}

// verdict is one decision on rules, or Unavailable where they could not be had.
func (s *Service) verdict(rules *snapshot, err error, r policy.Request) policy.Decision {
	d := policy.Decision{ID: s.c.NewID(), Reason: policy.ReasonUnavailable}
	if err == nil {
		s.decide(rules, r, &d)
	}
	return d
}

func (s *Service) decide(rules *snapshot, r policy.Request, d *policy.Decision) {
	d.PolicyVersion, d.Reason = rules.version, policy.ReasonPolicy
	switch {
	case s.stranger(r.Principal):
		return
	case s.c.AnonymousAll && r.Principal.IsAnonymous():
		d.Permit = true
	default:
		united, ok := rules.rulesOf(r.Principal)
		if !ok {
			d.Reason = policy.ReasonUnavailable
			return
		}
		d.Permit = united.Permits(r)
	}
	if d.Permit {
		d.Reason = ""
	}
}

// stranger is nobody, or somebody of another tenant.
func (s *Service) stranger(p identity.Principal) bool {
	return p.Subject == "" || p.Tenant != s.c.Tenant
}

// Capabilities says what the caller may do on a Vault API path. A folder, whose path
// ends in a slash, is looked up as a listing does. Unavailable when the rules cannot
// be read.
func (s *Service) Capabilities(ctx context.Context, p identity.Principal, path string) (acl.Capability, error) {
	rules, err := s.current(ctx)
	if err != nil {
		return 0, err
	}
	if s.stranger(p) {
		return 0, nil
	}
	if s.c.AnonymousAll && p.IsAnonymous() {
		return acl.Every, nil
	}
	united, ok := rules.rulesOf(p)
	if !ok {
		return 0, fault.New(fault.Unavailable, "a policy of the caller cannot be read")
	}
	path = strings.TrimLeft(path, "/")
	if strings.HasSuffix(path, "/") {
		return united.List(path), nil
	}
	return united.Capabilities(path), nil
}
