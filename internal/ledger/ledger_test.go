package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
)

func key(path string) ledger.Key { return ledger.Key{Tenant: "a", Kind: "thing", Path: path} }

func put(t *testing.T, l *ledger.Ledger, path, value string) ledger.Receipt {
	t.Helper()
	r, err := l.Txn(t.Context(), func(tx *ledger.Tx) error { return tx.Put(key(path), []byte(value)) })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTxnWritesAreReadBack(t *testing.T) {
	l := ledgertest.Open(t, nil)
	rec := put(t, l, "x", "one")
	got, ok, err := l.Get(t.Context(), key("x"))
	if err != nil || !ok || string(got.Value) != "one" || got.Revision != rec.Revision {
		t.Fatalf("got %+v %v %v, receipt %+v", got, ok, err, rec)
	}
	if _, ok, err := l.Get(t.Context(), key("y")); ok || err != nil {
		t.Fatalf("absent record: %v %v", ok, err)
	}
}

func TestTxnCountsWithoutLoss(t *testing.T) {
	l := ledgertest.Open(t, nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				_, err := l.Txn(context.Background(), func(tx *ledger.Tx) error {
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

func TestLogKeepsCommitOrderAcrossEpochs(t *testing.T) {
	l := ledgertest.Open(t, func(c *ledger.Config) { c.EpochEvents = 10 })
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 50 {
				_, err := l.Txn(context.Background(), func(tx *ledger.Tx) error {
					if err := tx.Emit("a", fmt.Appendf(nil, "%d-%d", i, j)); err != nil {
						return err
					}
					return tx.Emit("a", fmt.Appendf(nil, "%d-%d'", i, j))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var all []event.Entry
	after := int64(0)
	for {
		es, err := l.ReadLog(t.Context(), "a", after, 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(es.List) == 0 {
			break
		}
		all = append(all, es.List...)
		after = all[len(all)-1].Sequence
	}
	if len(all) != 400 {
		t.Fatalf("%d events, want 400", len(all))
	}
	seen := map[string]bool{}
	for i, e := range all {
		if i > 0 && e.Sequence <= all[i-1].Sequence {
			t.Fatalf("sequence %d after %d", e.Sequence, all[i-1].Sequence)
		}
		if seen[string(e.Body)] {
			t.Fatalf("event %s twice", e.Body)
		}
		seen[string(e.Body)] = true
	}
}
