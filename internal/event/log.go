package event

import (
	"context"
	"errors"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
)

// Entry is one event as the log keeps it: opened, not decoded.
type Entry struct {
	Sequence int64
	Body     []byte
	// Broken says that what was told here fails authentication: it has no Body.
	Broken bool
}

// Page is a stretch of a tenant's log.
type Page struct {
	// Lost is the last sequence behind the asked one that retention took away; 0
	// when nothing is missing.
	Lost int64
	List []Entry
}

// Log is where events are read; the ledger is one. All methods may be called
// concurrently.
type Log interface {
	// ReadLog reads the events behind a sequence in commit order, at least limit of
	// them where there are so many, and none that is not committed.
	ReadLog(ctx context.Context, tenant string, after int64, limit int) (Page, error)
	// End is the sequence behind which the next event will be.
	End(ctx context.Context) (int64, error)
	// Ring is a doorbell: it rings when there may be more, perhaps in vain, and is
	// closed when ctx ends.
	Ring(ctx context.Context, tenant string) <-chan struct{}
}

// Gap tells that events (From, To] are gone.
type Gap struct {
	From, To int64
	Reason   string // Retention or Damage
}

// Reasons of a Gap: the log was cut, or a record of it fails authentication.
const (
	Retention = "retention"
	Damage    = "damage"
)

// Reader is told what a Follower finds, in order. An error ends the following.
type Reader interface {
	Event(Event) error
	Gap(Gap) error
}

// Follower reads one tenant's log from a cursor on and waits for more.
type Follower struct {
	Log    Log
	Tenant string
	After  int64 // the cursor: the last sequence that was read
	// Settle hears the cursor after each stretch of the log that was delivered whole,
	// for readers that work in batches; an error ends the following. Nil: nobody asks.
	Settle func(after int64) error
}

// readAhead is how many events one look at the log asks for; idle is after how long
// it is looked at without a ring, and away after how long when it could not be read.
const (
	readAhead = 256
	idle      = 10 * time.Second
	away      = time.Second
)

// Follow delivers what comes behind the cursor until ctx ends, r fails or the log is
// broken, and moves the cursor. A log that cannot be read for now (Unavailable,
// Timeout) is waited for. The bell is taken before the first look, so nothing falls
// in between.
func (f *Follower) Follow(ctx context.Context, r Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	bell := f.Log.Ring(ctx, f.Tenant)
	for {
		page, err := f.Log.ReadLog(ctx, f.Tenant, f.After, readAhead)
		wait, ring := idle, bell
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, fault.Unavailable), errors.Is(err, fault.Timeout):
			wait, ring = away, nil
		case err != nil:
			return err
		default:
			more, err := f.deliver(page, r)
			if err != nil {
				return err
			}
			if more {
				continue
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ring:
		case <-time.After(wait):
		}
	}
}

func (f *Follower) deliver(page Page, r Reader) (more bool, err error) {
	if page.Lost > 0 {
		if err := r.Gap(Gap{From: f.After, To: page.Lost, Reason: Retention}); err != nil {
			return false, err
		}
		f.After = page.Lost
	}
	for _, e := range page.List {
		if e.Broken {
			if err := r.Gap(Gap{From: f.After, To: e.Sequence, Reason: Damage}); err != nil {
				return false, err
			}
			f.After = e.Sequence
			continue
		}
		ev, err := Decode(e.Sequence, e.Body)
		if err != nil {
			return false, err
		}
		if err := r.Event(ev); err != nil {
			return false, err
		}
		f.After = e.Sequence
	}
	if f.Settle != nil && (page.Lost > 0 || len(page.List) > 0) {
		if err := f.Settle(f.After); err != nil {
			return false, err
		}
	}
	return len(page.List) >= readAhead, nil
}
