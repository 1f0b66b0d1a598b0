package audit

import (
	"sync/atomic"

	"github.com/coffer-dev/coffer/internal/policy"
)

// Sampler says which records may be left out: of permitted, successful reads under
// a remembered grant it keeps one in N, counted, not drawn. Everything else, every
// denial, error and mutation, is always kept. Safe for concurrent use. The zero
// Sampler keeps everything.
type Sampler struct {
	n     uint64
	count atomic.Uint64
}

// NewSampler keeps one in n; n of 1 or less keeps everything.
func NewSampler(n int) *Sampler { return &Sampler{n: uint64(max(n, 1))} }

// Keep says whether r is to be written, and marks it as one that stands for
// others. The first read under a grant is kept.
func (s *Sampler) Keep(r *Record) bool {
	if s.n <= 1 || !sampleable(r) {
		return true
	}
	if (s.count.Add(1)-1)%s.n != 0 {
		return false
	}
	r.Sampled = true
	return true
}

func sampleable(r *Record) bool {
	reads := r.Purpose == string(policy.Read) || r.Purpose == string(policy.Execute)
	return reads && r.Cached && r.Effect == Permit && r.Success && r.ErrorCode == ""
}
