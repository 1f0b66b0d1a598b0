package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger/address"
	"github.com/coffer-dev/coffer/internal/ledger/etcdnode"
)

// maxAttempts bounds how often a transaction that loses races is run.
const maxAttempts = 32

// errCompacted says that the snapshot of a transaction is gone; it is run again.
var errCompacted = fault.New(fault.Unavailable, "the snapshot is too old")

func isCompacted(err error) bool { return errors.Is(err, rpctypes.ErrCompacted) }

// Receipt tells of a commit. A transaction that changed nothing has the zero Receipt.
type Receipt struct {
	Revision int64 // of every record it changed; grows from commit to commit
}

// Sequence is the place of the transaction's i-th event of a tenant in its log.
func (r Receipt) Sequence(i int) int64 { return sequence(r.Revision, i) }

// Txn runs do and commits what it did, as one. do may run several times: it must
// have no other effects than through its Tx. Its error ends the transaction without
// effect and is returned as it is. A race that is lost again and again is a
// Conflict. When the answer of the commit is lost, the outcome is looked up by the
// mutation id; only if that is impossible too the result is a Timeout.
func (l *Ledger) Txn(ctx context.Context, do func(*Tx) error) (Receipt, error) {
	id := NewID()
	for attempt := range maxAttempts {
		st, err := l.current()
		if err != nil {
			return Receipt{}, err
		}
		tx := l.begin(id, st)
		if err := do(tx); err != nil {
			if errors.Is(err, errCompacted) && ctx.Err() == nil {
				continue
			}
			return Receipt{}, err
		}
		if tx.empty() {
			return Receipt{}, nil
		}
		rev, err := l.commit(ctx, tx)
		switch {
		case err == nil:
			l.committed(tx)
			return Receipt{Revision: rev}, nil
		case !errors.Is(err, errLost):
			return Receipt{}, err
		}
		l.stats.retries.Add(1)
		if err := pause(ctx, attempt); err != nil {
			return Receipt{}, fault.Wrap(fault.Timeout, err, "the request was abandoned")
		}
	}
	l.stats.conflicts.Add(1)
	return Receipt{}, fault.New(fault.Conflict, "too many concurrent changes")
}

// errLost says that a compare failed: somebody else was faster. Nothing changed.
var errLost = errors.New("transaction lost a race")

// commit sends the transaction once. The caller's going away does not cut it off:
// that would only make its outcome unknown.
func (l *Ledger) commit(ctx context.Context, tx *Tx) (rev int64, err error) {
	if err := l.room(tx); err != nil {
		return 0, err
	}
	ops, err := tx.ops()
	if err != nil {
		return 0, err
	}
	cmps := tx.compares()
	release := l.hot.Hold(tx.touched(), tx.gone)
	defer func() {
		if !errors.Is(err, fault.Timeout) {
			release() // else it may still happen
		}
	}()
	sent := time.Now()
	c, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.c.CommitTimeout)
	defer cancel()
	epoch := Key{Tenant: System, Kind: kindEpoch}.Text()
	res, err := l.kv.Txn(c).If(cmps...).Then(etcdnode.Nest(ops, len(cmps))...).Else(clientv3.OpGet(epoch, clientv3.WithKeysOnly())).Commit()
	switch {
	case err != nil && etcdnode.Definite(err):
		return 0, etcdnode.Classify(err)
	case err != nil:
		return l.resolve(ctx, tx, sent, err)
	case !res.Succeeded:
		// Only the revision of the epoch is looked at: when it moved, so must the state.
		for _, kv := range res.Responses[0].GetResponseRange().Kvs {
			if _, err := l.refresh(ctx, kv.ModRevision); err != nil {
				return 0, err
			}
		}
		return 0, errLost
	}
	return res.Header.Revision, nil
}

// compares guard everything that was read, and the epoch.
func (t *Tx) compares() []clientv3.Cmp {
	epoch := Key{Tenant: System, Kind: kindEpoch}.Text()
	cmps := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(epoch), "=", t.st.epochRev)}
	for text, rev := range t.reads {
		cmps = append(cmps, clientv3.Compare(clientv3.ModRevision(text), "=", rev))
	}
	for _, s := range t.spans {
		cmps = append(cmps, clientv3.Compare(clientv3.ModRevision(s.From), "<", t.rev+1).WithRange(s.To))
	}
	return cmps
}

// ops seals the writes. The last are the events, or the mutation record in their
// place: what tells later that this commit happened.
func (t *Tx) ops() ([]clientv3.Op, error) {
	ops, size := t.deletions(), 0
	add := func(k Key, value []byte) error {
		sealed, err := t.st.ring.Seal(k.Seal(), value)
		if err != nil {
			return fault.Wrap(fault.Internal, err, "seal record")
		}
		if size += len(sealed); size > etcdnode.MaxRequestBytes {
			return fault.New(fault.TooLarge, "the change is too large for one transaction")
		}
		op := clientv3.OpPut(k.Text(), "")
		op.WithValueBytes(sealed)
		ops = append(ops, op)
		return nil
	}
	for _, text := range t.order {
		p := t.puts[text]
		if err := add(p.key, p.value); err != nil {
			return nil, err
		}
	}
	for tenant, bodies := range t.told {
		list, err := json.Marshal(bodies)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "encode events")
		}
		if err := add(t.logKey(tenant), list); err != nil {
			return nil, err
		}
	}
	if len(t.told) == 0 {
		return ops, add(t.logKey(""), nil)
	}
	return ops, nil
}

// deletions cuts the spans around what is put: etcd refuses to delete and to put one
// key in one transaction.
func (t *Tx) deletions() []clientv3.Op {
	ops := make([]clientv3.Op, 0, len(t.gone)+len(t.drops)+len(t.order)+len(t.told)+1)
	for _, s := range t.gone {
		for _, text := range slices.Sorted(slices.Values(t.order)) {
			if !s.Holds(text) {
				continue
			}
			if text > s.From {
				ops = append(ops, clientv3.OpDelete(s.From, clientv3.WithRange(text)))
			}
			s.From = text + address.Sep
		}
		if s.From < s.To {
			ops = append(ops, clientv3.OpDelete(s.From, clientv3.WithRange(s.To)))
		}
	}
	for _, k := range t.drops {
		ops = append(ops, clientv3.OpDelete(k.Text()))
	}
	return ops
}

// logKey is where the events of a tenant go; without a tenant, the mutation record.
func (t *Tx) logKey(tenant string) Key {
	path := address.Number(t.st.epoch) + "/" + t.id
	if tenant == "" {
		return Key{Tenant: System, Kind: kindMutation, Path: path}
	}
	return Key{Tenant: tenant, Kind: kindEvent, Path: path}
}

// marker is the key whose existence proves the commit.
func (t *Tx) marker() Key {
	for tenant := range t.told {
		return t.logKey(tenant)
	}
	return t.logKey("")
}

// settle is how long after the end of an epoch its markers are kept.
const settle = 2 * time.Minute

// resolve finds out what became of a commit whose answer was lost. Moving the epoch
// on makes sure that it cannot happen later any more; then the marker tells. It is
// errLost when the commit did not happen. Whoever was stopped for so long that the
// marker may be gone again does not know.
func (l *Ledger) resolve(ctx context.Context, tx *Tx, sent time.Time, cause error) (int64, error) {
	l.stats.ambiguous.Add(1)
	c, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.c.CommitTimeout)
	defer cancel()
	if err := l.fence(c, tx.st); err != nil {
		return 0, fault.Wrap(fault.Timeout, errors.Join(cause, err), "the outcome of the change is unknown")
	}
	res, err := l.kv.Get(c, tx.marker().Text(), clientv3.WithKeysOnly())
	switch {
	case err != nil:
		return 0, fault.Wrap(fault.Timeout, errors.Join(cause, err), "the outcome of the change is unknown")
	case len(res.Kvs) > 0:
		return res.Kvs[0].CreateRevision, nil
	case time.Since(sent) > settle/2:
		return 0, fault.Wrap(fault.Timeout, cause, "the outcome of the change is unknown")
	}
	return 0, errLost
}

// room refuses what the disk or the quota has no room for. What frees room goes on
// while the quota's reserve lasts.
func (l *Ledger) room(tx *Tx) error {
	if l.keeper.DiskFull() && len(tx.puts) > 0 {
		return etcdnode.Full(errors.New("too little free disk space"))
	}
	if l.keeper.QuotaFull() && !tx.frees() {
		return etcdnode.Full(errors.New("the quota is used up"))
	}
	return nil
}

func (l *Ledger) committed(tx *Tx) {
	l.stats.commits.Add(1)
	n := 0
	for _, bodies := range tx.told {
		n += len(bodies)
	}
	n = max(n, 1) // a commit without events leaves a mutation record behind
	if l.emitted.Add(int64(n)) < int64(l.c.EpochEvents) {
		return
	}
	select {
	case l.bump <- struct{}{}:
	default:
	}
}

// pause waits a little longer after each lost race, at random so that the losers
// do not meet again.
func pause(ctx context.Context, attempt int) error {
	if attempt == 0 {
		return ctx.Err()
	}
	longest := time.Duration(min(attempt, 8)) * time.Millisecond
	t := time.NewTimer(rand.N(longest)) //nolint:gosec // spreads retries, keeps no secret
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
