package ledger

import (
	"context"
	"slices"
	"strconv"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// trim cuts a tenant's log by whole epochs: those that are too old, or whose
// successors hold as much as the tenant may keep. The mark of how far it was cut
// commits with the cut, so that a reader behind it is told of the gap.
func (l *Ledger) trim(ctx context.Context, tenant string) error {
	epochs, err := l.Range(ctx, Under(System, kindEpochs, ""), 0)
	if err != nil || len(epochs) < 2 {
		return err
	}
	first, err := l.firstKept(ctx, tenant, epochs)
	if err != nil || first == 0 {
		return err
	}
	gone := Under(tenant, kindEvent, "")
	gone.to = gone.from + epochs[first].Key.Path
	if n, err := l.count(ctx, gone); err != nil || n == 0 {
		return err
	}
	last := sequence(epochs[first].Created-1, MaxEvents-1)
	_, err = l.Txn(ctx, func(tx *Tx) error {
		tx.DeleteSpan(gone)
		return tx.Put(Key{Tenant: tenant, Kind: kindTrimmed}, strconv.AppendInt(nil, last, 10))
	})
	return err
}

// firstKept finds the oldest epoch to keep. The current one always stays.
func (l *Ledger) firstKept(ctx context.Context, tenant string, epochs []Record) (int, error) {
	first, kept := len(epochs)-1, 0
	for i, e := range slices.Backward(epochs) {
		n, err := l.count(ctx, Under(tenant, kindEvent, e.Key.Path+"/"))
		if err != nil {
			return 0, err
		}
		kept += n
		if i == len(epochs)-1 {
			continue
		}
		// An epoch ends when its successor begins.
		ended, err := time.Parse(time.RFC3339, string(epochs[i+1].Value))
		if err != nil {
			return 0, l.corrupt(e.Key, err)
		}
		if kept > l.c.EventsKept || l.Now().Sub(ended) > l.c.EventAge {
			break
		}
		first = i
	}
	return first, nil
}

func (l *Ledger) count(ctx context.Context, s Span) (int, error) {
	c, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	res, err := l.etcd.Get(c, s.from, l.readOpts(clientv3.WithRange(s.to), clientv3.WithCountOnly())...)
	if err != nil {
		return 0, classify(err)
	}
	return int(res.Count), nil
}

// tenants lists who has a log.
func (l *Ledger) tenants(ctx context.Context) ([]string, error) {
	var out []string
	from := "\x00"
	for {
		c, cancel := context.WithTimeout(ctx, readTimeout)
		res, err := l.etcd.Get(c, from, l.readOpts(clientv3.WithFromKey(), clientv3.WithKeysOnly(), clientv3.WithLimit(1))...)
		cancel()
		if err != nil {
			return nil, classify(err)
		}
		if len(res.Kvs) == 0 {
			return out, nil
		}
		k, err := parseKey(string(res.Kvs[0].Key))
		if err != nil {
			return nil, err
		}
		if k.Tenant != System {
			out = append(out, k.Tenant)
		}
		from = k.Tenant + "\x01" // behind every key of this tenant
	}
}

// sweep drops mutation records of epochs that ended: nothing of them is under way
// any more, and who asks after its own commit has asked.
func (l *Ledger) sweep(ctx context.Context) error {
	st, err := l.current()
	if err != nil {
		return err
	}
	gone := Under(System, kindMutation, "")
	gone.to = gone.from + versionText(st.epoch-1)
	if n, err := l.count(ctx, gone); err != nil || n == 0 {
		return err
	}
	c, cancel := context.WithTimeout(ctx, l.c.CommitTimeout)
	defer cancel()
	_, err = l.etcd.Delete(c, gone.from, clientv3.WithRange(gone.to))
	return classify(err)
}
