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
	// seen is the metadata as this transaction has it: read once, and as written since.
	seen map[ledger.Key]known
}

// known is a metadata record, or that there is none.
type known struct {
	meta  secret.Metadata
	rev   int64 // of the record; 0 within a transaction that wrote it
	stale bool
	is    bool
}

// errTorn says that metadata and version do not belong together: they were read one
// after the other and the key changed in between.
var errTorn = fault.New(fault.Corrupt, "a stored version is missing")

// Get reads the metadata, then the version.
func (v *view) Get(ctx context.Context, ref secret.Ref, version int64) (secret.Secret, error) {
	if err := v.s.check(ref, ref.Validate()); err != nil {
		return secret.Secret{}, err
	}
	k, err := v.meta(ctx, ref)
	if err != nil {
		return secret.Secret{}, err
	}
	if !k.is {
		return secret.Secret{}, notFound()
	}
	info, err := k.meta.Resolve(version, v.s.l.Now())
	if err != nil {
		return secret.Secret{}, err
	}
	r, ok, err := v.r.Get(ctx, versionKey(ref, info.Version))
	if err != nil {
		return secret.Secret{}, err
	}
	// A version is made together with its metadata or before it.
	if !ok || v.tx == nil && r.Created > k.rev {
		return secret.Secret{}, errTorn
	}
	return secret.Secret{
		Value: secret.Stored(r.Value), Version: info, Custom: k.meta.Custom, Stale: k.stale || r.Stale,
	}, nil
}

// Meta reads the metadata record.
func (v *view) Meta(ctx context.Context, ref secret.Ref) (secret.Metadata, error) {
	if err := v.s.check(ref, ref.Validate()); err != nil {
		return secret.Metadata{}, err
	}
	k, err := v.meta(ctx, ref)
	if err == nil && !k.is {
		return k.meta, notFound()
	}
	return k.meta, err
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
	k, err := v.meta(ctx, ref)
	m := k.meta
	if err != nil || !k.is || !m.Delete(versions, v.s.l.Now().UTC()) {
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
	k, err := v.meta(ctx, ref)
	m := k.meta
	if err != nil {
		return nil, err
	}
	if !k.is {
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
	k, err := v.meta(ctx, ref)
	if err != nil || !k.is {
		return err
	}
	v.seen[metaKey(ref)] = known{}
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
	k, err := v.meta(ctx, ref)
	return mount, k.meta, k.is, err
}

func (v *view) mount(ctx context.Context, ref secret.Ref) (secret.MountSettings, error) {
	var m secret.MountSettings
	if err := v.s.check(ref, ref.ValidatePrefix()); err != nil {
		return m, err
	}
	// Settings may be a moment older than the transaction: a change of them and a write
	// at the same time have no order. So they need not be compared at the commit.
	from := v.r
	if v.s.l.Alone() {
		from = v.s.l
	}
	r, ok, err := from.Get(ctx, mountKey(ref))
	if err != nil || !ok {
		return m, err
	}
	return m, decode(r.Value, &m)
}

func (v *view) meta(ctx context.Context, ref secret.Ref) (known, error) {
	key := metaKey(ref)
	if k, ok := v.seen[key]; ok {
		return k, nil
	}
	r, ok, err := v.r.Get(ctx, key)
	if err != nil || !ok {
		return known{}, err
	}
	k := known{rev: r.Revision, stale: r.Stale, is: true}
	if k.meta, err = decodeMeta(r.Value); err != nil {
		return known{}, err
	}
	if v.seen != nil {
		v.seen[key] = k
	}
	return k, nil
}

func (v *view) save(ref secret.Ref, m secret.Metadata) error {
	v.seen[metaKey(ref)] = known{meta: m, is: true}
	return v.tx.Put(metaKey(ref), encodeMeta(m))
}

func decode(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fault.Wrap(fault.Corrupt, err, "decode record")
	}
	return nil
}

func notFound() error { return fault.New(fault.NotFound, "no such secret") }
