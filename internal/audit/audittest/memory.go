package audittest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/coffer-dev/coffer/internal/audit"
)

var errSwitchedOff = errors.New("the test switched the sink off")

// Memory is an audit.Sink that keeps records in a slice, with the semantics of the
// file: it refuses while it fails, and owes what it was told to follow. The zero
// Memory works. Safe for concurrent use.
type Memory struct {
	mu      sync.Mutex
	records []audit.Record
	owed    []audit.Record
	failing bool
}

var _ audit.Sink = (*Memory)(nil)

// Fail switches the fault on or off.
func (m *Memory) Fail(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failing = on
}

// Keep implements audit.Sink.
func (m *Memory) Keep(ctx context.Context, records ...audit.Record) error {
	if len(records) == 0 {
		return nil
	}
	if err := context.Cause(ctx); err != nil {
		return audit.Unavailable(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing {
		return audit.Unavailable(errSwitchedOff)
	}
	m.records = append(append(m.records, m.owed...), records...)
	m.owed = nil
	return nil
}

// Follow implements audit.Sink.
func (m *Memory) Follow(record audit.Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing {
		m.owed = append(m.owed, record)
		return
	}
	m.records = append(append(m.records, m.owed...), record)
	m.owed = nil
}

// Records gives a copy of what was kept, in order.
func (m *Memory) Records() []audit.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.records)
}

// Reset forgets everything kept or owed; the switch stays as it is.
func (m *Memory) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records, m.owed = nil, nil
}
