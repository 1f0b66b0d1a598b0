package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
	"github.com/coffer-dev/coffer/internal/seal/kek"
)

// seen collects what a follower is told.
type seen struct {
	events chan string
	gaps   chan event.Gap
}

func newSeen() *seen { return &seen{make(chan string, 10_000), make(chan event.Gap, 10)} }

func (s *seen) Event(e event.Event) error { s.events <- e.ResourceRef; return nil }
func (s *seen) Gap(g event.Gap) error     { s.gaps <- g; return nil }

func (s *seen) wants(t *testing.T, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		select {
		case got := <-s.events:
			if got != fmt.Sprint(i) {
				t.Fatalf("event %s, want %d", got, i)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("event %d did not come", i)
		}
	}
}

func tellFrom(t *testing.T, l *ledger.Ledger, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		mustTell(t, l, "x", fmt.Sprint(i))
	}
}

// follow runs a follower until stop is called, which gives its cursor.
func follow(t *testing.T, l *ledger.Ledger, after int64, s *seen) (stop func() int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	f := &event.Follower{Log: l, Tenant: "a", After: after}
	ended := make(chan error, 1)
	go func() { ended <- f.Follow(ctx, s) }()
	stopped := false
	stop = func() int64 {
		if !stopped {
			stopped = true
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("follower ended with %v", err)
			}
		}
		return f.After
	}
	t.Cleanup(func() { stop() })
	return stop
}

func TestFollowerOverCompactionAndEpochs(t *testing.T) {
	l := ledgertest.Open(t, func(c *ledger.Config) { c.CompactEvery, c.EpochEvents = 20*time.Millisecond, 10 })
	s := newSeen()
	tellFrom(t, l, 0, 30)
	stop := follow(t, l, 0, s)
	s.wants(t, 0, 30)
	tellFrom(t, l, 30, 200)
	s.wants(t, 30, 200)
	began := time.Now()
	tellFrom(t, l, 200, 201)
	s.wants(t, 200, 201)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the bell took %v", took)
	}
	// Long behind, compacted many times over: the log is records, not history.
	after := stop()
	tellFrom(t, l, 201, 250)
	time.Sleep(100 * time.Millisecond)
	follow(t, l, after, s)
	s.wants(t, 201, 250)
}

func TestFollowerOverRestart(t *testing.T) {
	dir := t.TempDir()
	if err := kek.CreateFile(dir + "/kek"); err != nil {
		t.Fatal(err)
	}
	s, after := newSeen(), int64(0)
	for round := range 3 {
		t.Run(fmt.Sprint("start ", round), func(t *testing.T) {
			l := ledgertest.OpenAt(t, dir, dir+"/kek", nil)
			stop := follow(t, l, after, s)
			tellFrom(t, l, round*20, round*20+20)
			s.wants(t, round*20, round*20+20)
			after = stop()
		})
	}
}

func TestFollowerIsToldOfTheGap(t *testing.T) {
	c := &clock{}
	l := ledgertest.Open(t, func(cfg *ledger.Config) { cfg.Now, cfg.EventsKept, cfg.TrimEvery = c.Now, 5, time.Hour })
	tellFrom(t, l, 0, 10)
	if err := l.EndEpoch(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Advance(2 * ledger.Settle)
	tellFrom(t, l, 10, 12)
	if err := l.Trim(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := newSeen()
	follow(t, l, 7, s)
	s.wants(t, 10, 12)
	if g := <-s.gaps; g.From != 7 || g.To <= g.From || g.Reason != event.Retention {
		t.Fatalf("gap %+v", g)
	}
}

func TestFollowerEndsWithItsReader(t *testing.T) {
	l := ledgertest.Open(t, nil)
	tellFrom(t, l, 0, 1)
	f := &event.Follower{Log: l, Tenant: "a"}
	if err := f.Follow(t.Context(), stubborn{}); !errors.Is(err, errStop) || f.After != 0 {
		t.Fatalf("%v, cursor %d", err, f.After)
	}
}

type stubborn struct{}

func (stubborn) Event(event.Event) error { return errStop }
func (stubborn) Gap(event.Gap) error     { return errStop }

// One damaged event is told of as a gap; all others are served, few or many.
func TestE24DamagedEventIsAGap(t *testing.T) {
	l := ledgertest.Open(t, nil)
	const n = 100
	tellFrom(t, l, 0, n)
	names, err := l.Names(t.Context(), ledger.Under("a", "event", ""), 0)
	if err != nil || len(names) != n {
		t.Fatalf("%d records, %v", len(names), err)
	}
	res, err := l.Etcd().Get(t.Context(), names[0].Key.Text())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Etcd().Put(t.Context(), names[1].Key.Text(), string(res.Kvs[0].Value)); err != nil {
		t.Fatal(err)
	}
	for _, behind := range []int64{0, names[1].Created*ledger.MaxEvents - 1} {
		s := newSeen()
		stop := follow(t, l, behind, s)
		g := <-s.gaps
		if g.Reason != event.Damage || g.To/ledger.MaxEvents != names[1].Created || g.From > g.To {
			t.Fatalf("gap %+v, damaged was %d", g, names[1].Created)
		}
		eventually(t, 10*time.Second, "the other events", func() bool { return len(s.events) >= n-1 || behind > 0 })
		stop()
	}
}
