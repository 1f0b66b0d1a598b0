package secrets

import (
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secret"
)

// Call is what comes with every request beside its input.
type Call struct {
	CorrelationID string
	Origin        policy.Origin
	Once          *Once // nil: the request may be repeated with a new effect
}

// Once asks that a mutation happen once for its key: a repetition gives the first
// result again. Method, route and key name it, together with tenant and subject.
type Once struct {
	Method, Route, Key string
	Fingerprint        []byte // digest of the request; another one under the same key is refused
}

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

// Item is one hit of a listing or search.
type Item struct {
	URI     string
	Path    string   // mount and path
	Key     string   // fragment name, of a listing of leaves
	Matched []string // path, key, owner, metadata
	Keys    []string // fragment names that matched
}

// Page is one page of items; Total counts them all.
type Page struct {
	Items         []Item
	Total         int
	Offset, Limit int
	Truncated     bool // not every path was visited
}
