package secrets

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/ledger"
)

// readTeller appends SECRET_READ events behind the answers, several in one
// transaction, best effort: what does not fit the queue is dropped. The record of
// reads is the audit.
type readTeller struct {
	l      *ledger.Ledger
	tenant string
	log    *slog.Logger
	queue  chan event.Event
	once   sync.Once
	done   chan struct{}
}

const (
	readQueue = 1024
	readBatch = 100
	readDelay = 20 * time.Millisecond // lets a batch gather
)

func newReadTeller(c Config) *readTeller {
	r := &readTeller{
		l: c.Ledger, tenant: c.Tenant, log: c.Log,
		queue: make(chan event.Event, readQueue), done: make(chan struct{}),
	}
	go r.run()
	return r
}

func (r *readTeller) add(e event.Event) {
	select {
	case r.queue <- e:
	default:
	}
}

func (r *readTeller) close() {
	r.once.Do(func() { close(r.queue) })
	<-r.done
}

func (r *readTeller) run() {
	defer close(r.done)
	for first := range r.queue {
		batch := []event.Event{first}
		timer := time.NewTimer(readDelay)
	gather:
		for len(batch) < readBatch {
			select {
			case e, ok := <-r.queue:
				if !ok {
					break gather
				}
				batch = append(batch, e)
			case <-timer.C:
				break gather
			}
		}
		timer.Stop()
		r.append(batch)
	}
}

func (r *readTeller) append(batch []event.Event) {
	_, err := r.l.Txn(context.Background(), func(tx *ledger.Tx) error {
		for _, e := range batch {
			body, err := e.Encode()
			if err != nil {
				return err
			}
			if err := tx.Emit(r.tenant, body); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.log.Warn("read events were not stored", "count", len(batch), "error", err)
	}
}

// toldRead queues the event of a read whose answer is ready.
func (s *Service) toldRead(t *ticket, at target, version int64) {
	if s.reads == nil {
		return
	}
	e := s.change(t, at, version, nil, nil)
	e.Old, e.New = nil, nil
	s.reads.add(e)
}
