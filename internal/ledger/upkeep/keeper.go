package upkeep

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/coffer-dev/coffer/internal/ledger/etcdnode"
)

// patience bounds one question to etcd.
const patience = 5 * time.Second

// Config is what a Keeper needs.
type Config struct {
	Node     *etcdnode.Node        // what is kept; it is not closed
	Log      *slog.Logger          // is told when room runs out and comes back
	DiskFree func() (int64, error) // free bytes where the database lies; nil does not watch it
	MinFree  int64                 // below so many free bytes the disk counts as full
}

// Keeper does the chores. Different chores may run at once, each on one goroutine.
type Keeper struct {
	c      Config
	noDisk atomic.Bool
	noRoom atomic.Bool
	seen   int64        // newest revision at the last compaction
	done   atomic.Int64 // compacted up to here

	defragged int64     // compacted up to here when room was last made
	rested    time.Time // when it may be made again
}

// New makes a keeper.
func New(c Config) *Keeper { return &Keeper{c: c} }

// DiskFull says whether the disk is nearly full: nothing may be written.
func (k *Keeper) DiskFull() bool { return k.noDisk.Load() }

// QuotaFull says whether records fill the quota: only what frees room may be written.
func (k *Keeper) QuotaFull() bool { return k.noRoom.Load() }

// RoomPace is how often the quota is looked at: the size of a local database costs
// nothing to ask, and grows fast.
func (k *Keeper) RoomPace() time.Duration {
	if k.c.Node.Local {
		return 100 * time.Millisecond
	}
	return 5 * time.Second
}

// WatchDisk refuses writes before the disk is full: etcd ends the process when it
// cannot write its log.
func (k *Keeper) WatchDisk(context.Context) error {
	if k.c.DiskFree == nil {
		return nil
	}
	free, err := k.c.DiskFree()
	if err != nil {
		return err
	}
	if low := free < k.c.MinFree; k.noDisk.Swap(low) != low {
		k.c.Log.Warn("free disk space", "low", low, "bytes", free)
	}
	return nil
}

// MakeRoom refuses writes while the records fill the quota, a little before etcd
// would refuse every write, those that free included. Freed pages count against
// etcd's own quota until they are given back.
func (k *Keeper) MakeRoom(ctx context.Context) error {
	c, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	u, err := k.c.Node.Usage(c)
	if err != nil {
		return etcdnode.Classify(err)
	}
	if low := u.InUse >= u.Quota; k.noRoom.Swap(low) != low {
		k.c.Log.Warn("room in the database", "full", low, "bytes", u.InUse)
	}
	if u.Used < u.Quota {
		return nil
	}
	return k.defragment(ctx, u)
}

// defragment works when much of the file is free, or when something was compacted
// since the last time: etcd still counts the last pages that were freed as in use. It
// must not wait for a compaction alone, for a database that refuses every write has
// nothing new to compact. Service waits meanwhile, so at most a sixth of the time
// goes into it; writes are refused anyway until it has helped.
func (k *Keeper) defragment(ctx context.Context, u etcdnode.Usage) error {
	helps := u.InUse < u.Used*3/4 || k.done.Load() != k.defragged
	if !helps || time.Now().Before(k.rested) {
		return nil
	}
	k.defragged = k.done.Load()
	began := time.Now()
	err := k.c.Node.Defragment(ctx)
	k.rested = time.Now().Add(5 * max(time.Since(began), 100*time.Millisecond))
	return err
}

// ClearAlarm disarms etcd's quota alarm, which never goes by itself. Where there is no
// room yet, the next write raises it again.
func (k *Keeper) ClearAlarm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	res, err := k.c.Node.Client.AlarmList(ctx)
	if err != nil {
		return etcdnode.Classify(err)
	}
	for _, a := range res.Alarms {
		if a.Alarm != etcdserverpb.AlarmType_NOSPACE {
			continue
		}
		if _, err := k.c.Node.Client.AlarmDisarm(ctx, (*clientv3.AlarmMember)(a)); err != nil {
			return etcdnode.Classify(err)
		}
		k.c.Log.Info("the quota alarm is off")
	}
	return nil
}

// Compact drops revisions older than its last run saw. Records are not history:
// nothing reads old revisions but snapshots and transactions under way.
func (k *Keeper) Compact(ctx context.Context) error {
	c, cancel := context.WithTimeout(ctx, 12*patience) // it waits until the bytes are gone
	defer cancel()
	newest, err := k.c.Node.Client.Get(c, "\x00", clientv3.WithCountOnly())
	if err != nil {
		return etcdnode.Classify(err)
	}
	to := k.seen
	if k.seen = newest.Header.Revision; to <= k.done.Load() {
		return nil
	}
	if _, err := k.c.Node.Client.Compact(c, to, clientv3.WithCompactPhysical()); err != nil && !errors.Is(err, rpctypes.ErrCompacted) {
		return etcdnode.Classify(err)
	}
	k.done.Store(to)
	return nil
}
