package ledger

import (
	"context"
	"errors"
	"math"
	"strconv"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger/address"
	"github.com/coffer-dev/coffer/internal/ledger/etcdnode"
	"github.com/coffer-dev/coffer/internal/seal"
)

// The epoch moves on when a commit must be fenced, when the keyring changes, and
// when enough events were told. Its record and the keyring are written in one
// transaction, so whoever commits under the current epoch seals under the current ring.

// current gives the state, or Unavailable while the store is sealed.
func (l *Ledger) current() (*state, error) {
	if st := l.state.Load(); st != nil {
		return st, nil
	}
	return nil, &fault.Error{
		Kind: fault.Unavailable, Code: CodeSealed, Detail: "the store is sealed", RetryAfter: 2 * time.Second,
	}
}

// refresh reads the state again unless the one in memory was read at revision past
// or later.
func (l *Ledger) refresh(ctx context.Context, past int64) (*state, error) {
	select {
	case l.reload <- struct{}{}:
		defer func() { <-l.reload }()
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Timeout, ctx.Err(), "the request was abandoned")
	}
	if st := l.state.Load(); st != nil && st.seen >= past {
		return st, nil
	}
	c, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	st, err := l.load(c)
	if err != nil {
		return nil, err
	}
	l.adopt(st)
	return st, nil
}

func (l *Ledger) adopt(st *state) {
	old := l.state.Swap(st)
	if old != nil && old.epoch != st.epoch {
		l.emitted.Store(0)
	}
	if old != nil && old.ring != st.ring {
		// What the stored ring does not know of yet counts on the new copy too.
		st.ring.AddSeals(uint64(l.unsaved.Add(int64(old.ring.TakeSeals()))))
	}
}

// errNew says that the store holds nothing yet.
var errNew = errors.New("the store is new")

// load reads epoch and keyring as one snapshot and opens the ring. An empty store
// is errNew.
func (l *Ledger) load(ctx context.Context) (*state, error) {
	epochKey, ringKey := Key{Tenant: System, Kind: kindEpoch}, Key{Tenant: System, Kind: kindKeyring}
	res, err := l.kv.Txn(ctx).Then(clientv3.OpGet(epochKey.Text()), clientv3.OpGet(ringKey.Text())).Commit()
	if err != nil {
		return nil, etcdnode.Classify(err)
	}
	e, r := res.Responses[0].GetResponseRange().Kvs, res.Responses[1].GetResponseRange().Kvs
	if len(e) == 0 && len(r) == 0 {
		return nil, errNew
	}
	if len(e) == 0 || len(r) == 0 {
		return nil, fault.New(fault.Corrupt, "the store lacks its epoch or its keyring")
	}
	st := &state{seen: res.Header.Revision, epochRev: e[0].ModRevision, ringRev: r[0].ModRevision}
	if old := l.state.Load(); old != nil && old.ringRev == st.ringRev {
		st.ring, st.kek = old.ring, old.kek
	} else {
		keks, err := l.c.KEKs(ctx)
		if err != nil {
			return nil, err
		}
		if st.ring, st.kek, err = seal.Unwrap(ctx, r[0].Value, keks...); err != nil {
			return nil, err
		}
	}
	text, _, err := st.ring.Open(epochKey.Seal(), e[0].Value)
	if err != nil {
		return nil, l.corrupt(epochKey, err)
	}
	if st.epoch, err = strconv.ParseInt(string(text), 16, 64); err != nil {
		return nil, l.corrupt(epochKey, err)
	}
	return st, nil
}

// ringChange is a keyring to be stored, and how many seals not yet stored it counts.
type ringChange struct {
	ring    *seal.Keyring
	wrapped []byte
	seals   int64
}

// moveOn begins the next epoch, together with a new keyring where one is given. It
// is errLost when the epoch moved meanwhile. Unless it fails otherwise, the state is
// then no older than the move.
func (l *Ledger) moveOn(ctx context.Context, st *state, change *ringChange) error {
	ops, err := l.moveOps(st, change)
	if err != nil {
		return err
	}
	c, cancel := context.WithTimeout(ctx, l.c.CommitTimeout)
	defer cancel()
	res, err := l.kv.Txn(c).If(
		clientv3.Compare(clientv3.ModRevision(Key{Tenant: System, Kind: kindEpoch}.Text()), "=", st.epochRev),
		clientv3.Compare(clientv3.ModRevision(Key{Tenant: System, Kind: kindKeyring}.Text()), "=", st.ringRev),
	).Then(ops...).Commit()
	if err != nil {
		return etcdnode.Classify(err)
	}
	if res.Succeeded && change != nil {
		l.unsaved.Add(-change.seals)
	}
	if _, err := l.refresh(ctx, res.Header.Revision); err != nil {
		return err
	}
	if !res.Succeeded {
		return errLost
	}
	return nil
}

// moveOps writes the next epoch, its place in history, and the keyring.
func (l *Ledger) moveOps(st *state, change *ringChange) ([]clientv3.Op, error) {
	epochKey, ringKey := Key{Tenant: System, Kind: kindEpoch}, Key{Tenant: System, Kind: kindKeyring}
	under := st.ring
	if change != nil {
		under = change.ring
	}
	next := address.Number(st.epoch + 1)
	now, err := under.Seal(epochKey.Seal(), []byte(next))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "seal epoch")
	}
	history := Key{Tenant: System, Kind: kindEpochs, Path: next}
	past, err := under.Seal(history.Seal(), []byte(l.Now().UTC().Format(time.RFC3339)))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "seal epoch")
	}
	ops := []clientv3.Op{clientv3.OpPut(epochKey.Text(), string(now)), clientv3.OpPut(history.Text(), string(past))}
	if change != nil {
		ops = append(ops, clientv3.OpPut(ringKey.Text(), string(change.wrapped)))
	}
	return ops, nil
}

// fence makes sure that no commit prepared under st can happen any more.
func (l *Ledger) fence(ctx context.Context, st *state) error {
	for {
		cur, err := l.current()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if cur.epoch != st.epoch {
			return nil
		}
		err = l.moveOn(ctx, cur, nil)
		if err == nil || errors.Is(err, errLost) {
			continue
		}
		if ctx.Err() != nil {
			return err
		}
		// Whether the move itself happened, and who else moved, is in the store.
		if _, err := l.refresh(ctx, math.MaxInt64); err != nil {
			return err
		}
	}
}

// unseal opens the keyring, or makes the first one in an empty store.
func (l *Ledger) unseal(ctx context.Context) error {
	if _, err := l.refresh(ctx, 0); !errors.Is(err, errNew) {
		return err
	}
	keks, err := l.c.KEKs(ctx)
	if err != nil {
		return err
	}
	if len(keks) == 0 {
		return fault.Coded(fault.Unavailable, CodeSealed, "no key encryption key is configured")
	}
	ring, err := seal.NewKeyring(nil, l.Now())
	if err != nil {
		return fault.Wrap(fault.Internal, err, "make keyring")
	}
	wrapped, err := ring.Wrap(ctx, keks[0])
	if err != nil {
		return err
	}
	err = l.moveOn(ctx, &state{ring: ring}, &ringChange{ring: ring, wrapped: wrapped})
	if errors.Is(err, errLost) { // another member was first, and its ring was just opened
		return nil
	}
	return err
}

// keepUnsealed tries until the store can serve.
func (l *Ledger) keepUnsealed(ctx context.Context) {
	for l.state.Load() == nil {
		t := time.NewTimer(time.Second)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		if err := l.unseal(ctx); err == nil {
			l.c.Log.Info("the store is unsealed")
		}
	}
}

// Sealed says whether no key has opened the keyring yet.
func (l *Ledger) Sealed() bool { return l.state.Load() == nil }
