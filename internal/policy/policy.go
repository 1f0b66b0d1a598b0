package policy

import (
	"context"

	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/secret"
)

// Purpose is what a caller wants to do with a secret.
type Purpose string

// The purposes of the canonical contract.
const (
	Read         Purpose = "read"
	Execute      Purpose = "execute"
	Write        Purpose = "write"
	Rotate       Purpose = "rotate"
	Delete       Purpose = "delete"
	Undelete     Purpose = "undelete"
	Destroy      Purpose = "destroy_versions"
	ReadMetadata Purpose = "read_metadata"
	OwnerUpdate  Purpose = "owner_update"
)

// Request asks for one decision. URI is canonical, with fragment and version.
type Request struct {
	Principal identity.Principal
	Purpose   Purpose
	URI       secret.URI
	Backend   string // where the record lives: equal for all aliases of one store
	Kind      string // engine of the back end, "embedded", "openbao", ...
	// Known says whether the key has a metadata record: a write to a known key is
	// an update, to an unknown one a create.
	Known bool
	// Whole says that a Destroy means the key with its metadata.
	Whole bool
	// NamesOnly says that a ReadMetadata shows names alone, as a listing does.
	NamesOnly bool
	// Attributes reads owner and creation attributes, at most once per request and
	// only when a decider wants them. Nil or an error: they are left out.
	Attributes func(context.Context) (Attributes, error)
	// CorrelationID and Origin are passed on to an external decider.
	CorrelationID string
	Origin        Origin
}

// Origin is where a request came from inside a workflow; empty members are unknown.
type Origin struct{ WorkflowRunID, NodeID, SystemID string }

// Attributes of a record, read from the store and never from the client.
type Attributes struct{ Owner, CreatedBy, CreatedAt string }

// Reason says why a decision denies.
type Reason string

// The reasons that a refusal shows.
const (
	ReasonPolicy      Reason = "policy"
	ReasonUnavailable Reason = "unavailable"
	ReasonAudience    Reason = "audience"
	ReasonReplay      Reason = "replay"
	ReasonBinding     Reason = "binding" // the grant is bound to another key
)

// Decision is the answer. The zero Decision denies.
type Decision struct {
	Permit         bool
	ID             string // UUID, or the decision point's own id
	PolicyVersion  string
	Reason         Reason // why not, when Permit is false
	Classification string
	Cached         bool // a remembered grant or refusal answered
	WrapTTL        int  // seconds: the provider read is to be wrapped; 0 is not
	// GrantID names the grant that a read of an external decider was counted on, or
	// ""; it tells records of one grant from those of another.
	GrantID string
}

// Decider decides. DecideAll answers one decision per request, in order. An
// unreachable decider is a Decision with ReasonUnavailable, not an error and never
// a permit. Both may be called concurrently.
type Decider interface {
	Decide(ctx context.Context, r Request) Decision
	DecideAll(ctx context.Context, rs []Request) []Decision
}
