package ledger

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/coffer-dev/coffer/internal/ledger/address"
	"github.com/coffer-dev/coffer/internal/ledger/etcdnode"
)

// history is the epochs as they were at one time, oldest first. The last is current.
type history []Record

func (l *Ledger) history(ctx context.Context) (history, error) {
	rs, err := l.Range(ctx, Under(System, kindEpochs, ""), 0)
	return rs, err
}

// ended is when the i-th epoch ended: when its successor began.
func (h history) ended(l *Ledger, i int) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, string(h[i+1].Value))
	if err != nil {
		return t, l.corrupt(h[i+1].Key, err)
	}
	return t, nil
}

// settled is the first epoch that did not end long enough ago for its markers to go.
func (h history) settled(l *Ledger) (int, error) {
	for i := range max(len(h)-1, 0) {
		t, err := h.ended(l, i)
		if err != nil {
			return 0, err
		}
		if l.Now().Sub(t) < settle {
			return i, nil
		}
	}
	return max(len(h)-1, 0), nil
}

// trimAll cuts every tenant's log, and forgets the epochs that nobody's log begins in
// or before.
func (l *Ledger) trimAll(ctx context.Context) error {
	h, err := l.history(ctx)
	if err != nil || len(h) < 2 {
		return err
	}
	free, err := h.settled(l)
	if err != nil || free == 0 {
		return err
	}
	tenants, err := l.tenants(ctx)
	if err != nil {
		return err
	}
	oldest := free
	for _, t := range tenants {
		first, err := l.trim(ctx, t, h, free)
		if err != nil {
			return err
		}
		oldest = min(oldest, first)
	}
	if err := l.sweep(ctx, h[free]); err != nil || oldest == 0 {
		return err
	}
	return l.drop(ctx, Span{From: Under(System, kindEpochs, "").From, To: h[oldest].Key.Text()})
}

// trim cuts a tenant's log by whole epochs before free: those that are too old, or
// whose successors hold as much as the tenant may keep. The mark of how far it was
// cut commits with the cut, so that a reader behind it is told of the gap. It returns
// the epoch that the log begins in now.
func (l *Ledger) trim(ctx context.Context, tenant string, h history, free int) (int, error) {
	begins, err := l.begins(ctx, tenant, h)
	if err != nil || begins >= free {
		return begins, err
	}
	first, err := l.firstKept(ctx, tenant, h, begins)
	if first = min(first, free); err != nil || first <= begins {
		return begins, err
	}
	gone := Under(tenant, kindEvent, "")
	gone.To = gone.From + h[first].Key.Path
	last := sequence(h[first].Created-1, MaxEvents-1)
	_, err = l.Txn(ctx, func(tx *Tx) error {
		// Another member may have cut more: the mark never goes back.
		mark, err := trimmed(ctx, tx, tenant)
		if err != nil || mark >= last {
			return err
		}
		tx.DeleteSpan(gone)
		return tx.Put(Key{Tenant: tenant, Kind: kindTrimmed}, strconv.AppendInt(nil, last, 10))
	})
	if err != nil {
		return begins, err
	}
	return l.begins(ctx, tenant, h)
}

// begins is the epoch of a tenant's first event; the current one when there is none.
func (l *Ledger) begins(ctx context.Context, tenant string, h history) (int, error) {
	rs, err := l.Names(ctx, Under(tenant, kindEvent, ""), 1)
	if err != nil || len(rs) == 0 {
		return len(h) - 1, err
	}
	epoch, _, _ := strings.Cut(rs[0].Key.Path, "/")
	i, _ := slices.BinarySearchFunc(h, epoch, func(r Record, p string) int { return strings.Compare(r.Key.Path, p) })
	return min(i, len(h)-1), nil
}

// firstKept finds the oldest epoch from begins on to keep. The current one always stays.
func (l *Ledger) firstKept(ctx context.Context, tenant string, h history, begins int) (int, error) {
	kept, err := l.count(ctx, Under(tenant, kindEvent, ""))
	for ; err == nil && begins < len(h)-1; begins++ {
		var ended time.Time
		if ended, err = h.ended(l, begins); err != nil {
			break
		}
		if kept <= l.c.EventsKept && l.Now().Sub(ended) <= l.c.EventAge {
			break
		}
		var n int
		n, err = l.count(ctx, Under(tenant, kindEvent, h[begins].Key.Path+"/"))
		kept -= n
	}
	return begins, err
}

func (l *Ledger) count(ctx context.Context, s Span) (int, error) {
	res, err := l.fetch(ctx, s.From, 0, clientv3.WithRange(s.To), clientv3.WithCountOnly())
	if err != nil {
		return 0, err
	}
	return int(res.Count), nil
}

// tenants lists who has a log.
func (l *Ledger) tenants(ctx context.Context) ([]string, error) {
	var out []string
	from := "\x00"
	for {
		res, err := l.fetch(ctx, from, 0, clientv3.WithFromKey(), clientv3.WithKeysOnly(), clientv3.WithLimit(1))
		if err != nil {
			return nil, err
		}
		if len(res.Kvs) == 0 {
			return out, nil
		}
		k, err := address.Parse(string(res.Kvs[0].Key))
		if err != nil {
			return nil, err
		}
		if k.Tenant != System {
			out = append(out, k.Tenant)
		}
		from = k.Tenant + "\x01" // behind every key of this tenant
	}
}

// sweep drops mutation records of the epochs before one: nothing of them is under way
// any more, and who asks after its own commit has asked.
func (l *Ledger) sweep(ctx context.Context, before Record) error {
	gone := Under(System, kindMutation, "")
	gone.To = gone.From + before.Key.Path
	return l.drop(ctx, gone)
}

// drop deletes a span of the ledger's own records, where it holds any.
func (l *Ledger) drop(ctx context.Context, gone Span) error {
	if n, err := l.count(ctx, gone); err != nil || n == 0 {
		return err
	}
	c, cancel := context.WithTimeout(ctx, l.c.CommitTimeout)
	defer cancel()
	_, err := l.kv.Delete(c, gone.From, clientv3.WithRange(gone.To))
	return etcdnode.Classify(err)
}
