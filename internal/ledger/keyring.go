package ledger

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync/atomic"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger/address"
	"github.com/coffer-dev/coffer/internal/ledger/etcdnode"
	"github.com/coffer-dev/coffer/internal/seal"
)

// KeyringStatus is what an operator may know of the keyring.
type KeyringStatus struct {
	KEK   string // id of the key encryption key that wraps the ring
	Keys  []seal.KeyStatus
	Stale int // records that are under a key other than the active one
}

// Keyring reports the keyring and counts stale records by reading every record.
func (l *Ledger) Keyring(ctx context.Context) (KeyringStatus, error) {
	st, err := l.refresh(ctx, math.MaxInt64)
	if err != nil {
		return KeyringStatus{}, err
	}
	out := KeyringStatus{KEK: st.kek, Keys: st.ring.Status()}
	err = l.scan(ctx, func(kvs []scanned) error {
		for _, r := range kvs {
			if r.dataKey != st.ring.Active() {
				out.Stale++
			}
		}
		return nil
	})
	return out, err
}

// RotateDataKey begins to seal under a new data key and returns its id. Records
// under the old ones go on to be read, and are resealed in the background.
func (l *Ledger) RotateDataKey(ctx context.Context) (uint32, error) {
	st, err := l.changeRing(ctx, func(r *seal.Keyring) (*seal.Keyring, error) { return r.Rotate(nil, l.Now()) })
	if err != nil {
		return 0, err
	}
	return st.ring.Active(), nil
}

// Retire withdraws a data key that no record is under; earlier it is refused
// (Conflict). One look is enough: since the rotation that ended the key's turn, no
// commit under its ring could happen any more, so its records only get fewer.
func (l *Ledger) Retire(ctx context.Context, id uint32) error {
	st, err := l.refresh(ctx, 0)
	if err != nil {
		return err
	}
	if _, err := st.ring.Retire(id); err != nil {
		return err
	}
	err = l.scan(ctx, func(kvs []scanned) error {
		if slices.ContainsFunc(kvs, func(r scanned) bool { return r.dataKey == id }) {
			return fault.New(fault.Conflict, "data key %d still seals records", id)
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = l.changeRing(ctx, func(r *seal.Keyring) (*seal.Keyring, error) { return r.Retire(id) })
	return err
}

// Rewrap wraps the keyring under the active key encryption key.
func (l *Ledger) Rewrap(ctx context.Context) error {
	_, err := l.changeRing(ctx, func(r *seal.Keyring) (*seal.Keyring, error) { return r, nil })
	return err
}

// changeRing replaces the keyring and moves the epoch on, in one transaction.
func (l *Ledger) changeRing(ctx context.Context, change func(*seal.Keyring) (*seal.Keyring, error)) (*state, error) {
	for {
		st, err := l.current()
		if err != nil {
			return nil, err
		}
		next, err := change(st.ring)
		if err != nil {
			return nil, err
		}
		keks, err := l.c.KEKs(ctx)
		if err != nil {
			return nil, err
		}
		if len(keks) == 0 {
			return nil, fault.Coded(fault.Unavailable, CodeSealed, "no key encryption key is configured")
		}
		// Taken seals count as saved in the ring, and so are in what Wrap writes.
		seals := l.unsaved.Add(int64(st.ring.TakeSeals()))
		wrapped, err := next.Wrap(ctx, keks[0])
		if err != nil {
			return nil, err
		}
		if err = l.moveOn(ctx, st, &ringChange{next, wrapped, seals}); err == nil {
			return l.current()
		}
		if !errors.Is(err, errLost) {
			return nil, err
		}
	}
}

// scanned is a record as it lies in the store.
type scanned struct {
	key     string
	value   []byte
	rev     int64
	dataKey uint32
}

// scan shows every sealed record of the store, in pages. The pages of names, which
// cost little, bound the spans that the values are read from.
func (l *Ledger) scan(ctx context.Context, visit func([]scanned) error) error {
	from := "\x00"
	for {
		res, err := l.fetch(ctx, from, 0, clientv3.WithFromKey(), clientv3.WithKeysOnly(), clientv3.WithLimit(namePage))
		if err != nil || len(res.Kvs) == 0 {
			return err
		}
		next := string(res.Kvs[len(res.Kvs)-1].Key) + "\x00"
		for more := true; more; {
			values, err := l.fetch(ctx, from, 0, clientv3.WithRange(next), clientv3.WithLimit(page))
			if err != nil {
				return err
			}
			if err := visit(sealedOnly(values.Kvs)); err != nil {
				return err
			}
			if more = values.More; more {
				from = string(values.Kvs[len(values.Kvs)-1].Key) + "\x00"
			}
		}
		from = next
	}
}

// sealedOnly leaves out the keyring, which is wrapped, and what is no record at all.
func sealedOnly(kvs []*mvccpb.KeyValue) []scanned {
	found := make([]scanned, 0, len(kvs))
	for _, kv := range kvs {
		if id, ok := seal.KeyID(kv.Value); ok && string(kv.Key) != (Key{Tenant: System, Kind: kindKeyring}).Text() {
			found = append(found, scanned{string(kv.Key), kv.Value, kv.ModRevision, id})
		}
	}
	return found
}

// resealers is how many records are resealed at once: they share an fsync.
const resealers = 16

// reseal puts stale records under the active key: by compare on their revision,
// without new version, time or event. A record that changed meanwhile was resealed
// by that change. It reports how many it tried.
func (l *Ledger) reseal(ctx context.Context, st *state) (int64, error) {
	var met atomic.Int64
	err := l.scan(ctx, func(rs []scanned) error {
		some, ctx := errgroup.WithContext(ctx)
		some.SetLimit(resealers)
		for _, r := range rs {
			if r.dataKey == st.ring.Active() {
				continue
			}
			some.Go(func() error {
				stale, err := l.resealOne(ctx, st, r)
				if stale {
					met.Add(1)
				}
				return err
			})
		}
		return some.Wait()
	})
	return met.Load(), err
}

// resealOne says whether the record could be opened: what is broken stays as it is.
func (l *Ledger) resealOne(ctx context.Context, st *state, r scanned) (tried bool, err error) {
	k, err := address.Parse(r.key)
	if err != nil {
		return false, err
	}
	plain, _, err := st.ring.Open(k.Seal(), r.value)
	if err != nil {
		l.c.Log.Error("a stale record cannot be opened", "kind", string(k.Kind))
		return false, nil
	}
	sealed, err := st.ring.Seal(k.Seal(), plain)
	if err != nil {
		return true, fault.Wrap(fault.Internal, err, "seal record")
	}
	// Under another ring the key that seals here may be on its way out.
	ring := Key{Tenant: System, Kind: kindKeyring}.Text()
	c, cancel := context.WithTimeout(ctx, l.c.CommitTimeout)
	defer cancel()
	release := l.hot.Hold([]string{r.key}, nil)
	res, err := l.kv.Txn(c).If(
		clientv3.Compare(clientv3.ModRevision(r.key), "=", r.rev),
		clientv3.Compare(clientv3.ModRevision(ring), "=", st.ringRev),
	).Then(clientv3.OpPut(r.key, string(sealed))).Commit()
	if err == nil || etcdnode.Definite(err) {
		release() // else it may still happen
	}
	if err == nil && res.Succeeded {
		l.stats.resealed.Add(1)
	}
	return true, etcdnode.Classify(err)
}

// flushSeals is after how many seals of this process the count is stored.
const flushSeals = 1 << 20

// keepKeys stores the count of seals now and then, and rotates a data key that is due.
func (l *Ledger) keepKeys(ctx context.Context) error {
	st, err := l.current()
	if err != nil {
		return err
	}
	if st.ring.Due(l.Now()) {
		id, err := l.RotateDataKey(ctx)
		if err == nil {
			l.c.Log.Info("data key rotated", "id", id)
		}
		return err
	}
	if l.unsaved.Add(int64(st.ring.TakeSeals())) < flushSeals {
		return nil
	}
	return l.Rewrap(ctx)
}
