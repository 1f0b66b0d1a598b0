package secrets

import (
	"github.com/coffer-dev/coffer/internal/guard"
	"github.com/coffer-dev/coffer/internal/ledger/once"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/secrets/codes"
	"github.com/coffer-dev/coffer/internal/secrets/search"
)

// Names that a door needs of the layers below.
type (
	// Origin is where a request came from inside a workflow.
	Origin = policy.Origin
	// Refusal is a denied decision as a caller may see it.
	Refusal = guard.Refusal
	// Once names a request that happens once for its idempotency key.
	Once = once.Request
	// Item is one hit of a listing or search.
	Item = search.Item
	// Page is one page of items.
	Page = search.Page
	// Paging picks a page. Limit 0 takes the default.
	Paging = search.Paging
)

// Call is what comes with every request beside its input.
type Call struct {
	CorrelationID string
	Origin        Origin
	Once          *Once // nil: the request may be repeated with a new effect
}

func (c Call) guard() guard.Call { return guard.Call{CorrelationID: c.CorrelationID, Origin: c.Origin} }

// Match is a precondition on the current version. The zero Match states none.
type Match struct {
	Any     bool   // some version exists
	Version *int64 // the current version is this number; 0: none exists
}

// IsZero says whether no precondition is stated.
func (m Match) IsZero() bool { return !m.Any && m.Version == nil }

// Scopes of the operations.
const (
	ScopeRead         = "secrets.read"
	ScopeWrite        = "secrets.write"
	ScopeDelete       = "secrets.delete"
	ScopeDestroy      = "secrets.destroy"
	ScopeRotate       = "secrets.rotate"
	ScopeReadMetadata = "secrets.read_metadata"
	ScopeSetOwner     = "secrets.set_owner"
)

// Reading is one value as read. A fragment's value stands alone, else it is whole.
type Reading struct {
	URI      secret.URI // canonical, with fragment and version as asked for
	Value    secret.Value
	Version  int64 // 0: the back end has no versions
	Fragment bool
}

// Written tells of a write. Version is 0 where the back end has none.
type Written struct {
	URI      string `json:"uri"`
	Version  int64  `json:"version,omitempty"`
	Old      int64  `json:"old,omitempty"` // the version before; 0 when none existed
	Ref      string `json:"ref"`
	Replayed bool   `json:"-"`
}

// Deleted tells of a soft delete or of the destruction of a whole key.
type Deleted struct {
	URI       string `json:"uri"`
	Destroyed bool   `json:"destroyed"`
	Replayed  bool   `json:"-"`
}

// Versioned tells of an undelete or a destruction of versions, both lists distinct
// and ascending.
type Versioned struct {
	URI      string  `json:"uri"`
	Versions []int64 `json:"versions"`
	Ignored  []int64 `json:"ignored"`
	Replayed bool    `json:"-"`
}

// Described is what is known of a key beside its values.
type Described struct {
	URI  string
	Meta secret.Metadata
}

// Owned tells of a change of owner.
type Owned struct {
	URI      string            `json:"uri"`
	Owner    string            `json:"owner"`
	Custom   map[string]string `json:"custom"`
	Replayed bool              `json:"-"`
}

// Transferred tells of a copy or move.
type Transferred struct {
	From     string `json:"from"`
	To       string `json:"to"`
	Version  int64  `json:"version,omitempty"`
	Replayed bool   `json:"-"`
}

// Code is the stable token of an error of this package.
func Code(err error) string { return codes.Of(err) }

// Detail is the public text of an error of this package.
func Detail(err error) string { return codes.Detail(err) }
