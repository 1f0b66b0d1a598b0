package oidc

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coffer-dev/coffer/internal/identity"
)

const (
	shards    = 16
	maxCached = 5 * time.Minute // how long a verified token is believed unasked
)

// verified is a token that proved genuine. It says nothing about who holds it: proofs
// of possession are checked for every request.
type verified struct {
	principal identity.Principal
	binding   binding
	audiences []string // those of its issuer, if it has its own
	key       *key     // that verified it; nil for an introspected token
	until     time.Time
}

func (v *verified) live(now time.Time) bool {
	return now.Before(v.until) && (v.key == nil || !v.key.gone.Load())
}

// tokenCache remembers verified tokens, in bounded memory. It never holds a token: its
// keys are HMACs under a key of this process, so that neither a dump of the memory nor
// a chosen collision is of use.
type tokenCache struct {
	hashes sync.Pool // of *keyedHash
	shards [shards]shard
}

// keyedHash is an HMAC with room for its input and output, so that naming a token
// allocates nothing.
type keyedHash struct {
	mac           hash.Hash
	input, output []byte
}

// shard is a part of the memory with its own lock. When it is full a hand goes round
// and puts out the first token that was not used since it last came by.
type shard struct {
	mu    sync.RWMutex
	index map[[sha256.Size]byte]int
	slots []slot
	hand  int
	limit int
}

type slot struct {
	id    [sha256.Size]byte
	token *verified
	used  *atomic.Bool
}

func newTokenCache(size int, random io.Reader) (*tokenCache, error) {
	secret := make([]byte, sha256.Size)
	if _, err := io.ReadFull(random, secret); err != nil {
		return nil, fmt.Errorf("drawing the key of the token memory: %w", err)
	}
	c := &tokenCache{hashes: sync.Pool{New: func() any { return &keyedHash{mac: hmac.New(sha256.New, secret)} }}}
	for i := range c.shards {
		c.shards[i].index = map[[sha256.Size]byte]int{}
		c.shards[i].limit = max(1, size/shards)
	}
	return c, nil
}

// id is the name of a token in the memory.
func (c *tokenCache) id(token string) (id [sha256.Size]byte) {
	h := c.hashes.Get().(*keyedHash)
	defer c.hashes.Put(h)
	h.mac.Reset()
	h.input = append(h.input[:0], token...)
	h.mac.Write(h.input)
	clear(h.input)
	h.output = h.mac.Sum(h.output[:0])
	copy(id[:], h.output)
	return id
}

// get gives a token that may still be believed, or nil.
func (c *tokenCache) get(id [sha256.Size]byte, now time.Time) *verified {
	s := &c.shards[id[0]%shards]
	s.mu.RLock()
	defer s.mu.RUnlock()
	i, found := s.index[id]
	if !found || !s.slots[i].token.live(now) {
		return nil
	}
	if used := s.slots[i].used; !used.Load() {
		used.Store(true)
	}
	return s.slots[i].token
}

func (c *tokenCache) put(id [sha256.Size]byte, token *verified) {
	s := &c.shards[id[0]%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	i, found := s.index[id]
	switch {
	case found:
	case len(s.slots) < s.limit:
		i = len(s.slots)
		s.slots = append(s.slots, slot{})
	default:
		i = s.victim()
		delete(s.index, s.slots[i].id)
	}
	s.slots[i] = slot{id: id, token: token, used: new(atomic.Bool)}
	s.index[id] = i
}

// victim moves the hand to the next token that was not used since it last came by.
func (s *shard) victim() int {
	for {
		i := s.hand
		s.hand = (s.hand + 1) % len(s.slots)
		if !s.slots[i].used.Swap(false) {
			return i
		}
	}
}
