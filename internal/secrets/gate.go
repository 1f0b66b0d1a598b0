package secrets

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
)

// ask is one decision to be made, and the record that tells of it.
type ask struct {
	t         target
	purpose   policy.Purpose
	event     string
	known     bool
	whole     bool
	namesOnly bool
}

// ticket is a permitted operation under way.
type ticket struct {
	s        *Service
	decision policy.Decision
	record   audit.Record
}

// Refusal is a denied decision as a caller may see it.
type Refusal struct {
	Fault      *fault.Error
	Purpose    policy.Purpose
	DecisionID string
	Ref        string
	Reason     policy.Reason
}

// Error is for logs.
func (r *Refusal) Error() string { return r.Fault.Error() }

// Unwrap shows the fault.
func (r *Refusal) Unwrap() error { return r.Fault }

// admit decides one ask. A refusal is on record before it is returned.
func (s *Service) admit(ctx context.Context, p identity.Principal, call Call, a ask) (*ticket, error) {
	return s.judge(ctx, p, call, a, s.c.Decider.Decide(ctx, s.request(p, call, a)))
}

func (s *Service) request(p identity.Principal, call Call, a ask) policy.Request {
	return policy.Request{
		Principal: p, Purpose: a.purpose, URI: a.t.uri, Backend: a.t.back.Name, Kind: a.t.back.Kind,
		Known: a.known, Whole: a.whole, NamesOnly: a.namesOnly, Attributes: attributes(a.t),
		CorrelationID: call.CorrelationID, Origin: call.Origin,
	}
}

// judge turns a decision into a ticket, or into a refusal that is on record.
func (s *Service) judge(ctx context.Context, p identity.Principal, call Call, a ask, d policy.Decision) (*ticket, error) {
	s.c.Observer.Decided(d.Permit, d.Reason)
	t := &ticket{s: s, decision: d, record: s.newRecord(p, call, a, d)}
	if d.Permit {
		return t, nil
	}
	err := refusal(d)
	t.record.Phase, t.record.ErrorCode = audit.Final, err.Code
	if kept := s.c.Audit.Keep(ctx, t.record); kept != nil {
		return nil, kept
	}
	if d.Reason == policy.ReasonUnavailable {
		return nil, err
	}
	return nil, &Refusal{Fault: err, Purpose: a.purpose, DecisionID: d.ID, Ref: t.record.ResourceRef, Reason: d.Reason}
}

func refusal(d policy.Decision) *fault.Error {
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

func (s *Service) newRecord(p identity.Principal, call Call, a ask, d policy.Decision) audit.Record {
	effect := audit.Deny
	if d.Permit {
		effect = audit.Permit
	}
	return audit.Record{
		ID: uuid.NewString(), Time: s.c.Now().UTC(), Tenant: s.c.Tenant, Subject: p.Subject, Act: p.Act,
		SystemID: call.Origin.SystemID, WorkflowRunID: call.Origin.WorkflowRunID, NodeID: call.Origin.NodeID,
		Action: "use", Event: a.event, Purpose: string(a.purpose), Effect: effect,
		ResourceRef: s.c.Refs.Of(a.t.uri.String()), DecisionID: d.ID, PolicyVersion: d.PolicyVersion,
		Classification: d.Classification, CnfJKT: p.Binding.JKT, MTLSThumbprint: p.Binding.Thumbprint,
		TokenJTI: p.TokenID, CorrelationID: call.CorrelationID, Cached: d.Cached,
	}
}

// begin keeps the attempts of one operation: without them nothing happens.
func begin(ctx context.Context, ts ...*ticket) error {
	records := make([]audit.Record, len(ts))
	for i, t := range ts {
		t.record.Phase = audit.Attempt
		records[i] = t.record
	}
	return ts[0].s.c.Audit.Keep(ctx, records...)
}

// end adds the outcome of a finished mutation.
func (t *ticket) end(version int64, err error) {
	t.finish(audit.Outcome, version, err)
	t.s.c.Audit.Follow(t.record)
}

// final keeps the one record of a read, whose one effect is its answer: when it
// cannot be kept the answer is withheld.
func (t *ticket) final(ctx context.Context, version int64, err error) error {
	t.finish(audit.Final, version, err)
	if t.s.c.Sampler != nil && !t.s.c.Sampler.Keep(&t.record) {
		return err
	}
	if kept := t.s.c.Audit.Keep(ctx, t.record); kept != nil {
		return kept
	}
	return err
}

func (t *ticket) finish(phase audit.Phase, version int64, err error) {
	t.record.Phase, t.record.Time = phase, t.s.c.Now().UTC()
	t.record.Success, t.record.KVVersion = err == nil, version
	if err != nil {
		t.record.ErrorCode = Code(err)
	}
}
