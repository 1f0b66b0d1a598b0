package once_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
	"github.com/coffer-dev/coffer/internal/ledger/once"
)

const tenant = "dev"

// bench is a ledger and a clock; keepers on it are processes.
type bench struct {
	l   *ledger.Ledger
	now atomic.Int64
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{l: ledgertest.Open(t, nil)}
	b.now.Store(1_800_000_000)
	return b
}

func (b *bench) keeper() *once.Keeper {
	return once.New(once.Config{
		Ledger: b.l, Tenant: tenant, Secret: []byte("secret"), Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Unix(b.now.Load(), 0) },
	})
}

func request(key, body string) *once.Request {
	return &once.Request{Method: "POST", Route: "/r", Key: key, Fingerprint: []byte(body)}
}

type result struct {
	N    int      `json:"n"`
	List []string `json:"list,omitempty"`
}

// counter is a record that each effect increments.
func counter(path string) ledger.Key { return ledger.Key{Tenant: tenant, Kind: "test", Path: path} }

func (b *bench) count(t *testing.T, path string) int {
	t.Helper()
	r, _, err := b.l.Get(t.Context(), counter(path))
	if err != nil {
		t.Fatal(err)
	}
	return len(r.Value)
}

func increment(ctx context.Context, tx *ledger.Tx, path string) (result, error) {
	r, _, err := tx.Get(ctx, counter(path))
	if err != nil {
		return result{}, err
	}
	body := append(append([]byte{}, r.Value...), 'x')
	return result{N: len(body), List: make([]string, len(body))}, tx.Put(counter(path), body)
}

func transact(ctx context.Context, k *once.Keeper, subject string, r *once.Request, path string) (result, bool, error) {
	return once.Transact(ctx, k, subject, r, func(tx *ledger.Tx) (result, error) { return increment(ctx, tx, path) })
}

func code(err error) string { return fault.CodeOf(err) }

func TestTransactHappensOnceInParallel(t *testing.T) {
	b := newBench(t)
	keepers := []*once.Keeper{b.keeper(), b.keeper()} // two processes
	var all sync.WaitGroup
	var first atomic.Int64
	for i := range 20 {
		all.Go(func() {
			out, replayed, err := transact(t.Context(), keepers[i%2], "alice", request("k", "p"), "c")
			if err != nil || out.N != 1 || len(out.List) != 1 {
				t.Errorf("%+v %v", out, err)
			}
			if !replayed {
				first.Add(1)
			}
		})
	}
	all.Wait()
	if n := b.count(t, "c"); n != 1 || first.Load() != 1 {
		t.Errorf("%d effects, %d firsts", n, first.Load())
	}
}

func TestWhatMakesAnotherRequest(t *testing.T) {
	b := newBench(t)
	k := b.keeper()
	for i, c := range []struct {
		subject string
		r       *once.Request
		want    string // code; "" is a new effect, "again" a replay
	}{
		{"alice", request("k", "p"), ""},
		{"alice", request("k", "p"), "again"},
		{"alice", request("k", "q"), once.CodeReused},
		{"bob", request("k", "q"), ""},
		{"alice", request("l", "p"), ""},
		{"alice", &once.Request{Method: "DELETE", Route: "/r", Key: "k", Fingerprint: []byte("p")}, ""},
		{"alice", &once.Request{Method: "POST", Route: "/s", Key: "k", Fingerprint: []byte("p")}, ""},
		{"alic", &once.Request{Method: "ePOST", Route: "/r", Key: "k", Fingerprint: []byte("p")}, ""},
		{"alice", nil, ""}, {"alice", nil, ""},
	} {
		before := b.count(t, "c")
		_, replayed, err := transact(t.Context(), k, c.subject, c.r, "c")
		effects := b.count(t, "c") - before
		switch {
		case c.want == "again" && (err != nil || !replayed || effects != 0),
			c.want == "" && (err != nil || replayed || effects != 1),
			c.want == once.CodeReused && (code(err) != c.want || !errors.Is(err, fault.Precondition) || effects != 0):
			t.Errorf("%d: %v, replayed %t, %d effects", i, err, replayed, effects)
		}
	}
}

func TestExpiryIsCheckedAtUse(t *testing.T) {
	b := newBench(t)
	k := b.keeper()
	for _, c := range []struct {
		wait time.Duration
		want bool
	}{{0, false}, {24*time.Hour - time.Second, true}, {time.Second, false}, {0, true}} {
		b.now.Add(int64(c.wait.Seconds()))
		if _, replayed, err := transact(t.Context(), k, "alice", request("k", "p"), "c"); err != nil || replayed != c.want {
			t.Errorf("after %v: replayed %t %v", c.wait, replayed, err)
		}
	}
	b.now.Add(int64(24 * time.Hour / time.Second))
	if _, _, err := transact(t.Context(), k, "alice", request("k", "another"), "c"); err != nil {
		t.Errorf("an expired key is free for another request: %v", err)
	}
}

func TestFailuresAreNotKept(t *testing.T) {
	b := newBench(t)
	k := b.keeper()
	no := errors.New("no")
	out, replayed, err := once.Transact(t.Context(), k, "alice", request("k", "p"), func(*ledger.Tx) (result, error) { return result{N: 7}, no })
	if !errors.Is(err, no) || replayed || out.N != 0 {
		t.Errorf("%+v %t %v", out, replayed, err)
	}
	if _, replayed, err := transact(t.Context(), k, "alice", request("k", "other"), "c"); err != nil || replayed {
		t.Errorf("replayed %t %v", replayed, err)
	}
}

// A function that runs again must not leave anything of its first run in the result.
func TestNothingIsLeftOfALostRace(t *testing.T) {
	b := newBench(t)
	k := b.keeper()
	runs := 0
	out, replayed, err := once.Transact(t.Context(), k, "alice", request("k", "p"), func(tx *ledger.Tx) (result, error) {
		if runs++; runs == 1 {
			if _, _, err := tx.Get(t.Context(), counter("c")); err != nil {
				return result{}, err
			}
			if _, _, err := once.Transact(t.Context(), k, "alice", request("k", "p"), func(*ledger.Tx) (result, error) { return result{N: 1}, nil }); err != nil {
				return result{}, err
			}
			return result{N: 2, List: []string{"stale"}}, tx.Put(counter("c"), []byte("x"))
		}
		return result{}, errors.New("ran twice")
	})
	if err != nil || !replayed || out.N != 1 || out.List != nil {
		t.Errorf("%+v, replayed %t, %v", out, replayed, err)
	}
	if n := b.count(t, "c"); n != 0 {
		t.Errorf("%d effects", n)
	}
}

func TestGuardHappensOnceInParallel(t *testing.T) {
	b := newBench(t)
	k := b.keeper()
	var effects, done, busy atomic.Int64
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			out, _, err := once.Guard(t.Context(), k, "alice", request("k", "p"), func() (result, error) {
				time.Sleep(20 * time.Millisecond)
				return result{N: int(effects.Add(1))}, nil
			})
			switch {
			case err == nil && out.N == 1:
				done.Add(1)
			case code(err) == once.CodeInProgress && errors.Is(err, fault.Conflict):
				busy.Add(1)
			default:
				t.Errorf("%+v %v", out, err)
			}
		})
	}
	all.Wait()
	if effects.Load() != 1 || done.Load()+busy.Load() != 20 {
		t.Errorf("%d effects, %d done, %d busy", effects.Load(), done.Load(), busy.Load())
	}
	if out, replayed, err := once.Guard(t.Context(), k, "alice", request("k", "p"), func() (result, error) { return result{}, errors.New("ran") }); err != nil || !replayed || out.N != 1 {
		t.Errorf("%+v %t %v", out, replayed, err)
	}
}

func TestGuardAfterFailure(t *testing.T) {
	b := newBench(t)
	k := b.keeper()
	run := func(err error) error {
		_, _, err = once.Guard(t.Context(), k, "alice", request("k", "p"), func() (result, error) { return result{N: 1}, err })
		return err
	}
	if err := run(fault.New(fault.ProviderFailed, "no")); !errors.Is(err, fault.ProviderFailed) {
		t.Errorf("%v", err)
	}
	if err := run(fault.New(fault.Timeout, "slow")); !errors.Is(err, fault.Timeout) { // the key was free again
		t.Errorf("%v", err)
	}
	if err := run(nil); code(err) != once.CodeUnknown { // and is not any more: nobody knows
		t.Errorf("%v", err)
	}
}

// A process that died in between leaves the record open. The next one is alone on
// the store, so nobody can be at it any more.
func TestGuardAfterCrash(t *testing.T) {
	b := newBench(t)
	k := b.keeper()
	ran := make(chan struct{})
	crash := func() {
		defer func() { _ = recover() }()
		_, _, _ = once.Guard(t.Context(), k, "alice", request("k", "p"), func() (result, error) {
			close(ran)
			panic("the process dies")
		})
	}
	crash()
	<-ran
	never := func() (result, error) { return result{}, errors.New("ran twice") }
	if _, _, err := once.Guard(t.Context(), k, "alice", request("k", "p"), never); code(err) != once.CodeInProgress {
		t.Errorf("the same process: %v", err)
	}
	if _, _, err := once.Guard(t.Context(), b.keeper(), "alice", request("k", "p"), never); code(err) != once.CodeUnknown {
		t.Errorf("the next process: %v", err)
	}
	b.now.Add(int64(24 * time.Hour / time.Second))
	if _, _, err := once.Guard(t.Context(), b.keeper(), "alice", request("k", "p"), func() (result, error) { return result{}, nil }); err != nil {
		t.Errorf("after a day: %v", err)
	}
}

func TestSweep(t *testing.T) {
	b := newBench(t)
	k := b.keeper()
	for i := range 230 { // more than two batches
		if _, _, err := transact(t.Context(), k, "alice", request(fmt.Sprintf("old%d", i), "p"), "c"); err != nil {
			t.Fatal(err)
		}
	}
	b.now.Add(int64(12 * time.Hour / time.Second))
	for i := range 5 {
		if _, _, err := transact(t.Context(), k, "alice", request(fmt.Sprintf("new%d", i), "p"), "c"); err != nil {
			t.Fatal(err)
		}
	}
	left := func() int {
		rs, err := b.l.Names(t.Context(), ledger.Under(tenant, "once", ""), 0)
		if err != nil {
			t.Fatal(err)
		}
		return len(rs)
	}
	for _, c := range []struct {
		wait time.Duration
		left int
	}{{0, 235}, {12 * time.Hour, 5}, {12 * time.Hour, 0}, {0, 0}} {
		b.now.Add(int64(c.wait.Seconds()))
		if err := k.Sweep(t.Context()); err != nil || left() != c.left {
			t.Errorf("after %v: %d left %v", c.wait, left(), err)
		}
	}
}
