package audit

import (
	"context"
	"time"
)

// Record is one operation, or one phase of it: the attempt before any effect and
// the outcome under the same ID before the answer.
type Record struct {
	ID             string    `json:"audit_id"`
	Phase          Phase     `json:"phase"`
	Time           time.Time `json:"ts"`
	Tenant         string    `json:"tenant_id"`
	SystemID       string    `json:"system_id,omitempty"`
	WorkflowRunID  string    `json:"workflow_run_id,omitempty"`
	NodeID         string    `json:"node_id,omitempty"`
	Subject        string    `json:"subject"`
	Act            string    `json:"act,omitempty"`
	Action         string    `json:"action"` // always "use"
	Event          string    `json:"event"`
	Purpose        string    `json:"purpose"`
	PurposeOfUse   string    `json:"purpose_of_use,omitempty"`
	Effect         string    `json:"effect"` // "Permit" or "Deny"
	ResourceRef    string    `json:"resource_ref"`
	ResourceARN    string    `json:"resource_arn,omitempty"`
	DecisionID     string    `json:"decision_id"`
	PolicyVersion  string    `json:"policy_version"`
	Classification string    `json:"classification,omitempty"`
	KVVersion      int64     `json:"kv_version,omitempty"`
	LeaseID        string    `json:"lease_id,omitempty"`
	LeaseTTL       int64     `json:"lease_ttl,omitempty"` // seconds
	CnfJKT         string    `json:"cnf_jkt,omitempty"`
	MTLSThumbprint string    `json:"mtls_thumbprint,omitempty"`
	TokenJTI       string    `json:"token_jti,omitempty"`
	CorrelationID  string    `json:"correlation_id"`
	Success        bool      `json:"success"`
	ErrorCode      string    `json:"error_code,omitempty"`
	Cached         bool      `json:"cached"`
	Sampled        bool      `json:"sampled"`
}

// Phase says which part of an operation a record tells of.
type Phase string

// The phases. A refused operation has a Final record alone, and so has a read,
// whose one effect is its answer.
const (
	Attempt Phase = "attempt"
	Outcome Phase = "outcome"
	Final   Phase = "final"
)

// Effects of a decision.
const (
	Permit = "Permit"
	Deny   = "Deny"
)

// Sink keeps records. Both methods may be called concurrently; records of
// concurrent callers share one write and one fsync.
type Sink interface {
	// Keep returns once the records are durable. An error means that they may not
	// be, within 2 s at the latest: the caller refuses its request (Unavailable,
	// code AUDIT_UNAVAILABLE).
	Keep(ctx context.Context, records ...Record) error
	// Follow adds the outcome of a finished mutation: it is written before Follow
	// returns where the sink works, and synced with the next batch. Where the sink
	// fails it is queued, and Keep refuses until the queue is written. It never fails.
	Follow(record Record)
}
