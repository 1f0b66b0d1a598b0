package embedded

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/secret"
)

// Kinds of the records that this package keeps.
const (
	kindMeta    ledger.Kind = "meta"    // path: mount/path
	kindVersion ledger.Kind = "version" // path: mount/path, with its version
	kindMount   ledger.Kind = "mount"   // path: mount
)

// Can is what the embedded engine declares.
func Can() secret.Capabilities {
	return secret.Capabilities{Transactional: true, Versions: true, Metadata: true, List: true, CAS: true}
}

// Store is the embedded engine. All methods may be called concurrently.
type Store struct {
	l       *ledger.Ledger
	allowed func(tenant, mount string) bool
}

// New makes the engine on a ledger. The mounts that allowed admits exist from the
// start; any other is NotFound.
func New(l *ledger.Ledger, allowed func(tenant, mount string) bool) *Store {
	return &Store{l: l, allowed: allowed}
}

// In is the store as it is inside a transaction: its mutations commit with it, and
// it sees them before. It is as void and as unsafe for concurrent use as tx.
func (s *Store) In(tx *ledger.Tx) secret.Store {
	return &view{s: s, r: tx, tx: tx, seen: map[ledger.Key]known{}}
}

// reading is the store as it is at one time: what is read piece by piece belongs together.
func (s *Store) reading() *view { return &view{s: s, r: s.l.Snapshot()} }

// Get reads one version linearizably. Where this process is alone, both records may
// be remembered; only if they do not belong together they are read again, at one time.
func (s *Store) Get(ctx context.Context, ref secret.Ref, version int64) (secret.Secret, error) {
	if s.l.Alone() {
		out, err := (&view{s: s, r: s.l}).Get(ctx, ref, version)
		if !errors.Is(err, errTorn) {
			return out, err
		}
	}
	return s.reading().Get(ctx, ref, version)
}

// Meta reads metadata linearizably.
func (s *Store) Meta(ctx context.Context, ref secret.Ref) (secret.Metadata, error) {
	return (&view{s: s, r: s.l}).Meta(ctx, ref)
}

// List lists names linearizably.
func (s *Store) List(ctx context.Context, prefix secret.Ref, opts secret.ListOptions) ([]string, error) {
	return s.reading().List(ctx, prefix, opts)
}

// Put writes a new version.
func (s *Store) Put(ctx context.Context, ref secret.Ref, value secret.Value, cas *int64) (v secret.VersionInfo, err error) {
	err = s.commit(ctx, func(w secret.Store) error {
		v, err = w.Put(ctx, ref, value, cas)
		return err
	})
	return v, err
}

// Delete soft-deletes versions.
func (s *Store) Delete(ctx context.Context, ref secret.Ref, versions []int64) error {
	return s.commit(ctx, func(w secret.Store) error { return w.Delete(ctx, ref, versions) })
}

// Undelete restores versions.
func (s *Store) Undelete(ctx context.Context, ref secret.Ref, versions []int64) (ignored []int64, err error) {
	err = s.commit(ctx, func(w secret.Store) error {
		ignored, err = w.Undelete(ctx, ref, versions)
		return err
	})
	return ignored, err
}

// Destroy erases versions or the whole key.
func (s *Store) Destroy(ctx context.Context, ref secret.Ref, which secret.Selection) (ignored []int64, err error) {
	err = s.commit(ctx, func(w secret.Store) error {
		ignored, err = w.Destroy(ctx, ref, which)
		return err
	})
	return ignored, err
}

// SetMeta changes settings and custom metadata.
func (s *Store) SetMeta(ctx context.Context, ref secret.Ref, change secret.MetaChange) (version int64, err error) {
	err = s.commit(ctx, func(w secret.Store) error {
		version, err = w.SetMeta(ctx, ref, change)
		return err
	})
	return version, err
}

func (s *Store) commit(ctx context.Context, do func(secret.Store) error) error {
	_, err := s.l.Txn(ctx, func(tx *ledger.Tx) error { return do(s.In(tx)) })
	return err
}

// Mount reads a mount's settings; one that was never set has the zero settings.
func (s *Store) Mount(ctx context.Context, tenant, mount string) (secret.MountSettings, error) {
	return s.reading().mount(ctx, secret.Ref{Tenant: tenant, Mount: mount})
}

// SetMount replaces a mount's settings.
func (s *Store) SetMount(ctx context.Context, tenant, mount string, m secret.MountSettings) error {
	ref := secret.Ref{Tenant: tenant, Mount: mount}
	if err := s.check(ref, ref.ValidatePrefix()); err != nil {
		return err
	}
	if m.MaxVersions < 0 || m.MaxVersions > secret.MaxMaxVersions {
		return fault.New(fault.Invalid, "max_versions must be 0 to %d", secret.MaxMaxVersions)
	}
	body, err := json.Marshal(m)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encode mount settings")
	}
	_, err = s.l.Txn(ctx, func(tx *ledger.Tx) error { return tx.Put(mountKey(ref), body) })
	return err
}

func (s *Store) check(ref secret.Ref, err error) error {
	if err == nil && !s.allowed(ref.Tenant, ref.Mount) {
		return fault.New(fault.NotFound, "no such mount")
	}
	return err
}

func mountKey(ref secret.Ref) ledger.Key {
	return ledger.Key{Tenant: ref.Tenant, Kind: kindMount, Path: ref.Mount}
}

func metaKey(ref secret.Ref) ledger.Key {
	return ledger.Key{Tenant: ref.Tenant, Kind: kindMeta, Path: ref.Key()}
}

func versionKey(ref secret.Ref, n int64) ledger.Key {
	return ledger.Key{Tenant: ref.Tenant, Kind: kindVersion, Path: ref.Key(), Version: n}
}
