package audit

import (
	"sync"
	"time"
)

// DefaultRing is how many operations the ring remembers unless told otherwise.
const DefaultRing = 1000

// Ring remembers the latest operations in memory for the audit endpoint. It is a
// window, not the audit: the sink is. An attempt and its outcome are one item,
// which keeps the place and the time of the attempt. Safe for concurrent use.
type Ring struct {
	mu    sync.Mutex
	items []Record       // a circle; next is the oldest once it is full
	next  int            // where the next new operation goes
	at    map[string]int // audit ID -> place in items
}

// NewRing makes a ring of size operations; below 1 is DefaultRing.
func NewRing(size int) *Ring {
	if size < 1 {
		size = DefaultRing
	}
	return &Ring{items: make([]Record, 0, size), at: make(map[string]int, size)}
}

// Add remembers records. An outcome repeats the members of its attempt and
// replaces it; one whose attempt has left the ring counts as a new operation.
func (g *Ring) Add(records ...Record) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range records {
		if i, ok := g.at[r.ID]; ok {
			r.Time = g.items[i].Time
			g.items[i] = r
			continue
		}
		g.push(r)
	}
}

func (g *Ring) push(r Record) {
	if len(g.items) < cap(g.items) {
		g.items = append(g.items, r)
	} else {
		delete(g.at, g.items[g.next].ID)
		g.items[g.next] = r
	}
	g.at[r.ID] = g.next
	g.next = (g.next + 1) % cap(g.items)
}

// Query narrows a page of the ring. Tenant always applies: empty matches nothing.
// Every other empty member matches all.
type Query struct {
	Tenant        string
	Subject       string
	Purpose       string
	Effect        string
	ResourceRef   string
	Event         string
	CorrelationID string
	Since         time.Time // inclusive
	Until         time.Time // exclusive
}

func (q *Query) matches(r *Record) bool {
	if q.Tenant == "" || q.Tenant != r.Tenant {
		return false
	}
	if !q.Since.IsZero() && r.Time.Before(q.Since) || !q.Until.IsZero() && !r.Time.Before(q.Until) {
		return false
	}
	for _, f := range [...][2]string{
		{q.Subject, r.Subject}, {q.Purpose, r.Purpose}, {q.Effect, r.Effect},
		{q.ResourceRef, r.ResourceRef}, {q.Event, r.Event}, {q.CorrelationID, r.CorrelationID},
	} {
		if f[0] != "" && f[0] != f[1] {
			return false
		}
	}
	return true
}

// Page gives the matching operations, newest first, from offset and at most limit
// of them, and how many match in all. The slice is never nil.
func (g *Ring) Page(q Query, offset, limit int) (items []Record, total int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	items = []Record{}
	for i := range len(g.items) {
		r := &g.items[(g.next-1-i+2*cap(g.items))%cap(g.items)]
		if !q.matches(r) {
			continue
		}
		if total >= offset && len(items) < limit {
			items = append(items, *r)
		}
		total++
	}
	return items, total
}
