package event

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Appender takes events that go with no record; the ledger is one.
type Appender interface {
	Append(ctx context.Context, tenant string, bodies [][]byte) error
}

// Teller appends events behind the answers that they tell of, several in one
// transaction, best effort: what does not fit the queue is dropped. It is for reads,
// whose record is the audit.
type Teller struct {
	to     Appender
	tenant string
	log    *slog.Logger
	mu     sync.RWMutex // guards closed against a send
	closed bool
	queue  chan Event
	done   chan struct{}
}

const (
	tellQueue = 1024
	tellBatch = 100
	tellDelay = 20 * time.Millisecond // lets a batch gather
)

// NewTeller starts a teller; Close ends it.
func NewTeller(to Appender, tenant string, log *slog.Logger) *Teller {
	t := &Teller{to: to, tenant: tenant, log: log, queue: make(chan Event, tellQueue), done: make(chan struct{})}
	go t.run()
	return t
}

// Tell queues an event and returns at once.
func (t *Teller) Tell(e Event) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.closed {
		return
	}
	select {
	case t.queue <- e:
	default:
	}
}

// Close appends what is queued, until that fails: a store that is gone holds up no
// stop. A nil Teller has nothing to tell.
func (t *Teller) Close() {
	if t == nil {
		return
	}
	t.mu.Lock()
	if !t.closed {
		t.closed = true
		close(t.queue)
	}
	t.mu.Unlock()
	<-t.done
}

func (t *Teller) run() {
	defer close(t.done)
	for first := range t.queue {
		if !t.append(t.gather(first)) && t.isClosed() {
			return
		}
	}
}

func (t *Teller) isClosed() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.closed
}

// gather waits a little for more to go with the first.
func (t *Teller) gather(first Event) []Event {
	batch := []Event{first}
	timer := time.NewTimer(tellDelay)
	defer timer.Stop()
	for len(batch) < tellBatch {
		select {
		case e, ok := <-t.queue:
			if !ok {
				return batch
			}
			batch = append(batch, e)
		case <-timer.C:
			return batch
		}
	}
	return batch
}

func (t *Teller) append(batch []Event) (ok bool) {
	bodies := make([][]byte, 0, len(batch))
	for _, e := range batch {
		body, err := e.Encode()
		if err != nil {
			t.log.Error("an event cannot be encoded", "event", e.Name, "error", err)
			continue
		}
		bodies = append(bodies, body)
	}
	if err := t.to.Append(context.Background(), t.tenant, bodies); err != nil {
		t.log.Warn("events were not stored", "count", len(bodies), "error", err)
		return false
	}
	return true
}
