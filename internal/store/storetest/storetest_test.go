package storetest_test

import (
	"sync"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/store/storetest"
)

// clock is a time that moves by itself a little and by Advance a lot.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Microsecond)
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func memory(*testing.T) storetest.Instance {
	c := newClock()
	m := storetest.NewMemory(c.Now)
	return storetest.Instance{
		Store: m, Can: m.Can(), AnotherTenant: true,
		Mount: m.Mount, Advance: c.Advance, Keys: m.Keys,
	}
}

func TestMemory(t *testing.T) { storetest.Run(t, memory) }

func TestMemoryOnTheWallClock(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Instance {
		m := storetest.NewMemory(time.Now)
		return storetest.Instance{Store: m, Can: m.Can()}
	})
}
