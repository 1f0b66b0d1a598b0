package hot

import (
	"hash/maphash"
	"strings"
	"sync"
)

// Entry is one record as it lies in the store.
type Entry struct {
	Sealed  []byte
	Mod     int64 // revision of the last change
	Created int64 // revision of the creation
}

// Cache holds entries by key. It is coherent as long as every write of the store
// passes through Changed before it is acknowledged:
//
//   - A reader that misses takes a Ticket before it asks the store and gives it back
//     with what it found. Changed voids the tickets of its keys, so a slow reader
//     cannot put back what a write has replaced.
//   - An entry is never replaced by an older one, and a reader fills the cache before
//     it returns, so no reader sees less than another did before it began.
//
// Absence is not remembered. Keys are NUL-separated; the versions of one path share
// a base and are dropped together. All methods may be called concurrently.
type Cache struct {
	seed   maphash.Seed
	shards [shardCount]shard
	limit  int // bytes per shard
}

const shardCount = 64

type shard struct {
	mu     sync.RWMutex
	voided uint64 // grows whenever a key of the shard changes
	size   int
	bases  map[string]map[string]Entry // base -> key -> entry
}

// New makes a cache of at most size bytes of records.
func New(size int) *Cache {
	c := &Cache{seed: maphash.MakeSeed(), limit: max(size/shardCount, 1)}
	for i := range c.shards {
		c.shards[i].bases = map[string]map[string]Entry{}
	}
	return c
}

// Ticket allows one fill of the key it was taken for.
type Ticket struct{ voided uint64 }

// Get finds an entry; without one it gives a ticket for filling it.
func (c *Cache) Get(key string) (Entry, Ticket, bool) {
	base := baseOf(key)
	s := c.shard(base)
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, ok := s.bases[base][key]
	return e, Ticket{s.voided}, ok
}

// Fill remembers what a reader found, unless the key changed since its ticket or a
// newer entry is there.
func (c *Cache) Fill(key string, t Ticket, e Entry) {
	base := baseOf(key)
	s := c.shard(base)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.voided != t.voided {
		return
	}
	if old, ok := s.bases[base][key]; ok && old.Mod >= e.Mod {
		return
	}
	s.put(base, key, e)
	for s.size > c.limit {
		s.evict(base)
	}
}

// Changed forgets keys that a write has changed or deleted, with every version of
// their paths. It must return before the write is acknowledged.
func (c *Cache) Changed(keys ...string) {
	for _, key := range keys {
		base := baseOf(key)
		s := c.shard(base)
		s.mu.Lock()
		s.voided++
		s.drop(base)
		s.mu.Unlock()
	}
}

// Clear forgets everything: for writes whose keys are not known one by one.
func (c *Cache) Clear() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.voided++
		s.bases, s.size = map[string]map[string]Entry{}, 0
		s.mu.Unlock()
	}
}

func (c *Cache) shard(base string) *shard {
	return &c.shards[maphash.String(c.seed, base)%shardCount]
}

func (s *shard) put(base, key string, e Entry) {
	m := s.bases[base]
	if m == nil {
		m = map[string]Entry{}
		s.bases[base] = m
	}
	s.size += cost(key, e) - cost(key, m[key])
	m[key] = e
}

// evict drops some other base than the one just filled, if there is one. Tickets are
// void afterwards: what was evicted might have been newer than what a slow reader
// still brings.
func (s *shard) evict(keep string) {
	s.voided++
	for base := range s.bases {
		if base != keep || len(s.bases) == 1 {
			s.drop(base)
			return
		}
	}
}

func (s *shard) drop(base string) {
	for key, e := range s.bases[base] {
		s.size -= cost(key, e)
	}
	delete(s.bases, base)
}

// overhead is roughly what an entry costs beside its bytes.
const overhead = 128

func cost(key string, e Entry) int {
	if e.Sealed == nil {
		return 0
	}
	return len(key) + len(e.Sealed) + overhead
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
