package secret

import "context"

// MaxValue is the size limit of one version's JSON before sealing, in bytes.
const MaxValue = 1 << 20

// Secret is one version as read.
type Secret struct {
	Value   Value
	Version VersionInfo
	Custom  map[string]string // custom metadata of the key
	Stale   bool              // sealed under a key that is no longer active
}

// Selection names versions of one key: all of them, or a list.
type Selection struct {
	All      bool // the key, its metadata and every version
	Versions []int64
}

// ListOptions page a listing.
type ListOptions struct {
	After     string // start behind this name; empty starts at the first
	Limit     int    // at most so many names; 0 means no limit
	Recursive bool   // leaf paths relative to the prefix instead of one level
}

// Store is what every back end does. Results are typed by package fault: NotFound,
// VersionNotFound, Deleted, Destroyed, CASMismatch, CASRequired, Invalid, TooLarge,
// Unsupported, ProviderDenied, Timeout, ProviderFailed, RateLimited, Unavailable
// and Corrupt. A verb outside the declared capabilities answers Unsupported and
// has no effect. A mutation is sent once: it is never retried blindly. All methods
// may be called concurrently.
type Store interface {
	// Get reads one version; 0 or less reads the latest. Deleted and Destroyed
	// versions answer a *VersionError that carries their info.
	Get(ctx context.Context, ref Ref, version int64) (Secret, error)
	// Put writes a new version. A nil cas writes unconditionally, else the current
	// version must be *cas (0: no version was ever written).
	Put(ctx context.Context, ref Ref, value Value, cas *int64) (VersionInfo, error)
	// Delete soft-deletes versions; nil means the latest, an empty list is Invalid.
	// Unknown keys and versions are no error.
	Delete(ctx context.Context, ref Ref, versions []int64) error
	// Undelete restores soft-deleted versions and returns the numbers it ignored
	// (unknown or destroyed), ascending. A back end that cannot tell returns none.
	Undelete(ctx context.Context, ref Ref, versions []int64) (ignored []int64, err error)
	// Destroy erases data for good and returns the numbers it ignored.
	Destroy(ctx context.Context, ref Ref, which Selection) (ignored []int64, err error)
	// Meta reads metadata and the version list, never values.
	Meta(ctx context.Context, ref Ref) (Metadata, error)
	// SetMeta changes settings and custom metadata and returns the metadata version.
	SetMeta(ctx context.Context, ref Ref, change MetaChange) (int64, error)
	// List gives the names below prefix, sorted bytewise; folders end in "/". Keys
	// whose versions are all deleted are listed. Nothing there is an empty list.
	List(ctx context.Context, prefix Ref, opts ListOptions) ([]string, error)
}

// Capabilities say which verbs a back end declares.
type Capabilities struct {
	Transactional bool // events and idempotency records commit with the write
	Versions      bool // pins, soft delete, undelete, destroy
	Metadata      bool // custom metadata, owner
	List          bool
	CAS           bool // Put takes a check-and-set version
}

// Backend is a store under the name that decisions and metrics show.
type Backend struct {
	Name  string // such as "embedded", "openbao", "openbao-prod", "yaml"
	Kind  string // "embedded", "openbao", "hashicorp" or "yaml"
	Can   Capabilities
	Store Store
}
