package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
)

func TestTxnWritesAreReadBack(t *testing.T) {
	l := ledgertest.Open(t, nil)
	rec := put(t, l, "x", "one")
	if got := want(t, l, "x", "one"); got.Revision != rec.Revision || got.Created != rec.Revision || got.Stale {
		t.Fatalf("got %+v, receipt %+v", got, rec)
	}
	if _, ok, err := l.Get(t.Context(), key("y")); ok || err != nil {
		t.Fatalf("absent record: %v %v", ok, err)
	}
	again := put(t, l, "x", "two")
	if got := want(t, l, "x", "two"); got.Created != rec.Revision || got.Revision != again.Revision {
		t.Fatalf("got %+v, receipt %+v", got, again)
	}
}

func TestTxnCountsWithoutLoss(t *testing.T) {
	l := ledgertest.Open(t, func(c *ledger.Config) { c.EpochEvents = 20 })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				_, err := l.Txn(t.Context(), func(tx *ledger.Tx) error {
					r, _, err := tx.Get(t.Context(), key("n"))
					if err != nil {
						return err
					}
					return tx.Put(key("n"), append(r.Value, '.'))
				})
				if err != nil && !errors.Is(err, fault.Conflict) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	r, _, err := l.Get(t.Context(), key("n"))
	if err != nil || len(r.Value) == 0 {
		t.Fatal(err)
	}
	if got, want := int64(len(r.Value)), l.Stats(t.Context()).Commits; got != want {
		t.Fatalf("%d increments are stored, %d were committed", got, want)
	}
}

func TestTxnWithoutEffect(t *testing.T) {
	l := ledgertest.Open(t, nil)
	put(t, l, "x", "kept")
	_, err := l.Txn(t.Context(), func(tx *ledger.Tx) error {
		tx.DeleteSpan(under(""))
		return errors.Join(tx.Put(key("y"), nil), tx.Emit("a", []byte("never")), errStop)
	})
	if !errors.Is(err, errStop) {
		t.Fatal(err)
	}
	rec, err := l.Txn(t.Context(), func(tx *ledger.Tx) error {
		_, _, err := tx.Get(t.Context(), key("x"))
		return err
	})
	if err != nil || rec != (ledger.Receipt{}) {
		t.Fatalf("reading alone gave %+v, %v", rec, err)
	}
	want(t, l, "x", "kept")
	if _, ok, _ := l.Get(t.Context(), key("y")); ok || len(readAll(t, l, 0, 10)) != 0 {
		t.Fatal("a transaction that failed left something behind")
	}
}

func TestTxnRefusesIllegalAddresses(t *testing.T) {
	l := ledgertest.Open(t, nil)
	for _, k := range []ledger.Key{{}, {Tenant: "a", Path: "x"}, {Kind: "k", Path: "x"}, key("x\x00y"), {Tenant: "a", Kind: "k", Version: -1}} {
		_, err := l.Txn(t.Context(), func(tx *ledger.Tx) error { return tx.Put(k, nil) })
		wantKind(t, err, fault.Invalid)
		_, err = l.Txn(t.Context(), func(tx *ledger.Tx) error { return tx.Delete(k) })
		wantKind(t, err, fault.Invalid)
		_, _, err = l.Get(t.Context(), k)
		wantKind(t, err, fault.Invalid)
	}
}

// A range that a transaction read must be at its commit as it was.
func TestTxnRangeIsProtected(t *testing.T) {
	remove := func(tx *ledger.Tx) error { return tx.Delete(key("r/2")) }
	for name, c := range map[string]struct {
		limit int
		write func(*ledger.Tx) error
		again bool
	}{
		"added between":           {0, func(tx *ledger.Tx) error { return tx.Put(key("r/15"), nil) }, true},
		"added at the end":        {0, func(tx *ledger.Tx) error { return tx.Put(key("r/9"), nil) }, true},
		"changed":                 {0, func(tx *ledger.Tx) error { return tx.Put(key("r/2"), nil) }, true},
		"removed":                 {0, remove, true},
		"replaced by another":     {0, func(tx *ledger.Tx) error { return errors.Join(remove(tx), tx.Put(key("r/25"), nil)) }, true},
		"added beside":            {0, func(tx *ledger.Tx) error { return tx.Put(key("r0"), nil) }, false},
		"added behind the limit":  {2, func(tx *ledger.Tx) error { return tx.Put(key("r/9"), nil) }, false},
		"changed behind limit":    {2, func(tx *ledger.Tx) error { return tx.Put(key("r/3"), nil) }, false},
		"added before the limit":  {2, func(tx *ledger.Tx) error { return tx.Put(key("r/0"), nil) }, true},
		"removed before limit":    {2, remove, true},
		"another tenant's record": {0, func(tx *ledger.Tx) error { return tx.Put(ledger.Key{Tenant: "ab", Kind: "thing", Path: "r/1"}, nil) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := ledgertest.Open(t, nil)
			for i := range 3 {
				put(t, l, fmt.Sprintf("r/%d", i+1), "")
			}
			runs := 0
			_, err := l.Txn(t.Context(), func(tx *ledger.Tx) error {
				runs++
				rs, err := tx.Range(t.Context(), under("r/"), c.limit)
				if err != nil {
					return err
				}
				if runs == 1 {
					if _, err := l.Txn(t.Context(), c.write); err != nil {
						return err
					}
				}
				return tx.Put(key("sum"), fmt.Append(nil, len(rs)))
			})
			if err != nil || (runs > 1) != c.again {
				t.Fatalf("%d runs, %v", runs, err)
			}
		})
	}
}

func TestTxnReadsOneSnapshot(t *testing.T) {
	l := ledgertest.Open(t, nil)
	put(t, l, "x", "1")
	put(t, l, "y", "1")
	runs := 0
	_, err := l.Txn(t.Context(), func(tx *ledger.Tx) error {
		runs++
		x, _, err := tx.Get(t.Context(), key("x"))
		if err != nil {
			return err
		}
		if runs == 1 {
			put(t, l, "y", "2")
			put(t, l, "z", "2")
		}
		y, _, err := tx.Get(t.Context(), key("y"))
		if err != nil {
			return err
		}
		names, err := tx.Names(t.Context(), under(""), 0)
		if runs == 1 && (string(x.Value)+string(y.Value) != "11" || len(names) != 2) {
			t.Errorf("first run saw x=%s y=%s and %d names", x.Value, y.Value, len(names))
		}
		return errors.Join(err, tx.Put(key("sum"), nil))
	})
	if err != nil || runs != 2 {
		t.Fatalf("%d runs, %v", runs, err)
	}
}

func TestTxnSeesItsOwnWrites(t *testing.T) {
	l := ledgertest.Open(t, nil)
	put(t, l, "r/1", "old")
	put(t, l, "r/2", "old")
	put(t, l, "keep", "old")
	_, err := l.Txn(t.Context(), func(tx *ledger.Tx) error {
		see := func(path, value string) {
			r, ok, err := tx.Get(t.Context(), key(path))
			if err != nil || ok != (value != "") || string(r.Value) != value {
				t.Errorf("%s is %q, %v, %v; want %q", path, r.Value, ok, err, value)
			}
		}
		see("r/1", "old")
		tx.DeleteSpan(under("r/"))
		see("r/1", "")
		if err := tx.Put(key("r/2"), []byte("new")); err != nil {
			return err
		}
		see("r/2", "new")
		if err := errors.Join(tx.Put(key("t"), []byte("x")), tx.Delete(key("t")), tx.Delete(key("keep"))); err != nil {
			return err
		}
		see("t", "")
		see("keep", "")
		return tx.Put(key("keep"), []byte("kept"))
	})
	if err != nil {
		t.Fatal(err)
	}
	rs, err := l.Range(t.Context(), under(""), 0)
	got := ""
	for _, r := range rs {
		got += r.Key.Path + "=" + string(r.Value) + " "
	}
	if err != nil || got != "keep=kept r/2=new " {
		t.Fatalf("left are %q, %v", got, err)
	}
}

func TestTxnSizes(t *testing.T) {
	l := ledgertest.Open(t, nil)
	many := func(n int) error {
		_, err := l.Txn(t.Context(), func(tx *ledger.Tx) error {
			for i := range n {
				if err := tx.Put(key(fmt.Sprintf("many/%05d", i)), nil); err != nil {
					return err
				}
			}
			return tx.Emit("a", []byte("many"))
		})
		return err
	}
	if err := many(2000); err != nil {
		t.Fatal(err)
	}
	if names, err := l.Names(t.Context(), under("many/"), 0); err != nil || len(names) != 2000 {
		t.Fatalf("%d records, %v", len(names), err)
	}
	wantKind(t, many(20_000), fault.TooLarge)
	_, err := l.Txn(t.Context(), func(tx *ledger.Tx) error { return tx.Put(key("big"), bytes.Repeat([]byte("x"), 4<<20)) })
	wantKind(t, err, fault.TooLarge)
	_, err = l.Txn(t.Context(), func(tx *ledger.Tx) error {
		for range ledger.MaxEvents {
			if err := tx.Emit("a", nil); err != nil {
				return err
			}
		}
		return tx.Emit("a", nil)
	})
	wantKind(t, err, fault.TooLarge)
	_, err = l.Txn(t.Context(), func(tx *ledger.Tx) error {
		if _, err := tx.Names(t.Context(), under("many/"), 500); err != nil {
			return err
		}
		return tx.Put(key("x"), nil)
	})
	wantKind(t, err, fault.TooLarge)
	put(t, l, "after", strings.Repeat("y", 1<<20))
}

func TestTxnThatAlwaysLosesIsAConflict(t *testing.T) {
	l := ledgertest.Open(t, nil)
	_, err := l.Txn(t.Context(), func(tx *ledger.Tx) error {
		if _, _, err := tx.Get(t.Context(), key("x")); err != nil {
			return err
		}
		put(t, l, "x", "mine")
		return tx.Put(key("x"), []byte("yours"))
	})
	wantKind(t, err, fault.Conflict)
	want(t, l, "x", "mine")
	if s := l.Stats(t.Context()); s.Conflicts != 1 || s.Retries == 0 {
		t.Fatalf("%+v", s)
	}
}

// Compaction takes the snapshot of a transaction, and of a long read, away.
func TestCompactionUnderReaders(t *testing.T) {
	l := ledgertest.Open(t, func(c *ledger.Config) { c.CompactEvery = time.Hour })
	put(t, l, "x", "1")
	runs := 0
	_, err := l.Txn(t.Context(), func(tx *ledger.Tx) error {
		runs++
		if _, _, err := tx.Get(t.Context(), key("x")); err != nil {
			return err
		}
		if runs == 1 {
			compactNow(t, l)
		}
		_, _, err := tx.Get(t.Context(), key("y"))
		return errors.Join(err, tx.Put(key("z"), nil))
	})
	if err != nil || runs != 2 {
		t.Fatalf("%d runs, %v", runs, err)
	}
	s := l.Snapshot()
	if _, _, err := s.Get(t.Context(), key("x")); err != nil {
		t.Fatal(err)
	}
	compactNow(t, l)
	_, err = s.Range(t.Context(), under(""), 0)
	wantKind(t, err, fault.Unavailable)
}

// compactNow writes a little and drops every older revision.
func compactNow(t testing.TB, l *ledger.Ledger) {
	t.Helper()
	put(t, l, "c", "1")
	rec := put(t, l, "c", "2")
	if _, err := l.Etcd().Compact(t.Context(), rec.Revision); err != nil {
		t.Fatal(err)
	}
}

func TestSpansAreExact(t *testing.T) {
	l := ledgertest.Open(t, nil)
	for _, k := range []ledger.Key{
		{Tenant: "a", Kind: "k", Path: "app/x"}, {Tenant: "a", Kind: "k", Path: "apple/x"}, {Tenant: "ab", Kind: "k", Path: "app/x"},
		{Tenant: "a", Kind: "kk", Path: "app/x"}, {Tenant: "a", Kind: "k", Path: "v", Version: 2}, {Tenant: "a", Kind: "k", Path: "v", Version: 300},
		{Tenant: "a", Kind: "k", Path: "v2", Version: 1},
	} {
		if _, err := l.Txn(t.Context(), func(tx *ledger.Tx) error { return tx.Put(k, nil) }); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		span ledger.Span
		want string
	}{
		"prefix":        {ledger.Under("a", "k", "app/"), "app/x:0"},
		"all":           {ledger.Under("a", "k", ""), "app/x:0 apple/x:0 v:2 v:300 v2:1"},
		"other tenant":  {ledger.Under("ab", "k", ""), "app/x:0"},
		"versions":      {ledger.VersionsOf("a", "k", "v", 0, 0), "v:2 v:300"},
		"versions from": {ledger.VersionsOf("a", "k", "v", 3, 0), "v:300"},
		"versions to":   {ledger.VersionsOf("a", "k", "v", 1, 300), "v:2"},
		"after":         {ledger.Under("a", "k", "").After("a", "k", "apple/x", false), "v:2 v:300 v2:1"},
		"after folder":  {ledger.Under("a", "k", "").After("a", "k", "app", true), "v:2 v:300 v2:1"},
		"after before":  {ledger.Under("a", "k", "v").After("a", "k", "a", false), "v:2 v:300 v2:1"},
	} {
		rs, err := l.Names(t.Context(), c.span, 0)
		var got []string
		for _, r := range rs {
			got = append(got, fmt.Sprintf("%s:%d", r.Key.Path, r.Key.Version))
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
}
