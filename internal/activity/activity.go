package activity

import (
	"context"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
)

// Names that a door needs of the layers below.
type (
	// Event tells of one change.
	Event = event.Event
	// Gap tells that events are gone.
	Gap = event.Gap
	// Reader is told what a stream finds.
	Reader = event.Reader
	// Record is one audit record.
	Record = audit.Record
	// Query narrows the audit records.
	Query = audit.Query
)

// Config is what the use case needs.
type Config struct {
	Tenant string
	Log    event.Log
	Ring   *audit.Ring
	// AdminOnly admits nobody but role admin; else every caller is admitted.
	AdminOnly bool
}

// Service shows what happened. All methods may be called concurrently.
type Service struct{ c Config }

// New makes the service.
func New(c Config) *Service { return &Service{c} }

// roleAdmin may look where not everybody may.
const roleAdmin = "admin"

// Admit says whether the caller may look at all: Forbidden when not.
func (s *Service) Admit(p identity.Principal) error {
	if p.Subject == "" || s.c.AdminOnly && !p.HasRole(roleAdmin) {
		return fault.Coded(fault.Forbidden, "SECRET_AUTHZ_FAILED", "role %s is required", roleAdmin)
	}
	return nil
}

// End is the sequence behind which the next event will be.
func (s *Service) End(ctx context.Context, p identity.Principal) (int64, error) {
	if err := s.Admit(p); err != nil {
		return 0, err
	}
	return s.c.Log.End(ctx)
}

// Follow delivers the events of secrets behind a sequence to r until ctx ends or r
// fails.
func (s *Service) Follow(ctx context.Context, p identity.Principal, after int64, r Reader) error {
	if err := s.Admit(p); err != nil {
		return err
	}
	f := event.Follower{Log: s.c.Log, Tenant: s.c.Tenant, After: after}
	return f.Follow(ctx, secretsOnly{r})
}

// secretsOnly leaves out what belongs to other doors.
type secretsOnly struct{ Reader }

// Event passes events of topic kv on.
func (o secretsOnly) Event(e Event) error {
	if e.Topic != event.TopicKV {
		return nil
	}
	return o.Reader.Event(e)
}

// Audit gives a page of the latest records, newest first, and how many match.
func (s *Service) Audit(_ context.Context, p identity.Principal, q Query, offset, limit int) ([]Record, int, error) {
	if err := s.Admit(p); err != nil {
		return nil, 0, err
	}
	q.Tenant = s.c.Tenant
	records, total := s.c.Ring.Page(q, offset, limit)
	return records, total, nil
}
