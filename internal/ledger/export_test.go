package ledger

import (
	"context"
	"errors"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/coffer-dev/coffer/internal/fault"
)

// OpenWith is Open with something between the ledger and etcd.
func OpenWith(ctx context.Context, c Config, wrap func(clientv3.KV) clientv3.KV) *Ledger {
	l := prepare(c)
	l.kv = wrap(l.kv)
	return l.start(ctx)
}

// Etcd is the client that the ledger uses.
func (l *Ledger) Etcd() *clientv3.Client { return l.etcd }

// Trim cuts the event logs now.
func (l *Ledger) Trim(ctx context.Context) error { return l.trimAll(ctx) }

// EndEpoch moves the epoch on now, if anything was written under it.
func (l *Ledger) EndEpoch(ctx context.Context) error { return l.endEpoch(ctx) }

// Reseal reseals what is stale now.
func (l *Ledger) Reseal(ctx context.Context) error { return l.resealStale(ctx) }

// Settle is how long the markers of an epoch outlive it.
const Settle = settle

// CountSeals says that so many seals were made elsewhere and are not yet stored.
func (l *Ledger) CountSeals() int64 { return l.unsaved.Load() }

// IsFull says whether err means that the store takes no more writes for want of room.
func IsFull(err error) bool {
	return errors.Is(err, fault.Unavailable) && fault.CodeOf(err) == CodeFull
}
