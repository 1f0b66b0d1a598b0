package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger"
)

func key(path string) ledger.Key { return ledger.Key{Tenant: "a", Kind: "thing", Path: path} }

func under(prefix string) ledger.Span { return ledger.Under("a", "thing", prefix) }

func put(t testing.TB, l *ledger.Ledger, path, value string) ledger.Receipt {
	t.Helper()
	r, err := l.Txn(context.Background(), func(tx *ledger.Tx) error { return tx.Put(key(path), []byte(value)) })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// tell puts a record and its event in one transaction.
func tell(l *ledger.Ledger, path, value string) (ledger.Receipt, error) {
	return l.Txn(context.Background(), func(tx *ledger.Tx) error {
		if err := tx.Put(key(path), []byte(value)); err != nil {
			return err
		}
		body, err := event.Event{Name: event.SecretUpdated, ResourceRef: value}.Encode()
		if err != nil {
			return err
		}
		return tx.Emit("a", body)
	})
}

func mustTell(t testing.TB, l *ledger.Ledger, path, value string) ledger.Receipt {
	t.Helper()
	r, err := tell(l, path, value)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func want(t testing.TB, l *ledger.Ledger, path, value string) ledger.Record {
	t.Helper()
	r, ok, err := l.Get(context.Background(), key(path))
	if err != nil || !ok || string(r.Value) != value {
		t.Fatalf("%s holds %q (%v, %v), want %q", path, r.Value, ok, err, value)
	}
	return r
}

func wantKind(t testing.TB, err error, kind fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind {
		t.Fatalf("got %v, want %v", err, kind)
	}
}

// readAll reads the log from a sequence on and holds it to strictly increasing order.
func readAll(t testing.TB, l *ledger.Ledger, after int64, limit int) []event.Entry {
	t.Helper()
	var all []event.Entry
	for {
		p, err := l.ReadLog(context.Background(), "a", after, limit)
		if err != nil {
			t.Fatal(err)
		}
		if p.Lost != 0 {
			t.Fatalf("gap up to %d behind %d", p.Lost, after)
		}
		if len(p.List) == 0 {
			return all
		}
		for _, e := range p.List {
			if e.Sequence <= after {
				t.Fatalf("sequence %d after %d", e.Sequence, after)
			}
			after = e.Sequence
		}
		all = append(all, p.List...)
	}
}

// eventually waits until ok says so.
func eventually(t testing.TB, patience time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// load writes from several goroutines until stop is called, which returns how many
// writes were acknowledged. A failed write fails the test.
func load(t testing.TB, writers int, ledgers ...*ledger.Ledger) (stop func() int) {
	t.Helper()
	done := make(chan struct{})
	var wg sync.WaitGroup
	counts := make([]int, writers)
	for w := range writers {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				_, err := tell(ledgers[w%len(ledgers)], fmt.Sprintf("load/%d/%d", w, i%20), fmt.Sprintf("%d.%d", w, i))
				if err != nil {
					t.Errorf("write under load: %v", err)
					return
				}
				counts[w]++
			}
		})
	}
	var once sync.Once
	return func() int {
		once.Do(func() { close(done) })
		wg.Wait()
		n := 0
		for _, c := range counts {
			n += c
		}
		return n
	}
}

// clock is a time that is moved by hand, ahead of the real one.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

var errStop = errors.New("the caller changed its mind")
