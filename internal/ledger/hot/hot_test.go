package hot_test

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coffer-dev/coffer/internal/ledger/hot"
)

func entry(mod int64) hot.Entry {
	return hot.Entry{Sealed: []byte(strconv.FormatInt(mod, 10)), Mod: mod, Created: 1}
}

func fill(c *hot.Cache, key string, mod int64) {
	_, t, _ := c.Get(key)
	c.Fill(key, t, entry(mod))
}

func TestFillAndForget(t *testing.T) {
	c := hot.New(1 << 20)
	fill(c, "a\x00meta\x00x", 5)
	if e, _, ok := c.Get("a\x00meta\x00x"); !ok || e.Mod != 5 {
		t.Fatalf("got %+v %v", e, ok)
	}
	c.Changed("a\x00meta\x00x")
	if _, _, ok := c.Get("a\x00meta\x00x"); ok {
		t.Fatal("a changed key is still there")
	}
}

func TestTicketIsVoidAfterAChange(t *testing.T) {
	c := hot.New(1 << 20)
	_, ticket, _ := c.Get("k")
	c.Changed("k")
	c.Fill("k", ticket, entry(5))
	if _, _, ok := c.Get("k"); ok {
		t.Fatal("a slow reader put back what a write replaced")
	}
}

func TestOlderEntryDoesNotReplaceNewer(t *testing.T) {
	c := hot.New(1 << 20)
	_, slow, _ := c.Get("k")
	fill(c, "k", 9)
	c.Fill("k", slow, entry(5))
	if e, _, _ := c.Get("k"); e.Mod != 9 {
		t.Fatalf("revision %d, want 9", e.Mod)
	}
}

func TestVersionsOfAPathGoTogether(t *testing.T) {
	c := hot.New(1 << 20)
	for v := range 4 {
		fill(c, fmt.Sprintf("a\x00version\x00m/x\x00%016x", v), 3)
	}
	fill(c, "a\x00version\x00m/xy\x000000000000000001", 3)
	c.Changed("a\x00version\x00m/x\x000000000000000002")
	for v := range 4 {
		if _, _, ok := c.Get(fmt.Sprintf("a\x00version\x00m/x\x00%016x", v)); ok {
			t.Fatalf("version %d is still there", v)
		}
	}
	if _, _, ok := c.Get("a\x00version\x00m/xy\x000000000000000001"); !ok {
		t.Fatal("another path is gone")
	}
}

func TestClear(t *testing.T) {
	c := hot.New(1 << 20)
	_, ticket, _ := c.Get("b")
	fill(c, "a", 1)
	c.Clear()
	c.Fill("b", ticket, entry(1))
	for _, k := range []string{"a", "b"} {
		if _, _, ok := c.Get(k); ok {
			t.Fatalf("%s is still there", k)
		}
	}
}

func TestSizeIsBounded(t *testing.T) {
	c := hot.New(64 << 10)
	for i := range 10_000 {
		fill(c, fmt.Sprintf("a\x00meta\x00%d", i), 1)
	}
	kept := 0
	for i := range 10_000 {
		if _, _, ok := c.Get(fmt.Sprintf("a\x00meta\x00%d", i)); ok {
			kept++
		}
	}
	if kept == 0 || kept > 64<<10/128 {
		t.Fatalf("%d entries are kept", kept)
	}
}

// A store with one key: writers raise it and call Changed before they acknowledge;
// readers must never see less than what was acknowledged before they began, nor less
// than another reader saw before.
func TestReadersNeverSeeLessThanAcknowledged(t *testing.T) {
	c := hot.New(1 << 20)
	var store, acked, seen atomic.Int64
	var writer sync.Mutex
	var wg sync.WaitGroup
	read := func() int64 {
		e, ticket, ok := c.Get("k")
		if ok {
			return e.Mod
		}
		mod := store.Load()
		c.Fill("k", ticket, entry(mod))
		return mod
	}
	for range 4 {
		wg.Go(func() {
			for range 5000 {
				floor := max(acked.Load(), seen.Load())
				got := read()
				if got < floor {
					t.Errorf("read %d after %d", got, floor)
					return
				}
				for s := seen.Load(); got > s && !seen.CompareAndSwap(s, got); s = seen.Load() {
				}
			}
		})
	}
	wg.Go(func() {
		for range 5000 {
			writer.Lock()
			mod := store.Add(1)
			c.Changed("k")
			acked.Store(mod)
			writer.Unlock()
		}
	})
	wg.Wait()
}
