package ledger

import (
	"context"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// roomPace is how often the quota is looked at: the size of a local database costs
// nothing to ask, and grows fast.
func (l *Ledger) roomPace() time.Duration {
	if l.c.Node.Local {
		return 100 * time.Millisecond
	}
	return 5 * time.Second
}

// watchDisk refuses writes before the disk is full: etcd ends the process when it
// cannot write its log.
func (l *Ledger) watchDisk(context.Context) error {
	if l.c.DiskFree == nil {
		return nil
	}
	free, err := l.c.DiskFree()
	if err != nil {
		return err
	}
	if low := free < l.c.MinFree; l.noDisk.Swap(low) != low {
		l.c.Log.Warn("free disk space", "low", low, "bytes", free)
	}
	return nil
}

// makeRoom refuses writes while the records fill the quota, a little before etcd
// would refuse every write, those that free included. Freed pages count against
// etcd's own quota until they are given back.
func (l *Ledger) makeRoom(ctx context.Context) error {
	c, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	u, err := l.c.Node.Usage(c)
	if err != nil {
		return classify(err)
	}
	if low := u.InUse >= u.Quota; l.noRoom.Swap(low) != low {
		l.c.Log.Warn("room in the database", "full", low, "bytes", u.InUse)
	}
	if u.Used < u.Quota {
		return nil
	}
	if u.InUse < u.Used/8*7 {
		return l.c.Node.Defragment(ctx)
	}
	return nil
}

// clearAlarm disarms etcd's quota alarm, which never goes by itself. Where there is no
// room yet, the next write raises it again.
func (l *Ledger) clearAlarm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	res, err := l.etcd.AlarmList(ctx)
	if err != nil {
		return classify(err)
	}
	for _, a := range res.Alarms {
		if a.Alarm != etcdserverpb.AlarmType_NOSPACE {
			continue
		}
		if _, err := l.etcd.AlarmDisarm(ctx, (*clientv3.AlarmMember)(a)); err != nil {
			return classify(err)
		}
		l.c.Log.Info("the quota alarm is off")
	}
	return nil
}

// kindTurn marks when a chore that must not run on several processes at once began.
const kindTurn Kind = "turn"

// defragment gives freed pages back to the file system. Members of a cluster pause
// while it runs on them, so only one process may go through them.
func (l *Ledger) defragment(ctx context.Context) error {
	mine := false
	_, err := l.Txn(ctx, func(tx *Tx) error {
		key := Key{Tenant: System, Kind: kindTurn, Path: "defragment"}
		last, ok, err := tx.Get(ctx, key)
		if err != nil {
			return err
		}
		began, err := time.Parse(time.RFC3339, string(last.Value))
		if mine = !ok || err != nil || l.Now().Sub(began) > 12*time.Hour; !mine {
			return nil
		}
		return tx.Put(key, []byte(l.Now().UTC().Format(time.RFC3339)))
	})
	if err != nil || !mine {
		return err
	}
	return l.c.Node.Defragment(ctx)
}
