package authzen

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/coffer-dev/coffer/internal/policy"
)

// key is what a grant or a refusal belongs to.
type key struct {
	subject, tenant, uri string
	purpose              policy.Purpose
}

func keyOf(r policy.Request) key {
	return key{r.Principal.Subject, r.Principal.Tenant, r.URI.String(), r.Purpose}
}

// grant is a remembered permit.
type grant struct {
	expires  time.Time
	maxUses  int
	uses     int
	era      uint64 // of the policy version that it was given under
	binding  string // "" is not bound
	decision policy.Decision
}

// live says whether the grant still stands at now; it may be spent all the same.
func (g *grant) live(now time.Time, era uint64) bool {
	return g != nil && now.Before(g.expires) && g.era == era
}

// refusal is a remembered denial.
type refusal struct {
	until    time.Time
	decision policy.Decision
}

// slot is what is remembered of one key. Whoever holds its lock may use grant and
// refusal; users and idle belong to the table.
type slot struct {
	key     key
	lock    chan struct{} // one place: taken is locked, so that waiting can be cancelled
	grant   *grant
	refusal *refusal
	users   int           // holders and waiters
	idle    *list.Element // set while users is 0
}

// table holds the slots, at most bound of them. Only a slot that nobody uses can be
// forgotten, the least recently used first: forgetting means asking again.
type table struct {
	bound int
	mu    sync.Mutex
	slots map[key]*slot
	idle  *list.List // of *slot
}

var errFull = errors.New("decision point: every remembered key is in use")

func newTable(bound int) *table {
	return &table{bound: bound, slots: map[key]*slot{}, idle: list.New()}
}

// acquire locks the slot of k until release. It fails when ctx ends first or when
// the table is full of slots in use.
func (t *table) acquire(ctx context.Context, k key) (*slot, error) {
	s, err := t.enter(k)
	if err != nil {
		return nil, err
	}
	select {
	case s.lock <- struct{}{}:
		return s, nil
	case <-ctx.Done():
		t.leave(s)
		return nil, ctx.Err()
	}
}

func (t *table) release(s *slot) {
	<-s.lock
	t.leave(s)
}

func (t *table) enter(k key) (*slot, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.slots[k]
	switch {
	case s == nil:
		if len(t.slots) >= t.bound && !t.forgetOne() {
			return nil, errFull
		}
		s = &slot{key: k, lock: make(chan struct{}, 1)}
		t.slots[k] = s
	case s.idle != nil:
		t.idle.Remove(s.idle)
		s.idle = nil
	}
	s.users++
	return s, nil
}

// forgetOne drops the idle slot that was used longest ago. The caller holds mu.
func (t *table) forgetOne() bool {
	oldest := t.idle.Front()
	if oldest == nil {
		return false
	}
	s, _ := t.idle.Remove(oldest).(*slot)
	delete(t.slots, s.key)
	return true
}

func (t *table) leave(s *slot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.users--; s.users > 0 {
		return
	}
	if s.grant == nil && s.refusal == nil {
		delete(t.slots, s.key)
		return
	}
	s.idle = t.idle.PushBack(s)
}

// era counts the policy versions that answers have named: a grant of an earlier era
// has ended.
type era struct {
	mu      sync.Mutex
	version string
	n       uint64
}

func (e *era) current() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.n
}

// settle takes in the version of an answer whose question was asked in era asked,
// and returns the era that its grant belongs to. An answer that names no version
// ends no era. When the era changed in between,
// nobody knows which of the two versions is newer: all grants end, and the answer
// gets an era that is over.
func (e *era) settle(asked uint64, version string) uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch version {
	case "":
		return asked
	case e.version:
		return e.n
	}
	e.n++
	if e.n-1 != asked {
		return asked
	}
	e.version = version
	return e.n
}
