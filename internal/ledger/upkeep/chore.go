package upkeep

import (
	"context"
	"time"
)

// Chore is one piece of house-keeping and its pace. Chores may run on every member
// at once: each is a compare-and-set or idempotent.
type Chore struct {
	Name  string
	Every time.Duration
	Do    func(context.Context) error
	Late  bool // not at the start, but one pace later
}

// Keep runs the chore at its pace until ctx ends.
func (c Chore) Keep(ctx context.Context, run func(context.Context, Chore)) {
	tick := time.NewTicker(c.Every)
	defer tick.Stop()
	if !c.Late {
		run(ctx, c)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			run(ctx, c)
		}
	}
}
