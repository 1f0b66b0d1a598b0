package bus

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/coffer-dev/coffer/internal/fault"
)

const (
	// fullBatch and fullBytes are how much goes to the brokers at a time. With the next
	// record, which may be as long as a read of the audit file, and with all headers it
	// must fit into a batch of the client, 1 MB.
	fullBatch, fullBytes = 1000, 256 << 10
	// slow is after how long without an answer the brokers are reported.
	slow = 10 * time.Second
	// callTimeout bounds a call of the brokers other than producing.
	callTimeout = 10 * time.Second
	// firstRetry and lastRetry bound the time between two tries.
	firstRetry, lastRetry = time.Second, 30 * time.Second
)

// feed fills one topic. Everything but failing belongs to the goroutine of run.
type feed struct {
	c      Config
	topic  string
	client *kgo.Client
	cursor cursor
	// pump reads on from the cursor, sends, and moves the cursor, until something
	// fails. It may be called again.
	pump    func(context.Context, *feed) error
	moved   bool // the cursor moved since the last failure
	ensured bool // the brokers answered for the topic since the last failure
	known   bool // and took a record
	failing atomic.Pointer[fault.Error]
}

// run pumps until ctx ends. After a failure it waits, longer each time that nothing
// was achieved in between.
func (f *feed) run(ctx context.Context) {
	retry := firstRetry
	for {
		err := f.pump(ctx, f)
		if errors.Is(err, fault.Conflict) && ctx.Err() == nil {
			f.c.Log.Info("another replica fills the topic; standing by", "topic", f.topic)
			if err = f.standBy(ctx); err == nil {
				continue
			}
		}
		if ctx.Err() != nil {
			return
		}
		if f.moved {
			retry, f.moved = firstRetry, false
		}
		f.report(err)
		if f.c.wait(ctx, f.c.spread(retry)) != nil {
			return
		}
		retry = min(2*retry, lastRetry)
	}
}

// standBy waits until the cursor stood still: who moved it is gone, or has nothing
// to do either.
func (f *feed) standBy(ctx context.Context) error {
	var ignored any
	for {
		if err := f.cursor.load(ctx, &ignored); err != nil {
			return err
		}
		seen := f.cursor.mark
		if err := f.c.wait(ctx, f.c.spread(f.c.StandBy)); err != nil {
			return err
		}
		if err := f.cursor.load(ctx, &ignored); err != nil {
			return err
		}
		if f.cursor.mark == seen {
			return nil
		}
	}
}

// send returns once the brokers have all records, in this order, or ctx ended; it
// tries until then. None is sent only to reach the brokers. meanwhile is called every
// now and then while they keep us waiting.
func (f *feed) send(ctx context.Context, records []*kgo.Record, meanwhile func()) error {
	for retry := firstRetry; ; retry = min(2*retry, lastRetry) {
		sent, err := f.try(ctx, records, meanwhile)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if sent > 0 {
			retry = firstRetry
		}
		records = records[sent:]
		f.ensured, f.known = false, false
		f.report(err)
		if err := f.c.wait(ctx, f.c.spread(retry)); err != nil {
			return err
		}
		meanwhile()
	}
}

// try sends batch by batch and says how many records the brokers certainly have.
func (f *feed) try(ctx context.Context, records []*kgo.Record, meanwhile func()) (sent int, err error) {
	if !f.ensured {
		f.client.PurgeTopicsFromProducing(f.topic) // it may have been made anew
		if err := ensure(ctx, f.client, f.topic); err != nil {
			return 0, err
		}
		f.ensured = true
	}
	for sent < len(records) {
		start, n := f.c.Now(), f.batch(records[sent:])
		if err := f.flush(ctx, records[sent:sent+n], meanwhile); err != nil {
			return sent, err
		}
		f.known = true
		f.c.Observe.Sent(f.topic, n, f.c.Now().Sub(start))
		sent += n
	}
	f.reached()
	return sent, nil
}

// batch is how many records go next: so many that the client makes one batch of them
// for each partition. It is refused as a whole, then, and no later record slips past
// an earlier one. The first record goes alone: those that wait for the client to look
// up the topic are sent as they come.
func (f *feed) batch(records []*kgo.Record) int {
	if !f.known {
		return 1
	}
	n, size := 0, 0
	for n < len(records) && n < fullBatch && (n == 0 || size < fullBytes) {
		size += len(records[n].Key) + len(records[n].Value)
		n++
	}
	return n
}

// flush sends one batch, all or in case of an error perhaps its beginning. A record
// whose fate is unknown is not given up: an outage is waited for in here.
func (f *feed) flush(ctx context.Context, batch []*kgo.Record, meanwhile func()) error {
	results := make(chan error, len(batch))
	for _, r := range batch {
		r.Topic = f.topic
		f.client.Produce(ctx, r, func(_ *kgo.Record, err error) { results <- err })
	}
	flushed := make(chan error, 1)
	go func() { flushed <- f.client.Flush(ctx) }()
	late := f.c.After(slow)
	for {
		select {
		case err := <-flushed:
			for range batch {
				if err != nil {
					return err
				}
				err = <-results
			}
			return err
		case <-late:
			f.report(fault.New(fault.Timeout, "no answer for %s", slow))
		case <-f.c.After(f.c.Pace):
			meanwhile()
		}
	}
}

// save moves the cursor to where everything before was acknowledged.
func (f *feed) save(ctx context.Context, v any) error {
	if err := f.cursor.save(ctx, v); err != nil {
		return err
	}
	f.moved = true
	return nil
}

// report tells everybody who asks that the topic is not being filled.
func (f *feed) report(err error) {
	f.failing.Store(fault.Wrap(fault.Unavailable, err, "not mirrored"))
	f.c.Observe.Failed(f.topic)
	f.c.Log.Warn("the topic is not being filled; trying on", "topic", f.topic, "error", err)
}

// reached clears what report told.
func (f *feed) reached() {
	if f.failing.Swap(nil) != nil {
		f.c.Log.Info("the brokers are reached", "topic", f.topic)
	}
}

// gap tells of what was lost before it could be mirrored.
func (f *feed) gap(message string, args ...any) {
	f.c.Observe.Gap(f.topic)
	f.c.Log.Error(message, append([]any{"topic", f.topic}, args...)...)
}
