package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
)

func TestE31ThousandConcurrentPuts(t *testing.T) {
	l := ledgertest.Open(t, func(c *ledger.Config) { c.EpochEvents = 60 })
	const n = 1000
	var wg sync.WaitGroup
	receipts := make([]ledger.Receipt, n)
	for w := range 50 {
		wg.Go(func() {
			for i := w; i < n; i += 50 {
				var err error
				if receipts[i], err = tell(l, fmt.Sprint("p/", i), fmt.Sprint(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	// A reader that follows while all this goes on must miss nothing either.
	read := make(chan []event.Entry)
	go func() {
		var got []event.Entry
		after := int64(0)
		for len(got) < n && t.Context().Err() == nil {
			p, err := l.ReadLog(context.Background(), "a", after, 7)
			if err != nil {
				t.Error(err)
				break
			}
			for _, e := range p.List {
				got, after = append(got, e), e.Sequence
			}
		}
		read <- got
	}()
	wg.Wait()
	all := readAll(t, l, 0, 100)
	if len(all) != n {
		t.Fatalf("%d events, want %d", len(all), n)
	}
	for i, e := range <-read {
		if e.Sequence != all[i].Sequence {
			t.Fatalf("the follower read %d as its event %d, the log has %d", e.Sequence, i, all[i].Sequence)
		}
	}
	told := map[int64]int{}
	for i, r := range receipts {
		told[r.Sequence(0)] = i
	}
	for i, e := range all {
		ev, err := event.Decode(e.Sequence, e.Body)
		if want, ok := told[e.Sequence]; err != nil || !ok || ev.ResourceRef != fmt.Sprint(want) {
			t.Fatalf("event %+v, %v is not that of put %d", ev, err, want)
		}
		if i%100 != 0 && i != n-1 {
			continue
		}
		if rest := readAll(t, l, e.Sequence, n); len(rest) != n-1-i {
			t.Fatalf("behind event %d there are %d, want %d", i, len(rest), n-1-i)
		}
	}
	if epochs, err := l.Names(t.Context(), ledger.Under(ledger.System, "epochs", ""), 0); err != nil || len(epochs) < 5 {
		t.Fatalf("%d epochs, %v: the test is to cross several", len(epochs), err)
	}
}

func TestE31SeveralEventsOfOneTransaction(t *testing.T) {
	l := ledgertest.Open(t, nil)
	rec, err := l.Txn(t.Context(), func(tx *ledger.Tx) error {
		return errors.Join(tx.Emit("a", []byte("1")), tx.Emit("b", []byte("of b")), tx.Emit("a", []byte("2")))
	})
	if err != nil {
		t.Fatal(err)
	}
	all := readAll(t, l, 0, 1)
	if len(all) != 2 || all[0].Sequence != rec.Sequence(0) || all[1].Sequence != rec.Sequence(1) || string(all[1].Body) != "2" {
		t.Fatalf("log %+v, receipt %d", all, rec.Sequence(0))
	}
	if rest := readAll(t, l, rec.Sequence(0), 1); len(rest) != 1 || string(rest[0].Body) != "2" {
		t.Fatalf("behind the first there is %+v", rest)
	}
	end, err := l.End(t.Context())
	if next := mustTell(t, l, "x", "x"); err != nil || end < rec.Sequence(1) || end >= next.Sequence(0) {
		t.Fatalf("end %d, %v; before it %d, behind it %d", end, err, rec.Sequence(1), next.Sequence(0))
	}
}

// epochOf writes n events and ends their epoch.
func epochOf(t *testing.T, l *ledger.Ledger, n int) (last int64) {
	t.Helper()
	for i := range n {
		last = mustTell(t, l, "x", fmt.Sprint(i)).Sequence(0)
	}
	if err := l.EndEpoch(t.Context()); err != nil {
		t.Fatal(err)
	}
	return last
}

// lostBehind reads the log from a sequence on and gives the gap and how many are left.
func lostBehind(t *testing.T, l *ledger.Ledger, after int64) (lost int64, left int) {
	t.Helper()
	p, err := l.ReadLog(t.Context(), "a", after, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return p.Lost, len(p.List)
}

func TestE31RetentionByNumber(t *testing.T) {
	c := &clock{}
	l := ledgertest.Open(t, func(cfg *ledger.Config) { cfg.Now, cfg.EventsKept, cfg.TrimEvery = c.Now, 10, time.Hour })
	first := epochOf(t, l, 6)
	second := epochOf(t, l, 6)
	third := epochOf(t, l, 6)
	trim := func() {
		t.Helper()
		if err := l.Trim(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	trim() // a commit of these epochs may still be looked up
	if lost, left := lostBehind(t, l, 0); lost != 0 || left != 18 {
		t.Fatalf("right after: lost %d, left %d", lost, left)
	}
	c.Advance(2 * ledger.Settle)
	mustTell(t, l, "x", "now")
	trim()
	for after, want := range map[int64]int{0: 7, first: 7, second - 1: 7} {
		if lost, left := lostBehind(t, l, after); lost < second || lost >= third || left != want {
			t.Errorf("behind %d: lost up to %d, left %d", after, lost, left)
		}
	}
	mark, _ := lostBehind(t, l, 0)
	if lost, left := lostBehind(t, l, mark); lost != 0 || left != 7 {
		t.Errorf("behind the gap: lost %d, left %d", lost, left)
	}
	trim()
	if again, left := lostBehind(t, l, 0); again != mark || left != 7 {
		t.Errorf("a second trim moved the mark from %d to %d, left %d", mark, again, left)
	}
	// Epochs that no log begins in are forgotten.
	if epochs, err := l.Names(t.Context(), ledger.Under(ledger.System, "epochs", ""), 0); err != nil || len(epochs) != 2 {
		t.Errorf("%d epochs, %v", len(epochs), err)
	}
}

func TestE31RetentionByAge(t *testing.T) {
	c := &clock{}
	l := ledgertest.Open(t, func(cfg *ledger.Config) { cfg.Now, cfg.EventAge, cfg.TrimEvery = c.Now, time.Hour, time.Hour })
	epochOf(t, l, 3)
	c.Advance(50 * time.Minute)
	epochOf(t, l, 3)
	for _, s := range []struct {
		pass time.Duration
		left int
	}{{5 * time.Minute, 6}, {10 * time.Minute, 3}, {2 * time.Hour, 0}} {
		c.Advance(s.pass)
		if err := l.Trim(t.Context()); err != nil {
			t.Fatal(err)
		}
		if lost, left := lostBehind(t, l, 0); left != s.left || (lost > 0) != (left < 6) {
			t.Fatalf("after %v more: lost %d, left %d, want %d", s.pass, lost, left, s.left)
		}
	}
	last := mustTell(t, l, "x", "again").Sequence(0)
	if p, err := l.ReadLog(t.Context(), "a", 0, 10); err != nil || len(p.List) != 1 || p.List[0].Sequence != last {
		t.Fatalf("%+v, %v", p, err)
	}
}

// Readers race with trimming: each sees every event or is told of the gap.
func TestE31TrimWhileReading(t *testing.T) {
	c := &clock{}
	l := ledgertest.Open(t, func(cfg *ledger.Config) { cfg.Now, cfg.EventsKept, cfg.TrimEvery = c.Now, 20, time.Hour })
	written := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				last := false
				select {
				case <-written:
					last = true
				default:
				}
				p, err := l.ReadLog(context.Background(), "a", 0, 1000)
				if err != nil {
					t.Error(err)
					return
				}
				// Event i says i, and is the i-th of all: the first must be behind the gap.
				if len(p.List) > 0 {
					first, _ := event.Decode(0, p.List[0].Body)
					if (p.Lost == 0) != (first.ResourceRef == "0") {
						t.Errorf("first event %s, lost up to %d", first.ResourceRef, p.Lost)
						return
					}
				}
				if last {
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	for i := range 80 {
		mustTell(t, l, "x", fmt.Sprint(i))
		if i%8 == 7 {
			if err := l.EndEpoch(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.Advance(2 * ledger.Settle)
			if err := l.Trim(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(written)
	wg.Wait()
}
