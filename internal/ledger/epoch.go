package ledger

import (
	"context"
	"errors"
	"strconv"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/coffer-dev/coffer/internal/fault"
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

// refresh reads the state again unless somebody did since old was taken.
func (l *Ledger) refresh(ctx context.Context, old *state) (*state, error) {
	l.reload.Lock()
	defer l.reload.Unlock()
	if st := l.state.Load(); st != nil && st != old {
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
		st.ring.AddSeals(old.ring.TakeSeals())
	}
}

// load reads epoch and keyring as one snapshot and opens the ring. An empty store
// is a NotFound.
func (l *Ledger) load(ctx context.Context) (*state, error) {
	epochKey, ringKey := Key{Tenant: System, Kind: kindEpoch}, Key{Tenant: System, Kind: kindKeyring}
	res, err := l.etcd.Txn(ctx).Then(clientv3.OpGet(epochKey.text()), clientv3.OpGet(ringKey.text())).Commit()
	if err != nil {
		return nil, classify(err)
	}
	e, r := res.Responses[0].GetResponseRange().Kvs, res.Responses[1].GetResponseRange().Kvs
	if len(e) == 0 && len(r) == 0 {
		return nil, fault.New(fault.NotFound, "the store is new")
	}
	if len(e) == 0 || len(r) == 0 {
		return nil, fault.New(fault.Corrupt, "the store lacks its epoch or its keyring")
	}
	st := &state{epochRev: e[0].ModRevision, ringRev: r[0].ModRevision}
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
	text, _, err := st.ring.Open(epochKey.address(), e[0].Value)
	if err != nil {
		return nil, l.corrupt(epochKey, err)
	}
	if st.epoch, err = strconv.ParseInt(string(text), 16, 64); err != nil {
		return nil, l.corrupt(epochKey, err)
	}
	return st, nil
}

// moveOn begins the next epoch, together with a new keyring where one is given. It
// is errLost when the epoch moved meanwhile; then the state has been read again.
func (l *Ledger) moveOn(ctx context.Context, st *state, ring *seal.Keyring, wrapped []byte) error {
	epochKey, ringKey := Key{Tenant: System, Kind: kindEpoch}, Key{Tenant: System, Kind: kindKeyring}
	under := st.ring
	if ring != nil {
		under = ring
	}
	next := versionText(st.epoch + 1)
	now, err := under.Seal(epochKey.address(), []byte(next))
	if err != nil {
		return fault.Wrap(fault.Internal, err, "seal epoch")
	}
	history := Key{Tenant: System, Kind: kindEpochs, Path: next}
	past, err := under.Seal(history.address(), []byte(l.Now().UTC().Format(time.RFC3339)))
	if err != nil {
		return fault.Wrap(fault.Internal, err, "seal epoch")
	}
	ops := []clientv3.Op{clientv3.OpPut(epochKey.text(), string(now)), clientv3.OpPut(history.text(), string(past))}
	cmps := []clientv3.Cmp{
		clientv3.Compare(clientv3.ModRevision(epochKey.text()), "=", st.epochRev),
		clientv3.Compare(clientv3.ModRevision(ringKey.text()), "=", st.ringRev),
	}
	if wrapped != nil {
		ops = append(ops, clientv3.OpPut(ringKey.text(), string(wrapped)))
	}
	res, err := l.etcd.Txn(ctx).If(cmps...).Then(ops...).Commit()
	if err != nil {
		return classify(err)
	}
	if _, err := l.refresh(ctx, st); err != nil {
		return err
	}
	if !res.Succeeded {
		return errLost
	}
	return nil
}

// fence makes sure that no commit prepared under st can happen any more.
func (l *Ledger) fence(ctx context.Context, st *state) error {
	for {
		cur, err := l.refresh(ctx, st)
		if err != nil {
			return err
		}
		if cur.epoch != st.epoch {
			return nil
		}
		if err := l.moveOn(ctx, cur, nil, nil); err != nil && !errors.Is(err, errLost) {
			return err
		}
	}
}

// unseal opens the keyring, or makes the first one in an empty store.
func (l *Ledger) unseal(ctx context.Context) error {
	st, err := l.refresh(ctx, nil)
	if err == nil || !errors.Is(err, fault.NotFound) {
		if st != nil {
			return nil
		}
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
	if err := l.moveOn(ctx, &state{ring: ring}, ring, wrapped); err != nil && !errors.Is(err, errLost) {
		return err
	}
	_, err = l.refresh(ctx, nil)
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
