package timed_test

import (
	"slices"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/embedded"
	"github.com/coffer-dev/coffer/internal/store/storetest"
	"github.com/coffer-dev/coffer/internal/store/timed"

	"github.com/coffer-dev/coffer/internal/ledger"
)

func TestEveryVerbIsTimed(t *testing.T) {
	var ops []string
	s := timed.Wrap(storetest.NewMemory(time.Now), func(op string, _ time.Duration) { ops = append(ops, op) })
	ctx, ref := t.Context(), secret.Ref{Tenant: "a", Mount: "secret", Path: "x"}
	value, err := secret.ParseValue([]byte(`{"k":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(ctx, ref, value, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(ctx, ref, 0); err != nil || !got.Value.Equal(value) {
		t.Fatalf("%+v %v", got, err)
	}
	_, _ = s.Meta(ctx, ref)
	_, _ = s.SetMeta(ctx, ref, secret.MetaChange{})
	_, _ = s.List(ctx, secret.Ref{Tenant: "a", Mount: "secret"}, secret.ListOptions{})
	_ = s.Delete(ctx, ref, nil)
	_, _ = s.Undelete(ctx, ref, []int64{1})
	_, _ = s.Destroy(ctx, ref, secret.Selection{All: true})
	want := []string{"put", "get", "meta", "set_meta", "list", "delete", "undelete", "destroy"}
	if !slices.Equal(ops, want) {
		t.Fatalf("timed %q, want %q", ops, want)
	}
}

func TestTransactionsCanStillBeJoined(t *testing.T) {
	l := ledgertest.Open(t, nil)
	s := timed.Wrap(embedded.New(l, func(string, string) bool { return true }), func(string, time.Duration) {})
	joins, ok := s.(interface {
		In(*ledger.Tx) secret.Store
	})
	if !ok {
		t.Fatal("the timed engine cannot join a transaction")
	}
	ref := secret.Ref{Tenant: "a", Mount: "secret", Path: "x"}
	_, err := l.Txn(t.Context(), func(tx *ledger.Tx) error {
		_, err := joins.In(tx).Put(t.Context(), ref, secret.Stored([]byte(`{}`)), nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), ref, 0); err != nil {
		t.Fatal(err)
	}
	if _, ok := timed.Wrap(storetest.NewMemory(time.Now), nil).(interface {
		In(*ledger.Tx) secret.Store
	}); ok {
		t.Fatal("a store without transactions pretends to have them")
	}
}
