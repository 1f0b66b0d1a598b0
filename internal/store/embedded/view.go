package embedded

import (
	"context"
	"encoding/json"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/secret"
)

// view is the verbs over one reader: the ledger, or a transaction that can also write.
type view struct {
	s  *Store
	r  ledger.Reader
	tx *ledger.Tx // nil: reads only
}

// Get reads the metadata, then the version, both of one snapshot.
func (v *view) Get(ctx context.Context, ref secret.Ref, version int64) (secret.Secret, error) {
	if err := v.s.check(ref, ref.Validate()); err != nil {
		return secret.Secret{}, err
	}
	m, stale, known, err := v.meta(ctx, ref)
	if err != nil {
		return secret.Secret{}, err
	}
	if !known {
		return secret.Secret{}, notFound()
	}
	info, err := m.Resolve(version, v.s.l.Now())
	if err != nil {
		return secret.Secret{}, err
	}
	r, ok, err := v.r.Get(ctx, versionKey(ref, info.Version))
	if err != nil {
		return secret.Secret{}, err
	}
	if !ok {
		return secret.Secret{}, fault.New(fault.Corrupt, "a stored version is missing")
	}
	return secret.Secret{
		Value: secret.Stored(r.Value), Version: info, Custom: m.Custom, Stale: stale || r.Stale,
	}, nil
}

// Meta reads the metadata record.
func (v *view) Meta(ctx context.Context, ref secret.Ref) (secret.Metadata, error) {
	if err := v.s.check(ref, ref.Validate()); err != nil {
		return secret.Metadata{}, err
	}
	m, _, known, err := v.meta(ctx, ref)
	if err == nil && !known {
		return m, notFound()
	}
	return m, err
}

func (v *view) Put(ctx context.Context, ref secret.Ref, value secret.Value, cas *int64) (secret.VersionInfo, error) {
	if err := v.s.check(ref, ref.Validate()); err != nil {
		return secret.VersionInfo{}, err
	}
	if err := value.Storable(); err != nil {
		return secret.VersionInfo{}, err
	}
	mount, m, known, err := v.both(ctx, ref)
	if err != nil {
		return secret.VersionInfo{}, err
	}
	if !known {
		m.ID = ledger.NewID()
	}
	info, from, to, err := m.Write(mount, cas, v.s.l.Now().UTC())
	if err != nil {
		return info, err
	}
	if from < to {
		v.tx.DeleteSpan(ledger.VersionsOf(ref.Tenant, kindVersion, ref.Key(), from, to))
	}
	if err := v.tx.Put(versionKey(ref, info.Version), value.Reveal()); err != nil {
		return info, err
	}
	return info, v.save(ref, m)
}

func (v *view) Delete(ctx context.Context, ref secret.Ref, versions []int64) error {
	if err := v.s.check(ref, ref.Validate()); err != nil {
		return err
	}
	if versions != nil {
		if err := secret.CheckVersions(versions); err != nil {
			return err
		}
	}
	m, _, known, err := v.meta(ctx, ref)
	if err != nil || !known || !m.Delete(versions, v.s.l.Now().UTC()) {
		return err
	}
	return v.save(ref, m)
}

func (v *view) Undelete(ctx context.Context, ref secret.Ref, versions []int64) ([]int64, error) {
	if err := v.s.check(ref, ref.Validate()); err != nil {
		return nil, err
	}
	if err := secret.CheckVersions(versions); err != nil {
		return nil, err
	}
	mount, m, known, err := v.both(ctx, ref)
	if err != nil {
		return nil, err
	}
	if !known {
		return secret.Distinct(versions), nil
	}
	ignored, changed := m.Undelete(mount, versions, v.s.l.Now().UTC())
	if !changed {
		return ignored, nil
	}
	return ignored, v.save(ref, m)
}

func (v *view) Destroy(ctx context.Context, ref secret.Ref, which secret.Selection) ([]int64, error) {
	if err := v.s.check(ref, ref.Validate()); err != nil {
		return nil, err
	}
	if which.All {
		return nil, v.purge(ctx, ref)
	}
	if err := secret.CheckVersions(which.Versions); err != nil {
		return nil, err
	}
	m, _, known, err := v.meta(ctx, ref)
	if err != nil {
		return nil, err
	}
	if !known {
		return secret.Distinct(which.Versions), nil
	}
	erased, ignored := m.Destroy(which.Versions)
	if len(erased) == 0 {
		return ignored, nil
	}
	// Contiguous runs are erased by one range each: etcd bounds the operations.
	for i := 0; i < len(erased); {
		j := i + 1
		for j < len(erased) && erased[j] == erased[j-1]+1 {
			j++
		}
		v.tx.DeleteSpan(ledger.VersionsOf(ref.Tenant, kindVersion, ref.Key(), erased[i], erased[j-1]+1))
		i = j
	}
	return ignored, v.save(ref, m)
}

// purge removes the key for good. The metadata is read so that a concurrent write
// makes one of the two run again.
func (v *view) purge(ctx context.Context, ref secret.Ref) error {
	_, _, known, err := v.meta(ctx, ref)
	if err != nil || !known {
		return err
	}
	v.tx.DeleteSpan(ledger.VersionsOf(ref.Tenant, kindVersion, ref.Key(), 0, 0))
	return v.tx.Delete(metaKey(ref))
}

func (v *view) SetMeta(ctx context.Context, ref secret.Ref, change secret.MetaChange) (int64, error) {
	if err := v.s.check(ref, ref.Validate()); err != nil {
		return 0, err
	}
	mount, m, known, err := v.both(ctx, ref)
	if err != nil {
		return 0, err
	}
	if change.Empty() && !change.MustExist {
		return m.MetaVersion, nil
	}
	if err := m.Change(mount, change, known, v.s.l.Now().UTC()); err != nil {
		return 0, err
	}
	if m.ID == "" {
		m.ID = ledger.NewID()
	}
	return m.MetaVersion, v.save(ref, m)
}

// both reads mount and metadata, which a change needs, at once.
func (v *view) both(ctx context.Context, ref secret.Ref) (secret.MountSettings, secret.Metadata, bool, error) {
	if err := v.tx.Load(ctx, mountKey(ref), metaKey(ref)); err != nil {
		return secret.MountSettings{}, secret.Metadata{}, false, err
	}
	mount, err := v.mount(ctx, ref)
	if err != nil {
		return mount, secret.Metadata{}, false, err
	}
	m, _, known, err := v.meta(ctx, ref)
	return mount, m, known, err
}

func (v *view) mount(ctx context.Context, ref secret.Ref) (secret.MountSettings, error) {
	var m secret.MountSettings
	if err := v.s.check(ref, ref.ValidatePrefix()); err != nil {
		return m, err
	}
	r, ok, err := v.r.Get(ctx, mountKey(ref))
	if err != nil || !ok {
		return m, err
	}
	return m, decode(r.Value, &m)
}

func (v *view) meta(ctx context.Context, ref secret.Ref) (m secret.Metadata, stale, known bool, err error) {
	r, ok, err := v.r.Get(ctx, metaKey(ref))
	if err != nil || !ok {
		return m, false, false, err
	}
	return m, r.Stale, true, decode(r.Value, &m)
}

func (v *view) save(ref secret.Ref, m secret.Metadata) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encode metadata")
	}
	return v.tx.Put(metaKey(ref), body)
}

func decode(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fault.Wrap(fault.Corrupt, err, "decode record")
	}
	return nil
}

func notFound() error { return fault.New(fault.NotFound, "no such secret") }
