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
func (l *Ledger) ReadLog(ctx context.Context, tenant string, after int64, limit int) (event.Page, error) {
	var out event.Page
	trimmed, err := l.trimmed(ctx, tenant)
	if err != nil {
		return out, err
	}
	if after < trimmed {
		out.Lost, after = trimmed, trimmed
	}
	epochs, err := l.epochsSince(ctx, after/MaxEvents)
	if err != nil {
		return out, err
	}
	for _, epoch := range epochs {
		if err := l.readEpoch(ctx, tenant, epoch, after, &out); err != nil {
			return out, err
		}
		if len(out.List) >= limit {
			break
		}
	}
	return out, nil
}

// epochsSince lists the epochs that may hold commits from a revision on.
func (l *Ledger) epochsSince(ctx context.Context, rev int64) ([]string, error) {
	all, err := l.Names(ctx, Under(System, kindEpochs, ""), 0)
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

func (l *Ledger) readEpoch(ctx context.Context, tenant, epoch string, after int64, out *event.Page) error {
	st, err := l.current()
	if err != nil {
		return err
	}
	s := Under(tenant, kindEvent, epoch+"/")
	c, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	res, err := l.etcd.Get(c, s.from, l.readOpts(clientv3.WithRange(s.to), clientv3.WithMinCreateRev(after/MaxEvents))...)
	if err != nil {
		return classify(err)
	}
	first := len(out.List)
	for _, kv := range res.Kvs {
		r, err := l.open(ctx, st, kv)
		if err != nil {
			return err
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

// End is the sequence behind which the next event of any tenant will be.
func (l *Ledger) End(ctx context.Context) (int64, error) {
	_, _, rev, err := l.getAt(ctx, Key{Tenant: System, Kind: kindEpoch}, 0)
	return sequence(rev, MaxEvents-1), err
}

func (l *Ledger) trimmed(ctx context.Context, tenant string) (int64, error) {
	r, ok, err := l.Get(ctx, Key{Tenant: tenant, Kind: kindTrimmed})
	if err != nil || !ok {
		return 0, err
	}
	seq, err := strconv.ParseInt(string(r.Value), 10, 64)
	if err != nil {
		return 0, l.corrupt(r.Key, err)
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
// covered by ringing at the start of each.
func (l *Ledger) listen(ctx context.Context, s Span, bell chan<- struct{}) {
	c, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	watch := l.etcd.Watch(c, s.from, clientv3.WithRange(s.to), clientv3.WithCreatedNotify(), clientv3.WithFilterDelete())
	for res := range watch {
		if res.Err() != nil {
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

// IsFull says whether err means that the store takes no more writes for want of room.
func IsFull(err error) bool {
	return errors.Is(err, fault.Unavailable) && fault.CodeOf(err) == CodeFull
}
