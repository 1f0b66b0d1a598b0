package ledger

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger/address"
	"github.com/coffer-dev/coffer/internal/ledger/etcdnode"
	"github.com/coffer-dev/coffer/internal/seal"
)

// Record is one record as read.
type Record struct {
	Key      Key
	Value    []byte // opened; nil when only keys were asked for
	Revision int64  // of the record's last change; equal within one transaction
	Created  int64  // revision of the transaction that created it
	Stale    bool   // sealed under a data key that is no longer active
}

// Reader reads records: a Ledger linearizably, a Tx from its snapshot.
type Reader interface {
	// Get reads one record; ok is false when there is none.
	Get(ctx context.Context, k Key) (r Record, ok bool, err error)
	// Range reads the records of a span in key order, at most limit of them (0: all).
	Range(ctx context.Context, s Span, limit int) ([]Record, error)
	// Names is Range without values.
	Names(ctx context.Context, s Span, limit int) ([]Record, error)
}

// readTimeout bounds one read of etcd.
const readTimeout = 5 * time.Second

// fetch reads etcd at a revision, or linearizably where that is 0. One member alone
// has applied whatever was acknowledged, and what a revision held is the same on every
// member that has come so far: these need not ask the others.
func (l *Ledger) fetch(ctx context.Context, from string, rev int64, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	c, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	opts = append(opts, clientv3.WithRev(rev))
	if rev == 0 && !l.c.Node.Local {
		res, err := l.kv.Get(c, from, opts...)
		return res, classifyRead(err)
	}
	res, err := l.kv.Get(c, from, append(slices.Clip(opts), clientv3.WithSerializable())...)
	if errors.Is(err, rpctypes.ErrFutureRev) { // the member that was asked lags behind
		res, err = l.kv.Get(c, from, opts...)
	}
	return res, classifyRead(err)
}

// Get reads one record linearizably.
func (l *Ledger) Get(ctx context.Context, k Key) (Record, bool, error) {
	st, err := l.current()
	if err != nil {
		return Record{}, false, err
	}
	if err := ctx.Err(); err != nil {
		return Record{}, false, classifyRead(err)
	}
	kv, ticket, remembered := l.hot.Get(k.Text())
	if !remembered {
		if err := k.Check(); err != nil {
			return Record{}, false, err
		}
		res, err := l.fetch(ctx, k.Text(), 0)
		if err != nil {
			return Record{}, false, err
		}
		if len(res.Kvs) > 0 {
			kv = res.Kvs[0]
		}
		l.hot.Fill(k.Text(), ticket, kv)
	}
	if kv == nil {
		return Record{}, false, nil
	}
	r, err := l.open(ctx, st, kv)
	return r, err == nil, err
}

// getAt reads at a revision, 0 the newest, and tells the revision that it saw.
func (l *Ledger) getAt(ctx context.Context, k Key, rev int64) (Record, bool, int64, error) {
	if err := k.Check(); err != nil {
		return Record{}, false, 0, err
	}
	st, err := l.current()
	if err != nil {
		return Record{}, false, 0, err
	}
	res, err := l.fetch(ctx, k.Text(), rev)
	if err != nil {
		return Record{}, false, 0, err
	}
	if len(res.Kvs) == 0 {
		return Record{}, false, res.Header.Revision, nil
	}
	r, err := l.open(ctx, st, res.Kvs[0])
	return r, err == nil, res.Header.Revision, err
}

// loadAt reads several records at a revision, 0 the newest, at once. What is absent
// has no Revision.
func (l *Ledger) loadAt(ctx context.Context, keys []Key, rev int64) ([]Record, int64, error) {
	st, err := l.current()
	if err != nil {
		return nil, 0, err
	}
	ops := make([]clientv3.Op, len(keys))
	for i, k := range keys {
		if err := k.Check(); err != nil {
			return nil, 0, err
		}
		ops[i] = clientv3.OpGet(k.Text(), clientv3.WithRev(rev))
	}
	c, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	res, err := l.kv.Txn(c).Then(ops...).Commit()
	if err != nil {
		return nil, 0, classifyRead(err)
	}
	out := make([]Record, len(keys))
	for i, r := range res.Responses {
		out[i].Key = keys[i]
		for _, kv := range r.GetResponseRange().Kvs {
			if out[i], err = l.open(ctx, st, kv); err != nil {
				return nil, 0, err
			}
		}
	}
	return out, res.Header.Revision, nil
}

// Range reads a span linearizably; a long one is read in pages of one snapshot.
func (l *Ledger) Range(ctx context.Context, s Span, limit int) ([]Record, error) {
	return l.whole(ctx, s, limit, false)
}

// Names reads the keys of a span linearizably.
func (l *Ledger) Names(ctx context.Context, s Span, limit int) ([]Record, error) {
	return l.whole(ctx, s, limit, true)
}

// snapshotTries is how many snapshots may be compacted away under a long read.
const snapshotTries = 3

func (l *Ledger) whole(ctx context.Context, s Span, limit int, keysOnly bool) (rs []Record, err error) {
	for range snapshotTries {
		rs, _, err = l.rangeAt(ctx, s, limit, 0, keysOnly)
		if !errors.Is(err, errCompacted) {
			break
		}
	}
	return rs, err
}

// Snapshot reads one state of the store: that of its first read, which is
// linearizable. It is not safe for concurrent use. A snapshot that is kept longer
// than the pace of compaction may answer Unavailable.
type Snapshot struct {
	l   *Ledger
	rev int64
}

// Snapshot begins a snapshot.
func (l *Ledger) Snapshot() *Snapshot { return &Snapshot{l: l} }

// Get reads one record.
func (s *Snapshot) Get(ctx context.Context, k Key) (Record, bool, error) {
	r, ok, rev, err := s.l.getAt(ctx, k, s.rev)
	s.rev = rev0(s.rev, rev)
	return r, ok, err
}

// Range reads the records of a span.
func (s *Snapshot) Range(ctx context.Context, span Span, limit int) ([]Record, error) {
	rs, rev, err := s.l.rangeAt(ctx, span, limit, s.rev, false)
	s.rev = rev0(s.rev, rev)
	return rs, err
}

// Names is Range without values.
func (s *Snapshot) Names(ctx context.Context, span Span, limit int) ([]Record, error) {
	rs, rev, err := s.l.rangeAt(ctx, span, limit, s.rev, true)
	s.rev = rev0(s.rev, rev)
	return rs, err
}

// How many records one read of a span asks for: etcd counts the rest of the span
// each time, so the pages of names are long; a value may be as large as a request.
const (
	page     = 128
	namePage = 4096
)

func (l *Ledger) rangeAt(ctx context.Context, s Span, limit int, rev int64, keysOnly bool) ([]Record, int64, error) {
	st, err := l.current()
	if err != nil {
		return nil, 0, err
	}
	var out []Record
	most := page
	if keysOnly {
		most = namePage
	}
	for {
		n := most
		if limit > 0 {
			n = min(n, limit-len(out))
		}
		opts := []clientv3.OpOption{clientv3.WithRange(s.To), clientv3.WithLimit(int64(n))}
		if keysOnly {
			opts = append(opts, clientv3.WithKeysOnly())
		}
		res, err := l.fetch(ctx, s.From, rev, opts...)
		if err != nil {
			return nil, 0, err
		}
		if rev == 0 {
			rev = res.Header.Revision
		}
		for _, kv := range res.Kvs {
			r, err := l.openOrName(ctx, st, kv, keysOnly)
			if err != nil {
				return nil, 0, err
			}
			out = append(out, r)
		}
		if !res.More || (limit > 0 && len(out) >= limit) {
			return out, rev, nil
		}
		s.From = string(res.Kvs[len(res.Kvs)-1].Key) + "\x00"
	}
}

func (l *Ledger) openOrName(ctx context.Context, st *state, kv *mvccpb.KeyValue, keysOnly bool) (Record, error) {
	if !keysOnly {
		return l.open(ctx, st, kv)
	}
	k, err := address.Parse(string(kv.Key))
	return Record{Key: k, Revision: kv.ModRevision, Created: kv.CreateRevision}, err
}

// open unseals one record. A record under a key that this process has not seen yet
// makes it read the keyring again, unless that was done since the record was written.
func (l *Ledger) open(ctx context.Context, st *state, kv *mvccpb.KeyValue) (Record, error) {
	k, err := address.Parse(string(kv.Key))
	if err != nil {
		return Record{}, err
	}
	value, stale, err := st.ring.Open(k.Seal(), kv.Value)
	if unknown := (*seal.UnknownKeyError)(nil); errors.As(err, &unknown) {
		// The ring that a record is under was stored before the record.
		if st, err = l.refresh(ctx, kv.ModRevision); err != nil {
			return Record{}, err
		}
		value, stale, err = st.ring.Open(k.Seal(), kv.Value)
	}
	if err != nil {
		return Record{}, l.corrupt(k, err)
	}
	return Record{Key: k, Value: value, Revision: kv.ModRevision, Created: kv.CreateRevision, Stale: stale}, nil
}

// corrupt counts and reports a record that does not authenticate, by kind alone:
// its path may name a secret.
func (l *Ledger) corrupt(k Key, cause error) error {
	l.stats.corrupt.Add(1)
	l.c.Log.Error("a stored record fails authentication", "kind", string(k.Kind))
	return fault.Wrap(fault.Corrupt, cause, "a stored record of kind %s fails authentication", k.Kind)
}

// classifyRead tells a snapshot that is gone from other failures.
func classifyRead(err error) error {
	if isCompacted(err) {
		return errCompacted
	}
	return etcdnode.Classify(err)
}
