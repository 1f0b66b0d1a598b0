package tenants

import (
	"context"
	"strings"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
)

// deed is one operation as audit records name it.
type deed struct {
	event   string
	purpose policy.Purpose
	uri     string
}

// administer lets administrators pass. A refusal is on record before it is returned.
func (s *Service) administer(ctx context.Context, p identity.Principal, call Call, d deed) (audit.Record, error) {
	return s.admit(ctx, p, call, d, s.c.MayAdminister(p))
}

// admit refuses what may not be, and nobody and strangers in any case.
func (s *Service) admit(ctx context.Context, p identity.Principal, call Call, d deed, may bool) (audit.Record, error) {
	r := audit.Record{
		ID: s.c.NewID(), Phase: audit.Attempt, Time: s.c.Now().UTC(), Tenant: s.c.Tenant, Subject: p.Subject, Act: p.Act,
		Action: "use", Event: d.event, Purpose: string(d.purpose), Effect: audit.Permit, ResourceRef: s.c.Refs.Of(d.uri),
		DecisionID: s.c.NewID(), CnfJKT: p.Binding.JKT, MTLSThumbprint: p.Binding.Thumbprint,
		TokenJTI: p.TokenID, CorrelationID: call.CorrelationID,
	}
	if may && p.Subject != "" && p.Tenant == s.c.Tenant {
		return r, nil
	}
	r.Phase, r.Effect, r.ErrorCode = audit.Final, audit.Deny, errorCode(fault.Forbidden)
	if err := s.c.Audit.Keep(ctx, r); err != nil {
		return r, err
	}
	return r, fault.New(fault.Forbidden, "not permitted")
}

// change keeps the attempt, makes the change as one transaction and adds its outcome.
func (s *Service) change(ctx context.Context, r audit.Record, do func(*unit) error) error {
	if err := s.c.Audit.Keep(ctx, r); err != nil {
		return err
	}
	err := s.transact(ctx, r, do)
	r.Phase, r.Time, r.Success = audit.Outcome, s.c.Now().UTC(), err == nil
	if err != nil {
		r.ErrorCode = errorCode(err)
	}
	s.c.Audit.Follow(r)
	return err
}

// errorCode is how records call an error: its code, else its kind.
func errorCode(err error) string {
	if code := fault.CodeOf(err); code != "" {
		return code
	}
	return strings.ToUpper(strings.ReplaceAll(fault.KindOf(err).Error(), " ", "_"))
}
