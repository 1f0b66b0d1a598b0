package storetest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

// Memory is a secret.Store that forgets: the pure rules of KV v2 on a map. It
// declares every capability but transactional events, keeps tenants and mounts
// apart and knows every mount. It may be used concurrently.
type Memory struct {
	now func() time.Time

	mu    sync.Mutex
	mount secret.MountSettings
	keys  map[secret.Ref]*record
}

// record is one key: what is known of it and the values that are not erased.
type record struct {
	meta   secret.Metadata
	values map[int64]secret.Value
}

// NewMemory makes an empty store that reads the time from now.
func NewMemory(now func() time.Time) *Memory {
	return &Memory{now: now, keys: map[secret.Ref]*record{}}
}

// Can is what Memory declares.
func (*Memory) Can() secret.Capabilities {
	return secret.Capabilities{Versions: true, Metadata: true, List: true, CAS: true}
}

// Mount replaces the settings of all mounts.
func (m *Memory) Mount(s secret.MountSettings) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mount = s
}

// Keys lists the keys that have a record, sorted.
func (m *Memory) Keys() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for ref := range m.keys {
		out = append(out, ref.String())
	}
	slices.Sort(out)
	return out
}

// open locks the store and finds the record of ref, nil when there is none.
func (m *Memory) open(ref secret.Ref) (r *record, unlock func(), err error) {
	if err := ref.Validate(); err != nil {
		return nil, nil, err
	}
	m.mu.Lock()
	return m.keys[ref], m.mu.Unlock, nil
}

// Get reads one version.
func (m *Memory) Get(_ context.Context, ref secret.Ref, version int64) (secret.Secret, error) {
	r, unlock, err := m.open(ref)
	if err != nil {
		return secret.Secret{}, err
	}
	defer unlock()
	if r == nil {
		return secret.Secret{}, unknown()
	}
	v, err := r.meta.Resolve(version, m.now())
	if err != nil {
		return secret.Secret{}, err
	}
	return secret.Secret{Value: r.values[v.Version], Version: v, Custom: maps.Clone(r.meta.Custom)}, nil
}

// Put writes a new version.
func (m *Memory) Put(_ context.Context, ref secret.Ref, value secret.Value, cas *int64) (secret.VersionInfo, error) {
	if err := value.Storable(); err != nil {
		return secret.VersionInfo{}, err
	}
	r, unlock, err := m.open(ref)
	if err != nil {
		return secret.VersionInfo{}, err
	}
	defer unlock()
	if r == nil {
		r = &record{values: map[int64]secret.Value{}}
	}
	v, from, to, err := r.meta.Write(m.mount, cas, m.now())
	if err != nil {
		return secret.VersionInfo{}, err
	}
	r.values[v.Version] = value
	for n := from; n < to; n++ {
		delete(r.values, n)
	}
	m.keys[ref] = r
	return v, nil
}

// Delete soft-deletes versions.
func (m *Memory) Delete(_ context.Context, ref secret.Ref, versions []int64) error {
	if versions != nil {
		if err := secret.CheckVersions(versions); err != nil {
			return err
		}
	}
	r, unlock, err := m.open(ref)
	if err != nil {
		return err
	}
	defer unlock()
	if r != nil {
		r.meta.Delete(versions, m.now())
	}
	return nil
}

// Undelete restores soft-deleted versions.
func (m *Memory) Undelete(_ context.Context, ref secret.Ref, versions []int64) ([]int64, error) {
	if err := secret.CheckVersions(versions); err != nil {
		return nil, err
	}
	r, unlock, err := m.open(ref)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if r == nil {
		return secret.Distinct(versions), nil
	}
	ignored, _ := r.meta.Undelete(m.mount, versions, m.now())
	return ignored, nil
}

// Destroy erases data for good.
func (m *Memory) Destroy(_ context.Context, ref secret.Ref, which secret.Selection) ([]int64, error) {
	if !which.All {
		if err := secret.CheckVersions(which.Versions); err != nil {
			return nil, err
		}
	}
	r, unlock, err := m.open(ref)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if which.All {
		delete(m.keys, ref)
		return nil, nil
	}
	if r == nil {
		return secret.Distinct(which.Versions), nil
	}
	erased, ignored := r.meta.Destroy(which.Versions)
	for _, n := range erased {
		delete(r.values, n)
	}
	return ignored, nil
}

// Meta reads metadata and the version list.
func (m *Memory) Meta(_ context.Context, ref secret.Ref) (secret.Metadata, error) {
	r, unlock, err := m.open(ref)
	if err != nil {
		return secret.Metadata{}, err
	}
	defer unlock()
	if r == nil {
		return secret.Metadata{}, unknown()
	}
	meta := r.meta
	meta.Custom, meta.Versions = maps.Clone(meta.Custom), slices.Clone(meta.Versions)
	return meta, nil
}

// SetMeta changes settings and custom metadata.
func (m *Memory) SetMeta(_ context.Context, ref secret.Ref, change secret.MetaChange) (int64, error) {
	r, unlock, err := m.open(ref)
	if err != nil {
		return 0, err
	}
	defer unlock()
	known := r != nil
	if !known {
		r = &record{values: map[int64]secret.Value{}}
	}
	if change.Empty() && (known || !change.MustExist) {
		return r.meta.MetaVersion, nil
	}
	if err := r.meta.Change(m.mount, change, known, m.now()); err != nil {
		return 0, err
	}
	m.keys[ref] = r
	return r.meta.MetaVersion, nil
}

// List gives the names below prefix.
func (m *Memory) List(_ context.Context, prefix secret.Ref, opts secret.ListOptions) ([]string, error) {
	if err := prefix.ValidatePrefix(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	names := map[string]struct{}{}
	for ref := range m.keys {
		if name := below(ref, prefix, opts.Recursive); name > opts.After {
			names[name] = struct{}{}
		}
	}
	sorted := slices.Sorted(maps.Keys(names))
	if opts.Limit > 0 && len(sorted) > opts.Limit {
		sorted = sorted[:opts.Limit]
	}
	return sorted, nil
}

// below names ref relative to prefix, or gives "" when it lies elsewhere.
func below(ref, prefix secret.Ref, recursive bool) string {
	if ref.Tenant != prefix.Tenant || ref.Mount != prefix.Mount {
		return ""
	}
	name := ref.Path
	if prefix.Path != "" {
		var ok bool
		if name, ok = strings.CutPrefix(ref.Path, prefix.Path+"/"); !ok {
			return ""
		}
	}
	if i := strings.IndexByte(name, '/'); i >= 0 && !recursive {
		return name[:i+1]
	}
	return name
}

func unknown() error { return fault.New(fault.NotFound, "no such secret") }
