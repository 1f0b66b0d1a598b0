package vault

import (
	"slices"
	"sync"
	"time"
)

// window is how long a failure counts.
const window = time.Minute

// outcome is what an operation showed of the server's health.
type outcome uint8

const (
	answered outcome = iota // the server did its work, a refusal included
	failed
	unknown // the caller gave up first
)

// breaker leaves a failing server alone: after threshold failures within the
// window it is open for a while, then lets one operation try. It may be used
// concurrently.
type breaker struct {
	threshold int
	rest      time.Duration
	clock     func() time.Time

	mu       sync.Mutex
	failures []time.Time // within the window, ascending
	until    time.Time   // open until then; zero: closed
	trying   bool        // one operation tries whether the server is back
}

// enter asks for leave to work; when refused it says how long to wait. An operation
// that tries whether the server is back says so again when it leaves.
func (b *breaker) enter() (probe bool, wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until.IsZero() {
		return false, 0, true
	}
	if left := b.until.Sub(b.clock()); left > 0 {
		return false, left, false
	}
	if b.trying {
		return false, time.Second, false
	}
	b.trying = true
	return true, 0, true
}

// leave reports how the work went and says whether that opened the circuit. Work
// that began before the circuit opened changes nothing any more.
func (b *breaker) leave(probe bool, o outcome) (opened bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock()
	if probe {
		b.trying = false
		switch o {
		case answered:
			b.until, b.failures = time.Time{}, nil
		case failed:
			b.until = now.Add(b.rest)
		}
		return o == failed
	}
	if o != failed || !b.until.IsZero() {
		return false
	}
	b.failures = append(b.recent(now), now)
	if len(b.failures) < b.threshold {
		return false
	}
	b.until = now.Add(b.rest)
	return true
}

// recent keeps the failures that still count.
func (b *breaker) recent(now time.Time) []time.Time {
	return slices.DeleteFunc(b.failures, func(t time.Time) bool { return now.Sub(t) >= window })
}
