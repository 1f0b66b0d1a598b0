package secret

import (
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
)

// VersionInfo is what is known of one version without its value.
type VersionInfo struct {
	Version   int64     `json:"version"`
	Created   time.Time `json:"created"`
	Deleted   time.Time `json:"deleted,omitzero"` // zero: not deleted; may lie in the future
	Destroyed bool      `json:"destroyed,omitempty"`
}

// DeletedAt says whether the version counts as soft-deleted at now: a deletion
// time in the future is not deleted.
func (v VersionInfo) DeletedAt(now time.Time) bool {
	return !v.Deleted.IsZero() && !v.Deleted.After(now)
}

// Live says whether the version can be read at now.
func (v VersionInfo) Live(now time.Time) bool { return !v.Destroyed && !v.DeletedAt(now) }

// Metadata is what is known of a key. It exists from the first write, or from
// SetMeta, until the key is destroyed whole.
type Metadata struct {
	ID                 string            `json:"id,omitempty"` // object id, stable across moves
	Created            time.Time         `json:"created"`
	Updated            time.Time         `json:"updated"`
	Current            int64             `json:"current"` // highest number ever written
	Oldest             int64             `json:"oldest"`  // 0 until a version was pruned
	MaxVersions        int64             `json:"max_versions,omitempty"`
	CASRequired        bool              `json:"cas_required,omitempty"`
	DeleteVersionAfter time.Duration     `json:"delete_version_after,omitempty"`
	MetaVersion        int64             `json:"meta_version,omitempty"` // counts metadata changes
	MetaCASRequired    bool              `json:"meta_cas_required,omitempty"`
	Custom             map[string]string `json:"custom,omitempty"`
	Versions           []VersionInfo     `json:"versions,omitempty"` // ascending, pruned ones absent
}

// MountSettings are a mount's defaults.
type MountSettings struct {
	MaxVersions        int64         `json:"max_versions,omitempty"`
	CASRequired        bool          `json:"cas_required,omitempty"`
	DeleteVersionAfter time.Duration `json:"delete_version_after,omitempty"` // negative: off for all keys
	MetaCASRequired    bool          `json:"meta_cas_required,omitempty"`
}

// MetaChange is one change of settings and custom metadata; nil fields keep.
type MetaChange struct {
	MustExist          bool               // PATCH: an unknown key is NotFound instead of created
	Replace            map[string]string  // the whole custom map, when not nil
	Merge              map[string]*string // single keys; nil removes
	MaxVersions        *int64
	CASRequired        *bool
	DeleteVersionAfter *time.Duration
	MetaCASRequired    *bool
	CAS                *int64 // the metadata version must be this; 0: no metadata exists
	ID                 string // object id to take over from a moved key; empty keeps
}

// Empty says whether the change changes nothing.
func (c MetaChange) Empty() bool {
	return c.Replace == nil && len(c.Merge) == 0 && c.MaxVersions == nil && c.CASRequired == nil &&
		c.DeleteVersionAfter == nil && c.MetaCASRequired == nil && c.ID == ""
}

// VersionError is a Deleted, Destroyed or CASMismatch fault with what is known.
type VersionError struct {
	Fault   *fault.Error
	Info    VersionInfo // of the version that cannot be read
	Current int64       // the current version, for CASMismatch
}

// Error is for logs.
func (e *VersionError) Error() string { return e.Fault.Error() }

// Unwrap lets errors.Is and errors.As see the fault.
func (e *VersionError) Unwrap() error { return e.Fault }
