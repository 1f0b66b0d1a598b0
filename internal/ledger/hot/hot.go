package hot

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/coffer-dev/coffer/internal/ledger/address"
)

// Cache holds records by etcd key; a nil record is a key that is known to be absent.
// It shows what a read of the store would, as long as every write of the store is
// made within Hold:
//
//   - What a write is about to change is neither shown nor remembered until the
//     write is over, so nobody can be shown the old record after somebody was shown
//     the new one by the store itself.
//   - A reader that misses gets a Ticket before it asks the store, and gives it back
//     with what it found. Hold voids the tickets of its keys, so a slow reader cannot
//     put back what was replaced meanwhile.
//
// The versions of one path share a base and go together. All methods may be called
// concurrently; those of a nil Cache remember nothing.
type Cache struct {
	seed   maphash.Seed
	limit  int // bytes per shard
	all    atomic.Int64
	shards [shardCount]shard
}

const (
	shardCount = 64
	maxItems   = 8 // remembered versions of one path
)

type shard struct {
	mu     sync.RWMutex
	voided uint64 // grows whenever tickets of the shard become void
	size   int
	held   map[string]int    // base -> writes under way
	bases  map[string][]item // what is remembered of each base, a few keys as a rule
}

type item struct {
	key string
	kv  *mvccpb.KeyValue
}

// New makes a cache of at most size bytes of records.
func New(size int) *Cache {
	c := &Cache{seed: maphash.MakeSeed(), limit: max(size/shardCount, 1)}
	for i := range c.shards {
		c.shards[i].held = map[string]int{}
		c.shards[i].bases = map[string][]item{}
	}
	return c
}

// Ticket allows one fill of the key it was taken for.
type Ticket struct {
	voided uint64
	valid  bool
}

// Get finds a record, or nil for one that is known to be absent; else ok is false and
// the ticket is for filling it.
func (c *Cache) Get(key string) (kv *mvccpb.KeyValue, t Ticket, ok bool) {
	if c == nil || c.all.Load() > 0 {
		return nil, Ticket{}, false
	}
	base := baseOf(key)
	s := c.shard(base)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.held[base] > 0 {
		return nil, Ticket{}, false
	}
	for _, i := range s.bases[base] {
		if i.key == key {
			return i.kv, Ticket{}, true
		}
	}
	return nil, Ticket{s.voided, true}, false
}

// Fill remembers what a reader found, unless its ticket is void.
func (c *Cache) Fill(key string, t Ticket, kv *mvccpb.KeyValue) {
	if c == nil || !t.valid {
		return
	}
	base := baseOf(key)
	s := c.shard(base)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.voided != t.voided {
		return
	}
	items := s.bases[base]
	if len(items) == maxItems {
		s.drop(base)
		items = nil
	}
	for i, old := range items {
		if old.key == key {
			s.size += cost(key, kv) - cost(key, old.kv)
			items[i].kv = kv
			return
		}
	}
	s.bases[base] = append(items, item{key, kv})
	s.size += cost(key, kv)
	for s.size > c.limit && len(s.bases) > 0 {
		s.evict(base)
	}
}

// Hold is taken before a write is sent and released once its outcome is known: a
// write whose outcome stays unknown is never released. It names the keys that are put
// or deleted and the spans that are deleted.
func (c *Cache) Hold(keys []string, spans []address.Span) (release func()) {
	if c == nil {
		return func() {}
	}
	for _, s := range spans {
		base := baseOf(s.From)
		if s.To != base+"\x01" && baseOf(s.To) != base {
			return c.holdAll()
		}
		keys = append(keys[:len(keys):len(keys)], s.From)
	}
	for _, key := range keys {
		c.mark(baseOf(key), 1)
	}
	return func() {
		for _, key := range keys {
			c.mark(baseOf(key), -1)
		}
	}
}

func (c *Cache) mark(base string, by int) {
	s := c.shard(base)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.voided++
	s.drop(base)
	if s.held[base] += by; s.held[base] == 0 {
		delete(s.held, base)
	}
}

// holdAll is for writes whose keys are not known one by one. They are rare.
func (c *Cache) holdAll() (release func()) {
	c.all.Add(1)
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.voided++
		clear(s.bases)
		s.size = 0
		s.mu.Unlock()
	}
	return func() { c.all.Add(-1) }
}

func (c *Cache) shard(base string) *shard { return &c.shards[maphash.String(c.seed, base)%shardCount] }

// evict drops some other base than the one just filled, if there is one. Nothing
// needs to be voided: a fill is of the newest record as long as its ticket is good.
func (s *shard) evict(keep string) {
	for base := range s.bases {
		if base != keep || len(s.bases) == 1 {
			s.drop(base)
			return
		}
	}
}

func (s *shard) drop(base string) {
	for _, i := range s.bases[base] {
		s.size -= cost(i.key, i.kv)
	}
	delete(s.bases, base)
}

// overhead is roughly what a record costs beside its bytes.
const overhead = 256

func cost(key string, kv *mvccpb.KeyValue) int {
	n := len(key) + overhead
	if kv != nil {
		n += len(kv.Key) + len(kv.Value)
	}
	return n
}

// baseOf cuts the version off a key: tenant, kind and path remain.
func baseOf(key string) string {
	at := 0
	for range 3 {
		i := strings.IndexByte(key[at:], 0)
		if i < 0 {
			return key
		}
		at += i + 1
	}
	return key[:at-1]
}
