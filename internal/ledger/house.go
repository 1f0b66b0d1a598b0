package ledger

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// stats count what the ledger did since it was opened.
type stats struct {
	commits, retries, conflicts, ambiguous, corrupt, resealed atomic.Int64
}

// Stats is a reading of the ledger's counters.
type Stats struct {
	Commits, Retries, Conflicts, Ambiguous, Corrupt, Resealed int64
	Used, Quota                                               int64 // bytes of the database; 0 when unknown
	Full, Sealed                                              bool
}

// Stats reads the counters; it asks etcd for its size alone.
func (l *Ledger) Stats(ctx context.Context) Stats {
	s := Stats{
		Commits: l.stats.commits.Load(), Retries: l.stats.retries.Load(), Conflicts: l.stats.conflicts.Load(),
		Ambiguous: l.stats.ambiguous.Load(), Corrupt: l.stats.corrupt.Load(), Resealed: l.stats.resealed.Load(),
		Full: l.noRoom.Load(), Sealed: l.state.Load() == nil,
	}
	if u, err := l.c.Node.Usage(ctx); err == nil {
		s.Used, s.Quota = u.Used, u.Quota
	}
	return s
}

// chore is one piece of house-keeping and its pace. Chores may run on every member
// at once: each is a compare-and-set or idempotent.
type chore struct {
	name  string
	every time.Duration
	do    func(context.Context) error
	last  time.Time
}

// keepHouse runs the chores until ctx ends.
func (l *Ledger) keepHouse(ctx context.Context) {
	compactTo := int64(0)
	began := time.Now()
	chores := []*chore{
		{name: "watch the disk", every: time.Second, do: l.watchDisk},
		{name: "compact", every: l.c.CompactEvery, do: func(ctx context.Context) (err error) {
			compactTo, err = l.compact(ctx, compactTo)
			return err
		}},
		{name: "clear the quota alarm", every: 5 * time.Second, do: l.clearAlarm},
		{name: "keep the keyring", every: time.Minute, do: l.keepKeys},
		{name: "reseal", every: 5 * time.Second, do: l.resealStale},
		{name: "trim the event log", every: time.Minute, do: l.trimAll},
		{name: "sweep mutation records", every: time.Minute, do: l.sweep},
		{name: "end the epoch", every: time.Hour, do: l.endEpoch, last: began},
		{name: "defragment", every: 24 * time.Hour, do: l.c.Node.Defragment, last: began},
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.bump:
			l.run(ctx, &chore{name: "end the epoch", do: l.endEpoch})
		case <-tick.C:
			for _, c := range chores {
				if time.Since(c.last) >= c.every {
					l.run(ctx, c)
				}
			}
		}
	}
}

func (l *Ledger) run(ctx context.Context, c *chore) {
	if l.state.Load() == nil {
		return
	}
	c.last = time.Now()
	if err := c.do(ctx); err != nil && ctx.Err() == nil {
		l.c.Log.Warn("house-keeping", "chore", c.name, "error", err)
	}
}

// endEpoch moves the epoch on if this process told events in it.
func (l *Ledger) endEpoch(ctx context.Context) error {
	st, err := l.current()
	if err != nil || l.emitted.Load() == 0 {
		return err
	}
	if err := l.moveOn(ctx, st, nil, nil); !errors.Is(err, errLost) {
		return err
	}
	return nil
}

// compact drops revisions older than the last run saw, and returns what is newest
// now. Records are not history: nothing reads old revisions but transactions under way.
func (l *Ledger) compact(ctx context.Context, to int64) (int64, error) {
	_, _, rev, err := l.getAt(ctx, Key{Tenant: System, Kind: kindEpoch}, 0)
	if err != nil || to == 0 || to == rev {
		return rev, err
	}
	c, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if _, err = l.etcd.Compact(c, to); err != nil && !isCompacted(err) {
		return to, classify(err)
	}
	return rev, nil
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
	if low := free < l.c.MinFree; l.noRoom.Swap(low) != low {
		l.c.Log.Warn("free disk space", "low", low, "bytes", free)
	}
	return nil
}

// clearAlarm disarms etcd's quota alarm once there is room again: it never goes by itself.
func (l *Ledger) clearAlarm(ctx context.Context) error {
	c, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	res, err := l.etcd.AlarmList(c)
	if err != nil {
		return classify(err)
	}
	for _, a := range res.Alarms {
		if a.Alarm != etcdserverpb.AlarmType_NOSPACE {
			continue
		}
		if err := l.c.Node.Defragment(ctx); err != nil {
			return err
		}
		if u, err := l.c.Node.Usage(ctx); err != nil || u.Used >= u.Quota*9/10 {
			return err
		}
		if _, err := l.etcd.AlarmDisarm(c, (*clientv3.AlarmMember)(a)); err != nil {
			return classify(err)
		}
		l.c.Log.Info("the store takes writes again")
	}
	return nil
}

// resealStale works through what is under older data keys, while there are any.
func (l *Ledger) resealStale(ctx context.Context) error {
	st, err := l.current()
	if err != nil || st.ring == l.clean || len(st.ring.Status()) < 2 {
		return err
	}
	n, err := l.reseal(ctx)
	l.stats.resealed.Add(int64(n))
	if err == nil && n == 0 {
		l.clean = st.ring // every commit since this ring seals under its active key
	}
	return err
}

func (l *Ledger) trimAll(ctx context.Context) error {
	names, err := l.tenants(ctx)
	if err != nil {
		return err
	}
	for _, t := range names {
		if err := l.trim(ctx, t); err != nil {
			return err
		}
	}
	return nil
}
