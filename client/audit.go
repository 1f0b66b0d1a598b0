package client

import (
	"context"
	"time"

	"github.com/coffer-dev/coffer/api/canonical"
)

// AuditQuery narrows a page of the audit window; empty members match everything.
type AuditQuery struct {
	Subject       string
	Purpose       string
	Effect        string // Permit or Deny
	ResourceRef   string
	Event         string
	CorrelationID string
	Since         time.Time // inclusive
	Until         time.Time // exclusive
	Offset        int
	Limit         int // at most 1,000; 0 leaves it to the server
}

// Audit reads the latest audit records, newest first. It is for development: a server
// in production has it switched off, or keeps it for administrators.
func (c *Client) Audit(ctx context.Context, q AuditQuery) (canonical.AuditPage, error) {
	return send[canonical.AuditPage](ctx, c, get("/audit",
		"subject", q.Subject, "purpose", q.Purpose, "effect", q.Effect, "resource_ref", q.ResourceRef,
		"event", q.Event, "correlation_id", q.CorrelationID, "since", moment(q.Since), "until", moment(q.Until),
		"offset", number(q.Offset), "limit", number(q.Limit)))
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
