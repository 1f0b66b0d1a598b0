package ledger_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/etcdnode"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
)

func openReady(t *testing.T, m *ledgertest.Members, change func(*ledger.Config)) *ledger.Ledger {
	t.Helper()
	l := m.Open(t, change)
	eventually(t, 15*time.Second, "a ready ledger", func() bool { return l.Ready(t.Context()) == nil })
	return l
}

func TestE33MembersStop(t *testing.T) {
	m := ledgertest.Cluster(t)
	l := openReady(t, m, func(c *ledger.Config) { c.CommitTimeout = 2 * time.Second })
	s := newSeen()
	follow(t, l, 0, s)
	tellFrom(t, l, 0, 5)
	s.wants(t, 0, 5)

	leader := m.Leader()
	m.Stop(leader)
	n := 5
	eventually(t, 20*time.Second, "writes with two members", func() bool {
		_, err := tell(l, "x", fmt.Sprint(n))
		if err != nil {
			unavailable(t, err)
		}
		return err == nil
	})
	tellFrom(t, l, n+1, n+5)
	s.wants(t, 5, n+5)
	want(t, l, "x", fmt.Sprint(n+4))

	other := (leader + 1) % 3
	m.Stop(other)
	_, err := tell(l, "x", "may be seen, once")
	if err == nil {
		t.Fatal("one member of three took a write")
	}
	unavailable(t, err)
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, _, err = l.Get(short, key("x"))
	if err == nil {
		t.Fatal("one member of three served a read that may be stale")
	}
	unavailable(t, err)
	if l.Ready(short) == nil {
		t.Fatal("ready without a quorum")
	}
	m.Start(other)
	eventually(t, 20*time.Second, "reads again", func() bool {
		_, _, err := l.Get(t.Context(), key("x"))
		return err == nil
	})
	m.Start(leader)
	eventually(t, 20*time.Second, "writes again", func() bool {
		_, err := tell(l, "end", "end")
		return err == nil
	})
	// The follower rode it out: the last event comes, each event came once.
	told := readAll(t, l, 0, 100)
	for range told[n+5:] {
		select {
		case <-s.events:
		case <-time.After(20 * time.Second):
			t.Fatal("the follower did not come back")
		}
	}
}

// unavailable holds a failure without quorum to the kinds that say so.
func unavailable(t *testing.T, err error) {
	t.Helper()
	if k := fault.KindOf(err); k != fault.Unavailable && k != fault.Timeout {
		t.Fatalf("got %v", err)
	}
}

// Whoever is held up while others write cannot commit what it prepared.
func TestE33LateWorkIsRejected(t *testing.T) {
	m := ledgertest.Cluster(t)
	slow, quick := openReady(t, m, nil), openReady(t, m, nil)
	put(t, slow, "owner", "nobody")
	runs := 0
	_, err := slow.Txn(t.Context(), func(tx *ledger.Tx) error {
		runs++
		r, _, err := tx.Get(t.Context(), key("owner"))
		if err != nil || string(r.Value) != "nobody" {
			return err
		}
		put(t, quick, "owner", "quick")
		return tx.Put(key("owner"), []byte("slow"))
	})
	if err != nil || runs != 2 {
		t.Fatalf("%d runs, %v", runs, err)
	}
	want(t, slow, "owner", "quick")
}

// Two ledgers see each other's acknowledged writes at once.
func TestE33ReadsAreNeverStale(t *testing.T) {
	m := ledgertest.Cluster(t)
	a, b := openReady(t, m, nil), openReady(t, m, nil)
	for i := range 100 {
		put(t, a, "x", fmt.Sprint(i))
		want(t, b, "x", fmt.Sprint(i))
	}
	if a.Alone() {
		t.Fatal("a ledger on a cluster thinks that it is alone")
	}
}

// Without the certificate that the members ask for, nobody gets in.
func TestClusterWantsTheClientCertificate(t *testing.T) {
	m := ledgertest.Cluster(t)
	bare := m.TLS.Clone()
	bare.Certificates = nil
	node, err := etcdnode.Open(t.Context(), etcdnode.Config{Endpoints: m.Endpoints, TLS: bare})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close() }) // it never connected
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := node.Client.Get(ctx, "x"); err == nil {
		t.Fatal("a client without certificate was served")
	}
}

func TestClusterUsageAndDefragment(t *testing.T) {
	m := ledgertest.Cluster(t)
	l := openReady(t, m, nil)
	put(t, l, "x", "x")
	if s := l.Stats(t.Context()); s.Used == 0 || s.Quota == 0 || s.Full {
		t.Fatalf("%+v", s)
	}
	node, err := etcdnode.Open(t.Context(), etcdnode.Config{Endpoints: m.Endpoints, TLS: m.TLS})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := node.Defragment(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, l, "x", "x")
}

func TestClusterLoadsAtOnce(t *testing.T) {
	l := openReady(t, ledgertest.Cluster(t), nil)
	put(t, l, "x", "1")
	runs := 0
	_, err := l.Txn(t.Context(), func(tx *ledger.Tx) error {
		runs++
		if err := tx.Load(t.Context(), key("x"), key("absent")); err != nil {
			return err
		}
		if runs == 1 {
			put(t, l, "x", "2")
		}
		x, ok, err := tx.Get(t.Context(), key("x"))
		if err != nil || !ok || string(x.Value) != fmt.Sprint(runs) {
			t.Errorf("run %d: %q, %v, %v", runs, x.Value, ok, err)
		}
		if _, ok, err := tx.Get(t.Context(), key("absent")); ok || err != nil {
			t.Errorf("absent record: %v, %v", ok, err)
		}
		if err := tx.Put(key("absent"), []byte("mine")); err != nil {
			return err
		}
		if r, ok, _ := tx.Get(t.Context(), key("absent")); !ok || string(r.Value) != "mine" {
			t.Errorf("own write hidden by what was loaded: %q", r.Value)
		}
		return nil
	})
	if err != nil || runs != 2 {
		t.Fatalf("%d runs, %v", runs, err)
	}
	_, err = l.Txn(t.Context(), func(tx *ledger.Tx) error { return tx.Load(t.Context(), ledger.Key{}) })
	wantKind(t, err, fault.Invalid)
}
