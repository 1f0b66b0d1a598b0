package oidc

import (
	"context"
	"sync"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
)

// ReplayMemory remembers which proofs were used. Use reports whether id is used for
// the first time, and remembers it at least until the given time; of concurrent calls
// with one id exactly one is the first. An error refuses the request.
type ReplayMemory interface {
	Use(ctx context.Context, id [32]byte, until time.Time) (first bool, err error)
}

// bucketWidth is the grain at which used proofs are forgotten.
const bucketWidth = time.Minute

// processReplay remembers used proofs in this process. Proofs that expire in the same
// minute share a bucket, so that forgetting is dropping a map.
type processReplay struct {
	clock func() time.Time
	limit int

	mu      sync.Mutex
	count   int
	buckets map[int64]map[[32]byte]struct{}
}

func newProcessReplay(limit int, clock func() time.Time) *processReplay {
	return &processReplay{clock: clock, limit: limit, buckets: map[int64]map[[32]byte]struct{}{}}
}

// Use fails closed: when the memory is full of proofs that still could be replayed, no
// further proof is accepted until some have expired.
func (p *processReplay) Use(_ context.Context, id [32]byte, until time.Time) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(p.clock())
	for _, bucket := range p.buckets {
		if _, used := bucket[id]; used {
			return false, nil
		}
	}
	if p.count >= p.limit {
		return false, &fault.Error{
			Kind: fault.Unavailable, Detail: "too many proofs in use", RetryAfter: bucketWidth,
		}
	}
	slot := until.Unix() / int64(bucketWidth/time.Second)
	if p.buckets[slot] == nil {
		p.buckets[slot] = map[[32]byte]struct{}{}
	}
	p.buckets[slot][id] = struct{}{}
	p.count++
	return true, nil
}

func (p *processReplay) forget(now time.Time) {
	current := now.Unix() / int64(bucketWidth/time.Second)
	for slot, bucket := range p.buckets {
		if slot < current {
			p.count -= len(bucket)
			delete(p.buckets, slot)
		}
	}
}
