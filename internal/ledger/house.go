package ledger

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/coffer-dev/coffer/internal/ledger/upkeep"
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
		Full: l.keeper.QuotaFull() || l.keeper.DiskFull(), Sealed: l.state.Load() == nil,
	}
	if u, err := l.c.Node.Usage(ctx); err == nil {
		s.Used, s.Quota = u.Used, u.Quota
	}
	return s
}

// keepHouse runs each chore on its own until ctx ends: a long one, such as resealing
// everything, must not hold up the disk watch or the compaction.
func (l *Ledger) keepHouse(ctx context.Context) {
	for _, c := range []upkeep.Chore{
		{Name: "watch the disk", Every: time.Second, Do: l.keeper.WatchDisk},
		{Name: "compact", Every: l.c.CompactEvery, Do: l.keeper.Compact},
		{Name: "make room", Every: l.keeper.RoomPace(), Do: l.keeper.MakeRoom},
		{Name: "clear the quota alarm", Every: 2 * time.Second, Do: l.keeper.ClearAlarm},
		{Name: "keep the keyring", Every: time.Minute, Do: l.keepKeys},
		{Name: "reseal", Every: 5 * time.Second, Do: l.resealStale},
		{Name: "trim the event log", Every: l.c.TrimEvery, Do: l.trimAll},
		{Name: "end the epoch", Every: time.Hour, Do: l.endEpoch, Late: true},
		{Name: "defragment", Every: 24 * time.Hour, Do: l.defragment, Late: true},
	} {
		l.done.Go(func() { c.Keep(ctx, l.run) })
	}
	l.done.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-l.bump:
				l.run(ctx, upkeep.Chore{Name: "end the epoch", Do: l.endEpoch})
			}
		}
	})
}

func (l *Ledger) run(ctx context.Context, c upkeep.Chore) {
	if l.state.Load() == nil {
		return
	}
	if err := c.Do(ctx); err != nil && ctx.Err() == nil {
		l.c.Log.Warn("house-keeping", "chore", c.Name, "error", err)
	}
}

// endEpoch moves the epoch on if this process wrote under it.
func (l *Ledger) endEpoch(ctx context.Context) error {
	st, err := l.current()
	if err != nil || l.emitted.Load() == 0 {
		return err
	}
	if err := l.moveOn(ctx, st, nil); !errors.Is(err, errLost) {
		return err
	}
	return nil
}

// resealStale works through what is under older data keys, while there are any.
func (l *Ledger) resealStale(ctx context.Context) error {
	st, err := l.current()
	if err != nil || st.ring == l.clean || len(st.ring.Status()) < 2 {
		return err
	}
	left, err := l.reseal(ctx, st)
	if err == nil && left == 0 {
		l.clean = st.ring // every commit since this ring seals under its active key
	}
	return err
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
