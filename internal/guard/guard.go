package guard

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secret"
)

// Observer counts decisions; its method returns at once.
type Observer interface {
	Decided(permit bool, reason policy.Reason)
}

// Config is what a guard needs.
type Config struct {
	Tenant   string
	Decider  policy.Decider
	Audit    audit.Sink
	Refs     audit.Refs
	Sampler  *audit.Sampler // of reads under a cached grant; nil keeps every record
	Observer Observer
	Now      func() time.Time
	// Code names an error in a record by its stable token.
	Code func(error) string
	// Attributes gives a reader of what an external decider wants to know of a
	// record; nil where the back end has none.
	Attributes func(Target) func(context.Context) (policy.Attributes, error)
}

// Guard admits operations. All methods may be called concurrently.
type Guard struct{ c Config }

// New makes a guard.
func New(c Config) *Guard { return &Guard{c} }

// Target is one record that an operation touches, resolved.
type Target struct {
	URI  secret.URI
	Back secret.Backend
	Ref  secret.Ref
}

// IsFile says whether the record lies in the YAML file.
func (t Target) IsFile() bool { return t.URI.Provider == secret.ProviderYAML }

// Call is what comes with every request beside its input.
type Call struct {
	CorrelationID string
	Origin        policy.Origin
}

// Ask is one decision to be made, and the record that tells of it.
type Ask struct {
	Target    Target
	Purpose   policy.Purpose
	Event     string // as the record names the operation
	Known     bool
	Whole     bool
	NamesOnly bool
}

// request is the ask as a decider gets it.
func (g *Guard) request(p identity.Principal, call Call, a Ask) policy.Request {
	return policy.Request{
		Principal: p, Purpose: a.Purpose, URI: a.Target.URI, Backend: a.Target.Back.Name, Kind: a.Target.Back.Kind,
		Known: a.Known, Whole: a.Whole, NamesOnly: a.NamesOnly, Attributes: g.c.Attributes(a.Target),
		CorrelationID: call.CorrelationID, Origin: call.Origin,
	}
}

// Admit decides one ask. A refusal is on record before it is returned.
func (g *Guard) Admit(ctx context.Context, p identity.Principal, call Call, a Ask) (*Ticket, error) {
	return g.judge(ctx, p, call, a, g.c.Decider.Decide(ctx, g.request(p, call, a)))
}

// Verdict is what came of one ask: a ticket or an error.
type Verdict struct {
	Ticket *Ticket
	Err    error
}

// AdmitAll decides all asks in one batch, in order.
func (g *Guard) AdmitAll(ctx context.Context, p identity.Principal, call Call, asks []Ask) []Verdict {
	out := make([]Verdict, len(asks))
	for i, d := range g.Decide(ctx, p, call, asks) {
		out[i].Ticket, out[i].Err = g.judge(ctx, p, call, asks[i], d)
	}
	return out
}

// Decide only asks: for lists, of which what is denied is left out and not refused.
func (g *Guard) Decide(ctx context.Context, p identity.Principal, call Call, asks []Ask) []policy.Decision {
	if len(asks) == 0 {
		return nil
	}
	requests := make([]policy.Request, len(asks))
	for i, a := range asks {
		requests[i] = g.request(p, call, a)
	}
	return g.c.Decider.DecideAll(ctx, requests)
}

// judge turns a decision into a ticket, or into a refusal that is on record. Records
// are kept even when the caller has gone: nobody tries doors without leaving a trace.
func (g *Guard) judge(ctx context.Context, p identity.Principal, call Call, a Ask, d policy.Decision) (*Ticket, error) {
	g.c.Observer.Decided(d.Permit, d.Reason)
	t := g.Ticket(p, call, a, d)
	if d.Permit {
		return t, nil
	}
	err := Denial(d)
	t.Record.Phase, t.Record.ErrorCode = audit.Final, err.Code
	if kept := g.c.Audit.Keep(context.WithoutCancel(ctx), t.Record); kept != nil {
		return nil, kept
	}
	if d.Reason == policy.ReasonUnavailable {
		return nil, err
	}
	return nil, &Refusal{
		Fault: err, Purpose: string(a.Purpose), DecisionID: d.ID, Ref: t.Record.ResourceRef, Reason: shown(d.Reason),
	}
}

// shown is the reason as callers see it, who know no finer one.
func shown(r policy.Reason) string {
	if r == "" || r == policy.ReasonBinding {
		r = policy.ReasonPolicy
	}
	return string(r)
}

// Denial is the fault of a decision that does not permit.
func Denial(d policy.Decision) *fault.Error {
	switch d.Reason {
	case policy.ReasonUnavailable:
		return &fault.Error{
			Kind: fault.Unavailable, Code: "PDP_UNAVAILABLE", Detail: "no decision can be had", RetryAfter: time.Second,
		}
	case policy.ReasonBinding:
		return fault.Coded(fault.Forbidden, "BINDING_DRIFT", "the grant is bound to another key")
	}
	return fault.Coded(fault.Forbidden, "SECRET_AUTHZ_FAILED", "not permitted")
}

// Ticket is the record of an ask under a decision, not yet kept.
func (g *Guard) Ticket(p identity.Principal, call Call, a Ask, d policy.Decision) *Ticket {
	effect := audit.Deny
	if d.Permit {
		effect = audit.Permit
	}
	return &Ticket{g: g, Decision: d, Record: audit.Record{
		ID: uuid.NewString(), Time: g.c.Now().UTC(), Tenant: g.c.Tenant, Subject: p.Subject, Act: p.Act,
		SystemID: call.Origin.SystemID, WorkflowRunID: call.Origin.WorkflowRunID, NodeID: call.Origin.NodeID,
		Action: "use", Event: a.Event, Purpose: string(a.Purpose), Effect: effect,
		ResourceRef: g.c.Refs.Of(a.Target.URI.String()), DecisionID: d.ID, PolicyVersion: d.PolicyVersion,
		Classification: d.Classification, CnfJKT: p.Binding.JKT, MTLSThumbprint: p.Binding.Thumbprint,
		TokenJTI: p.TokenID, CorrelationID: call.CorrelationID, Cached: d.Cached,
	}}
}
