package hot_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/coffer-dev/coffer/internal/ledger/address"
	"github.com/coffer-dev/coffer/internal/ledger/hot"
)

func record(key string, mod int64) *mvccpb.KeyValue {
	return &mvccpb.KeyValue{Key: []byte(key), Value: []byte("sealed"), ModRevision: mod}
}

func fill(c *hot.Cache, key string, mod int64) {
	_, t, _ := c.Get(key)
	c.Fill(key, t, record(key, mod))
}

func text(path string, version int64) string {
	return address.Key{Tenant: "a", Kind: "version", Path: path, Version: version}.Text()
}

func absent(t *testing.T, c *hot.Cache, keys ...string) {
	t.Helper()
	for _, k := range keys {
		if _, _, ok := c.Get(k); ok {
			t.Errorf("%q is remembered", k)
		}
	}
}

func TestFillIsShown(t *testing.T) {
	c := hot.New(1 << 20)
	fill(c, text("x", 1), 5)
	if kv, _, ok := c.Get(text("x", 1)); !ok || kv.ModRevision != 5 {
		t.Fatalf("got %v %v", kv, ok)
	}
	_, ticket, _ := c.Get(text("y", 0))
	c.Fill(text("y", 0), ticket, nil)
	if kv, _, ok := c.Get(text("y", 0)); !ok || kv != nil {
		t.Fatalf("an absent record: %v %v", kv, ok)
	}
}

func TestHeldKeysAreNeitherShownNorRemembered(t *testing.T) {
	c := hot.New(1 << 20)
	fill(c, text("x", 0), 5)
	fill(c, text("y", 0), 5)
	_, early, _ := c.Get(text("z", 0))
	release := c.Hold([]string{text("x", 0), text("z", 0)}, nil)
	absent(t, c, text("x", 0))
	fill(c, text("x", 0), 5)
	c.Fill(text("z", 0), early, record("z", 5))
	absent(t, c, text("x", 0), text("z", 0))
	if _, _, ok := c.Get(text("y", 0)); !ok {
		t.Error("another key was forgotten")
	}
	_, during, _ := c.Get(text("x", 0))
	release()
	c.Fill(text("x", 0), during, record("x", 5))
	c.Fill(text("z", 0), early, record("z", 5))
	absent(t, c, text("x", 0), text("z", 0))
	fill(c, text("x", 0), 6)
	if kv, _, ok := c.Get(text("x", 0)); !ok || kv.ModRevision != 6 {
		t.Fatalf("after the release: %v %v", kv, ok)
	}
}

func TestTwoWritesUnderWay(t *testing.T) {
	c := hot.New(1 << 20)
	one, two := c.Hold([]string{text("x", 0)}, nil), c.Hold([]string{text("x", 0)}, nil)
	one()
	fill(c, text("x", 0), 5)
	absent(t, c, text("x", 0))
	two()
	fill(c, text("x", 0), 6)
	if _, _, ok := c.Get(text("x", 0)); !ok {
		t.Fatal("still held")
	}
}

func TestVersionsOfAPathGoTogether(t *testing.T) {
	for name, span := range map[string]address.Span{
		"some": address.VersionsOf("a", "version", "m/x", 2, 3),
		"all":  address.VersionsOf("a", "version", "m/x", 0, 0),
	} {
		c := hot.New(1 << 20)
		fill(c, text("m/x", 1), 3)
		fill(c, text("m/x", 2), 3)
		fill(c, text("m/xy", 1), 3)
		c.Hold(nil, []address.Span{span})()
		absent(t, c, text("m/x", 1), text("m/x", 2))
		if _, _, ok := c.Get(text("m/xy", 1)); !ok {
			t.Errorf("%s: another path was forgotten", name)
		}
	}
}

func TestWideSpanHoldsAll(t *testing.T) {
	c := hot.New(1 << 20)
	fill(c, text("x", 0), 1)
	_, early, _ := c.Get(text("y", 0))
	release := c.Hold(nil, []address.Span{address.Under("a", "version", "")})
	fill(c, text("x", 0), 1)
	absent(t, c, text("x", 0))
	release()
	c.Fill(text("y", 0), early, record("y", 1))
	absent(t, c, text("x", 0), text("y", 0))
}

func TestSizeIsBounded(t *testing.T) {
	c := hot.New(64 << 10)
	for i := range 5_000 {
		fill(c, text(fmt.Sprint(i), 0), 1)
	}
	kept := 0
	for i := range 5_000 {
		if _, _, ok := c.Get(text(fmt.Sprint(i), 0)); ok {
			kept++
		}
	}
	if kept == 0 || kept > 64<<10/256 {
		t.Fatalf("%d records are kept", kept)
	}
}

func TestNilRemembersNothing(t *testing.T) {
	var c *hot.Cache
	fill(c, "k", 1)
	c.Hold([]string{"k"}, nil)()
	absent(t, c, "k")
}

// A store with one key. Readers ask the cache or, every other time, the store itself;
// whoever begins after somebody was shown a state must not be shown an older one.
func TestNobodyIsShownLessThanSomebodyBefore(t *testing.T) {
	c := hot.New(1 << 20)
	key := text("k", 0)
	var store, shown atomic.Int64
	var wg sync.WaitGroup
	read := func(direct bool) int64 {
		kv, ticket, ok := c.Get(key)
		if ok && !direct {
			return kv.ModRevision
		}
		mod := store.Load()
		c.Fill(key, ticket, record(key, mod))
		return mod
	}
	for g := range 4 {
		wg.Go(func() {
			for i := range 5000 {
				floor := shown.Load()
				got := read((i+g)%2 == 0)
				if got < floor {
					t.Errorf("shown %d after %d", got, floor)
					return
				}
				for s := shown.Load(); got > s && !shown.CompareAndSwap(s, got); s = shown.Load() {
				}
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for range 2500 {
				release := c.Hold([]string{key}, nil)
				store.Add(1)
				release()
			}
		})
	}
	wg.Wait()
}
