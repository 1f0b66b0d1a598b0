package secret

import (
	"cmp"
	"slices"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
)

// DefaultMaxVersions is kept when neither mount nor key set a number (KV v2).
const DefaultMaxVersions = 10

// Limits of settings.
const (
	MaxMaxVersions   = 1000 // max_versions of a key or mount
	MaxVersionNumber = 1000 // numbers in one versions list
)

// Write adds the next version at now and returns it with the pruned numbers
// [from, to), empty when none. The receiver changes only on success.
func (m *Metadata) Write(mount MountSettings, cas *int64, now time.Time) (v VersionInfo, from, to int64, err error) {
	if cas == nil && (m.CASRequired || mount.CASRequired) {
		return v, 0, 0, fault.New(fault.CASRequired, "check-and-set parameter required for this call")
	}
	if cas != nil && *cas != m.Current {
		return v, 0, 0, &VersionError{
			Fault:   fault.New(fault.CASMismatch, "check-and-set parameter did not match the current version"),
			Current: m.Current,
		}
	}
	if m.Created.IsZero() {
		m.Created = now
	}
	m.Updated = now
	m.Current++
	v = VersionInfo{Version: m.Current, Created: now}
	if ttl := m.versionTTL(mount); ttl > 0 {
		v.Deleted = now.Add(ttl)
	}
	m.Versions = append(slices.Clip(m.Versions), v)
	from, to = m.prune(mount)
	return v, from, to, nil
}

// prune drops what exceeds the number of kept versions; KV v2 leaves Oldest at 0
// until the first prune.
func (m *Metadata) prune(mount MountSettings) (from, to int64) {
	keep := max(mount.MaxVersions, m.MaxVersions)
	if keep == 0 {
		keep = DefaultMaxVersions
	}
	if m.Current-m.Oldest < keep {
		return 0, 0
	}
	from, to = max(m.Oldest, 1), m.Current-keep+1
	m.Oldest = to
	m.Versions = slices.DeleteFunc(slices.Clone(m.Versions), func(v VersionInfo) bool { return v.Version < to })
	return from, to
}

// versionTTL is the smaller non-zero of mount and key; a negative mount value
// turns expiry off for all keys.
func (m *Metadata) versionTTL(mount MountSettings) time.Duration {
	a, b := mount.DeleteVersionAfter, m.DeleteVersionAfter
	switch {
	case a < 0:
		return 0
	case a == 0:
		return b
	case b == 0:
		return a
	default:
		return min(a, b)
	}
}

// Resolve finds a version to read; 0 or less is the latest. A version that cannot
// be read at now is Deleted or Destroyed with its info.
func (m *Metadata) Resolve(version int64, now time.Time) (VersionInfo, error) {
	if m.Current == 0 {
		return VersionInfo{}, fault.New(fault.NotFound, "no such secret")
	}
	if version <= 0 {
		version = m.Current
	}
	v := m.find(version)
	switch {
	case v == nil:
		return VersionInfo{}, fault.New(fault.VersionNotFound, "no such version")
	case v.Destroyed:
		return *v, &VersionError{Fault: fault.New(fault.Destroyed, "the version is destroyed"), Info: *v}
	case v.DeletedAt(now):
		return *v, &VersionError{Fault: fault.New(fault.Deleted, "the version is deleted"), Info: *v}
	}
	return *v, nil
}

func (m *Metadata) find(version int64) *VersionInfo {
	i, ok := slices.BinarySearchFunc(m.Versions, version, func(v VersionInfo, n int64) int {
		return cmp.Compare(v.Version, n)
	})
	if !ok {
		return nil
	}
	return &m.Versions[i]
}

// Latest is the current version's info, or nil when none was written or it was pruned.
func (m *Metadata) Latest() *VersionInfo { return m.find(m.Current) }

// Delete soft-deletes versions at now; nil means the latest. A version that is
// already deleted keeps its time, a deletion time in the future becomes now. It
// reports whether anything changed.
func (m *Metadata) Delete(versions []int64, now time.Time) (changed bool) {
	if versions == nil {
		versions = []int64{m.Current}
	}
	m.Versions = slices.Clone(m.Versions)
	for _, n := range versions {
		if v := m.find(n); v != nil && v.Live(now) {
			v.Deleted, changed = now, true
		}
	}
	return changed
}

// Undelete restores deleted versions. Unknown and destroyed numbers are returned,
// distinct and ascending.
func (m *Metadata) Undelete(mount MountSettings, versions []int64, now time.Time) (ignored []int64, changed bool) {
	m.Versions = slices.Clone(m.Versions)
	for _, n := range Distinct(versions) {
		v := m.find(n)
		if v == nil || v.Destroyed {
			ignored = append(ignored, n)
			continue
		}
		var until time.Time
		if ttl := m.versionTTL(mount); ttl > 0 {
			until = now.Add(ttl)
		}
		changed = changed || !v.Deleted.Equal(until)
		v.Deleted = until
	}
	return ignored, changed
}

// Destroy marks versions as erased and returns those whose data is to be erased
// now, and the unknown or already destroyed ones, both distinct and ascending.
func (m *Metadata) Destroy(versions []int64) (erased, ignored []int64) {
	m.Versions = slices.Clone(m.Versions)
	for _, n := range Distinct(versions) {
		v := m.find(n)
		if v == nil || v.Destroyed {
			ignored = append(ignored, n)
			continue
		}
		v.Destroyed = true
		erased = append(erased, n)
	}
	return erased, ignored
}

// CheckVersions refuses an empty or over-long list and numbers below 1.
func CheckVersions(versions []int64) error {
	if len(versions) == 0 {
		return fault.Coded(fault.Invalid, "EMPTY_VERSIONS", "no version number provided")
	}
	if len(versions) > MaxVersionNumber {
		return fault.Coded(fault.Invalid, "INVALID_VERSION", "more than %d version numbers", MaxVersionNumber)
	}
	for _, n := range versions {
		if n < 1 {
			return fault.Coded(fault.Invalid, "INVALID_VERSION", "version numbers start at 1")
		}
	}
	return nil
}

// Distinct gives versions ascending, each once.
func Distinct(versions []int64) []int64 {
	out := slices.Clone(versions)
	slices.Sort(out)
	return slices.Compact(out)
}
