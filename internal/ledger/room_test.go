package ledger_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/etcdnode"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
)

func everything() []clientv3.OpOption { return []clientv3.OpOption{clientv3.WithFromKey()} }

// event64 is a text as it would look inside the list of events.
func event64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s))[:16] }

// A full quota stops what adds, and nothing else; deleting makes room again.
func TestQuota(t *testing.T) {
	l := openWithQuota(t, 24<<20)
	filler := strings.Repeat("f", 200<<10)
	n := 0
	for ; ; n++ {
		_, err := l.Txn(t.Context(), func(tx *ledger.Tx) error {
			return errors.Join(tx.Put(key(fmt.Sprint("fill/", n)), []byte(filler)), tx.Emit("a", []byte("filled")))
		})
		if err == nil {
			time.Sleep(2 * time.Millisecond) // the size that etcd tells lags behind
			continue
		}
		wantKind(t, err, fault.Unavailable)
		if fault.CodeOf(err) != ledger.CodeFull || !ledger.IsFull(err) {
			t.Fatal(err)
		}
		break
	}
	if n < 20 || n > 300 {
		t.Fatalf("full after %d records of 200 KiB", n)
	}
	s := l.Stats(t.Context())
	if !s.Full || s.Quota != 24<<20 || s.Used < 10<<20 {
		t.Fatalf("%+v", s)
	}
	if l.Ready(t.Context()) != nil {
		t.Fatal("a full store is not ready to read")
	}
	want(t, l, "fill/3", filler)
	// What frees room goes on, its event included.
	for i := range n * 3 / 4 {
		_, err := l.Txn(t.Context(), func(tx *ledger.Tx) error {
			return errors.Join(tx.Delete(key(fmt.Sprint("fill/", i))), tx.Emit("gone", []byte("deleted")))
		})
		if err != nil {
			t.Fatalf("delete %d: %v", i, err)
		}
	}
	eventually(t, 30*time.Second, "room again", func() bool {
		_, err := tell(l, "again", "small")
		return err == nil && !l.Stats(t.Context()).Full
	})
	want(t, l, fmt.Sprint("fill/", n-1), filler)
}

// Etcd's own alarm, raised by somebody who writes past the ledger, is answered alike
// and taken back once there is room.
func TestQuotaAlarm(t *testing.T) {
	l := openWithQuota(t, 16<<20)
	put(t, l, "x", "x")
	var err error
	for i := 0; err == nil; i++ {
		_, err = l.Etcd().Put(t.Context(), fmt.Sprint("foreign/", i), strings.Repeat("f", 2<<20))
	}
	if !errors.Is(err, rpctypes.ErrNoSpace) {
		t.Fatal(err)
	}
	_, err = tell(l, "y", "y")
	wantKind(t, err, fault.Unavailable)
	if !ledger.IsFull(err) {
		t.Fatal(err)
	}
	want(t, l, "x", "x")
	if _, err := l.Etcd().Delete(t.Context(), "foreign/", clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "the alarm gone", func() bool {
		_, err := tell(l, "y", "y")
		if err != nil && !ledger.IsFull(err) {
			t.Fatal(err)
		}
		return err == nil
	})
}

func openWithQuota(t *testing.T, bytes int64) *ledger.Ledger {
	t.Helper()
	dir := t.TempDir()
	newKEK(t, dir+"/kek")
	node, err := etcdnode.Open(t.Context(), etcdnode.Config{Dir: dir + "/etcd", QuotaBytes: bytes})
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.Open(t.Context(), ledger.Config{
		Node: node, KEKs: ledgertest.FileKEK(dir + "/kek"), CompactEvery: 500 * time.Millisecond, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	t.Cleanup(func() {
		l.Close()
		if err := node.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestDiskGuard(t *testing.T) {
	var free atomic.Int64
	free.Store(1 << 30)
	l := ledgertest.Open(t, func(c *ledger.Config) {
		c.DiskFree = func() (int64, error) { return free.Load(), nil }
		c.MinFree = 100 << 20
	})
	put(t, l, "x", "x")
	free.Store(99 << 20)
	eventually(t, 5*time.Second, "the guard", func() bool {
		_, err := tell(l, "y", "y")
		return ledger.IsFull(err) && l.Stats(t.Context()).Full
	})
	want(t, l, "x", "x")
	free.Store(1 << 30)
	eventually(t, 5*time.Second, "writes again", func() bool {
		_, err := tell(l, "y", "y")
		return err == nil
	})
}

func TestE30DestroyedIsGoneFromEveryRevision(t *testing.T) {
	l := ledgertest.Open(t, func(c *ledger.Config) { c.CompactEvery = 300 * time.Millisecond })
	victim := key("victim")
	var revisions []int64
	for i := range 3 {
		revisions = append(revisions, put(t, l, "victim", fmt.Sprint("secret ", i)).Revision)
	}
	cursor := mustTell(t, l, "other", "0").Sequence(0)
	rec, err := l.Txn(t.Context(), func(tx *ledger.Tx) error { return errors.Join(tx.Delete(victim), tx.Emit("b", nil)) })
	if err != nil {
		t.Fatal(err)
	}
	// Nothing else is written: compaction must come by itself.
	began := time.Now()
	for _, rev := range append(revisions, rec.Revision-1) {
		eventually(t, 5*time.Second, "compaction", func() bool {
			res, err := l.Etcd().Get(t.Context(), victim.Text(), clientv3.WithRev(rev))
			if err != nil && !errors.Is(err, rpctypes.ErrCompacted) {
				t.Fatal(err)
			}
			return err != nil || len(res.Kvs) == 0
		})
	}
	// The default pace is 20 s: two of them must be within the minute.
	if took := time.Since(began); took > 900*time.Millisecond {
		t.Errorf("two paces of 300 ms took %v", took)
	}
	mustTell(t, l, "other", "1")
	if left := readAll(t, l, cursor, 10); len(left) != 1 || len(readAll(t, l, 0, 10)) != 2 {
		t.Fatalf("a reader lost events: %d are left", len(left))
	}
}
