package ledger

import (
	"context"
	"errors"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/coffer-dev/coffer/internal/fault"
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
	st, err := l.refresh(ctx, l.state.Load())
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
// (Conflict). The check holds at the commit, because every commit seals under the
// ring of its epoch.
func (l *Ledger) Retire(ctx context.Context, id uint32) error {
	_, err := l.changeRing(ctx, func(r *seal.Keyring) (*seal.Keyring, error) {
		next, err := r.Retire(id)
		if err != nil {
			return nil, err
		}
		return next, l.scan(ctx, func(kvs []scanned) error {
			for _, rec := range kvs {
				if rec.dataKey == id {
					return fault.New(fault.Conflict, "data key %d still seals records", id)
				}
			}
			return nil
		})
	})
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
		st, err := l.refresh(ctx, l.state.Load())
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
		st.ring.TakeSeals() // counted as saved: they are in what Wrap writes
		wrapped, err := next.Wrap(ctx, keks[0])
		if err != nil {
			return nil, err
		}
		if err = l.moveOn(ctx, st, next, wrapped); err == nil {
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

// scan shows every sealed record of the store, in pages.
func (l *Ledger) scan(ctx context.Context, visit func([]scanned) error) error {
	ringKey := Key{Tenant: System, Kind: kindKeyring}.text()
	from := "\x00"
	for {
		c, cancel := context.WithTimeout(ctx, readTimeout)
		res, err := l.etcd.Get(c, from, l.readOpts(clientv3.WithFromKey(), clientv3.WithLimit(page))...)
		cancel()
		if err != nil {
			return classify(err)
		}
		found := make([]scanned, 0, len(res.Kvs))
		for _, kv := range res.Kvs {
			if id, ok := seal.KeyID(kv.Value); ok && string(kv.Key) != ringKey {
				found = append(found, scanned{string(kv.Key), kv.Value, kv.ModRevision, id})
			}
		}
		if err := visit(found); err != nil || !res.More {
			return err
		}
		from = string(res.Kvs[len(res.Kvs)-1].Key) + "\x00"
	}
}

// reseal puts stale records under the active key: by compare on their revision,
// without new version, time or event. A record that changed meanwhile was resealed
// by that change. It reports how many it resealed.
func (l *Ledger) reseal(ctx context.Context) (int, error) {
	n := 0
	st, err := l.current()
	if err != nil {
		return 0, err
	}
	err = l.scan(ctx, func(rs []scanned) error {
		for _, r := range rs {
			if r.dataKey == st.ring.Active() {
				continue
			}
			done, err := l.resealOne(ctx, st, r)
			if err != nil {
				return err
			}
			if done {
				n++
			}
		}
		return ctx.Err()
	})
	return n, err
}

func (l *Ledger) resealOne(ctx context.Context, st *state, r scanned) (bool, error) {
	k, err := parseKey(r.key)
	if err != nil {
		return false, err
	}
	plain, _, err := st.ring.Open(k.address(), r.value)
	if err != nil {
		l.c.Log.Error("a stale record cannot be opened", "kind", string(k.Kind))
		return false, nil
	}
	sealed, err := st.ring.Seal(k.address(), plain)
	if err != nil {
		return false, fault.Wrap(fault.Internal, err, "seal record")
	}
	epoch := Key{Tenant: System, Kind: kindEpoch}.text()
	cmps := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(r.key), "=", r.rev)}
	if r.key != epoch {
		cmps = append(cmps, clientv3.Compare(clientv3.ModRevision(epoch), "=", st.epochRev))
	}
	c, cancel := context.WithTimeout(ctx, l.c.CommitTimeout)
	defer cancel()
	res, err := l.etcd.Txn(c).If(cmps...).Then(clientv3.OpPut(r.key, string(sealed))).Commit()
	if err != nil {
		return false, classify(err)
	}
	return res.Succeeded, nil
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
	if l.unsaved += st.ring.TakeSeals(); l.unsaved < flushSeals {
		return nil
	}
	l.unsaved = 0
	return l.Rewrap(ctx)
}
