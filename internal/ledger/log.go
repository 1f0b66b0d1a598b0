package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
)

// MaxEvents is how many events one transaction may tell of one tenant.
const MaxEvents = 1000

// sequence numbers an event: the revision of its transaction, followed by its index
// within it. Strictly increasing in commit order, not contiguous.
func sequence(rev int64, index int) int64 { return rev*MaxEvents + int64(index) }

// ReadLog reads the events behind a sequence in order, at least limit of them where
// there are so many (a transaction is never cut) and none beyond what is committed.
func (l *Ledger) ReadLog(ctx context.Context, tenant string, after int64, limit int) (out event.Page, err error) {
	for range snapshotTries {
		out, err = l.readLog(ctx, tenant, after, limit)
		if !errors.Is(err, errCompacted) {
			break
		}
	}
	return out, err
}

// readLog reads one snapshot: the log may be trimmed meanwhile, and what was taken
// from under the reader would else be missing without a word.
func (l *Ledger) readLog(ctx context.Context, tenant string, after int64, limit int) (event.Page, error) {
	var out event.Page
	snap := l.Snapshot()
	trimmed, err := trimmed(ctx, snap, tenant)
	if err != nil {
		return out, err
	}
	if after < trimmed {
		out.Lost, after = trimmed, trimmed
	}
	epochs, err := epochsSince(ctx, snap, after/MaxEvents)
	if err != nil {
		return out, err
	}
	for _, epoch := range epochs {
		if err := l.readEpoch(ctx, snap, Under(tenant, kindEvent, epoch+"/"), after, &out); err != nil {
			return out, err
		}
		if len(out.List) >= limit {
			break
		}
	}
	return out, nil
}

// epochsSince lists the epochs that may hold commits from a revision on.
func epochsSince(ctx context.Context, from Reader, rev int64) ([]string, error) {
	all, err := from.Names(ctx, Under(System, kindEpochs, ""), 0)
	if err != nil {
		return nil, err
	}
	first := 0
	for i, e := range all {
		if e.Created <= rev {
			first = i
		}
	}
	names := make([]string, 0, len(all)-first)
	for _, e := range all[first:] {
		names = append(names, e.Key.Path)
	}
	return names, nil
}

func (l *Ledger) readEpoch(ctx context.Context, snap *Snapshot, s Span, after int64, out *event.Page) error {
	told, err := l.told(ctx, snap, s, after)
	if err != nil {
		return err
	}
	first := len(out.List)
	for _, r := range told {
		if r.Value == nil {
			if seq := sequence(r.Created, MaxEvents-1); seq > after {
				out.List = append(out.List, event.Entry{Sequence: seq, Broken: true})
			}
			continue
		}
		var bodies [][]byte
		if err := json.Unmarshal(r.Value, &bodies); err != nil {
			return l.corrupt(r.Key, err)
		}
		for i, b := range bodies {
			if seq := sequence(r.Created, i); seq > after {
				out.List = append(out.List, event.Entry{Sequence: seq, Body: b})
			}
		}
	}
	slices.SortFunc(out.List[first:], func(a, b event.Entry) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return nil
}

// fewTold is up to how many records of an epoch are fetched one by one.
const fewTold = 64

// told reads the records of one epoch that are news. Their names come from etcd's
// index alone; a follower that is nearly up to date then fetches only what it lacks.
// A record that fails authentication has no Value.
func (l *Ledger) told(ctx context.Context, snap *Snapshot, s Span, after int64) ([]Record, error) {
	names, err := snap.Names(ctx, s, 0)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(r Record) bool { return sequence(r.Created, MaxEvents-1) <= after })
	if len(names) > fewTold {
		rs, err := snap.Range(ctx, s, 0)
		if !errors.Is(err, fault.Corrupt) {
			return slices.DeleteFunc(rs, func(r Record) bool { return sequence(r.Created, MaxEvents-1) <= after }), err
		}
	}
	for i, name := range names {
		r, ok, err := snap.Get(ctx, name.Key)
		switch {
		case errors.Is(err, fault.Corrupt): // the others are served: this one keeps no Value
		case err != nil:
			return nil, err
		case ok:
			names[i] = r
		}
	}
	return names, nil
}

// End is the sequence behind which the next event of any tenant will be.
func (l *Ledger) End(ctx context.Context) (int64, error) {
	_, _, rev, err := l.getAt(ctx, Key{Tenant: System, Kind: kindEpoch}, 0)
	return sequence(rev, MaxEvents-1), err
}

// trimmed is up to which sequence a tenant's log was cut.
func trimmed(ctx context.Context, from Reader, tenant string) (int64, error) {
	r, ok, err := from.Get(ctx, Key{Tenant: tenant, Kind: kindTrimmed})
	if err != nil || !ok {
		return 0, err
	}
	seq, err := strconv.ParseInt(string(r.Value), 10, 64)
	if err != nil {
		return 0, fault.Wrap(fault.Corrupt, err, "decode a mark of the event log")
	}
	return seq, nil
}

// Ring rings whenever events of a tenant may have been told: a doorbell, not a
// delivery. One ring may stand for many events, and a ring may be in vain. The
// channel is closed when ctx ends.
func (l *Ledger) Ring(ctx context.Context, tenant string) <-chan struct{} {
	bell := make(chan struct{}, 1)
	s := Under(tenant, kindEvent, "")
	go func() {
		defer close(bell)
		for ctx.Err() == nil {
			l.listen(ctx, s, bell)
		}
	}()
	return bell
}

// listen rings until the watch breaks off. What happened between two watches is
// covered by ringing at the start of each. etcd tells its watchers a moment before it
// shows the new revision to readers: the read in between waits for that.
func (l *Ledger) listen(ctx context.Context, s Span, bell chan<- struct{}) {
	c, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	watch := l.etcd.Watch(c, s.From, clientv3.WithRange(s.To), clientv3.WithCreatedNotify(), clientv3.WithFilterDelete())
	for res := range watch {
		if res.Err() != nil {
			break
		}
		if _, err := l.kv.Get(c, s.From, clientv3.WithCountOnly()); err != nil {
			break
		}
		select {
		case bell <- struct{}{}:
		default:
		}
	}
	select {
	case <-ctx.Done():
	case <-time.After(100 * time.Millisecond):
	}
}
