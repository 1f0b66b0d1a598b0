package ledger_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/etcdnode"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
	"github.com/coffer-dev/coffer/internal/seal/kek"
)

// What may happen to a commit.
const (
	passes   = iota
	lost     // it happens, the answer does not arrive
	dropped  // it never reaches etcd
	late     // it reaches etcd when release is called
	hopeless // as dropped, and all that follows fails too
)

// faulty stands between a ledger and etcd.
type faulty struct {
	clientv3.KV
	mu      sync.Mutex
	next    int
	held    []clientv3.Txn
	away    bool
	between func()
}

// arm decides on the next commit of records; what the ledger does for itself passes.
func (f *faulty) arm(fate int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = fate
}

func (f *faulty) Txn(ctx context.Context) clientv3.Txn {
	return &fated{Txn: f.KV.Txn(context.WithoutCancel(ctx)), f: f}
}

func (f *faulty) fate(records bool) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.away:
		return dropped
	case !records:
		return passes
	}
	fate := f.next
	f.next = passes
	f.away = fate == hopeless
	return fate
}

// release lets the commits that are late arrive, and says whether any happened.
func (f *faulty) release(t *testing.T) (happened bool) {
	t.Helper()
	for _, txn := range f.held {
		res, err := txn.Commit()
		if err != nil {
			t.Fatal(err)
		}
		happened = happened || res.Succeeded
	}
	return happened
}

type fated struct {
	clientv3.Txn
	f       *faulty
	records bool
}

func (x *fated) If(c ...clientv3.Cmp) clientv3.Txn  { x.Txn = x.Txn.If(c...); return x }
func (x *fated) Else(o ...clientv3.Op) clientv3.Txn { x.Txn = x.Txn.Else(o...); return x }

func (x *fated) Then(o ...clientv3.Op) clientv3.Txn {
	x.records = strings.Contains(string(o[0].KeyBytes()), "thing")
	x.Txn = x.Txn.Then(o...)
	return x
}

func (x *fated) Commit() (*clientv3.TxnResponse, error) {
	switch x.f.fate(x.records) {
	case passes:
		return x.Txn.Commit()
	case lost:
		if _, err := x.Txn.Commit(); err != nil {
			return nil, err
		}
	case late:
		x.f.held = append(x.f.held, x.Txn)
	}
	return nil, context.DeadlineExceeded
}

func openFaulty(t *testing.T, change func(*ledger.Config)) (*ledger.Ledger, *faulty) {
	t.Helper()
	dir := t.TempDir()
	if err := kek.CreateFile(dir + "/kek"); err != nil {
		t.Fatal(err)
	}
	node, err := etcdnode.Open(t.Context(), etcdnode.Config{Dir: dir + "/etcd", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	c := ledger.Config{Node: node, KEKs: ledgertest.FileKEK(dir + "/kek"), CommitTimeout: 500 * time.Millisecond}
	if change != nil {
		change(&c)
	}
	f := &faulty{}
	l := ledger.OpenWith(t.Context(), c, func(kv clientv3.KV) clientv3.KV { f.KV = kv; return f })
	t.Cleanup(func() {
		l.Close()
		if err := node.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, f
}

// once puts n+1 and its event; it must take effect exactly once.
func once(l *ledger.Ledger) (ledger.Receipt, error) {
	return l.Txn(context.Background(), func(tx *ledger.Tx) error {
		r, _, err := tx.Get(context.Background(), key("n"))
		if err != nil {
			return err
		}
		if err := tx.Put(key("n"), append(r.Value, '.')); err != nil {
			return err
		}
		return tx.Emit("a", []byte("told"))
	})
}

func TestE29AnswerLost(t *testing.T) {
	for name, fate := range map[string]int{"lost": lost, "dropped": dropped, "late": late} {
		t.Run(name, func(t *testing.T) {
			l, f := openFaulty(t, nil)
			f.arm(fate)
			rec, err := once(l)
			if err != nil {
				t.Fatal(err)
			}
			if fate == late && f.release(t) {
				t.Fatal("a commit happened after its epoch")
			}
			if r := want(t, l, "n", "."); r.Revision != rec.Revision {
				t.Fatalf("record of revision %d, receipt %d", r.Revision, rec.Revision)
			}
			told := readAll(t, l, 0, 10)
			if len(told) != 1 || told[0].Sequence != rec.Sequence(0) {
				t.Fatalf("log %+v, receipt %d", told, rec.Sequence(0))
			}
			if s := l.Stats(t.Context()); s.Ambiguous != 1 || s.Commits != 1 {
				t.Fatalf("%+v", s)
			}
		})
	}
}

// A commit without events is found by its mutation record, also when others moved the
// epoch on and swept in the meantime.
func TestE29MutationRecordOutlivesItsEpoch(t *testing.T) {
	c := &clock{}
	l, f := openFaulty(t, func(cfg *ledger.Config) { cfg.Now = c.Now })
	f.arm(lost)
	f.beforeLookUp(func() {
		for range 3 {
			if err := l.EndEpoch(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if err := l.Trim(t.Context()); err != nil {
			t.Error(err)
		}
	})
	runs := 0
	if _, err := l.Txn(t.Context(), func(tx *ledger.Tx) error {
		runs++
		return tx.Put(key("x"), nil)
	}); err != nil || runs != 1 {
		t.Fatalf("%d runs, %v", runs, err)
	}
	put(t, l, "y", "") // something for the epoch to end with
	if err := l.EndEpoch(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Advance(2 * ledger.Settle)
	put(t, l, "z", "")
	mutations := ledger.Under(ledger.System, "mutation", "")
	before, _ := l.Names(t.Context(), mutations, 0)
	if err := l.Trim(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, err := l.Names(t.Context(), mutations, 0)
	if err != nil || len(before) < 3 || len(after) != 1 {
		t.Fatalf("%d mutation records, then %d, %v", len(before), len(after), err)
	}
}

// beforeLookUp does something before the next look-up of a mutation record.
func (f *faulty) beforeLookUp(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.between = do
}

func (f *faulty) Get(ctx context.Context, k string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	if strings.HasPrefix(k, "_\x00mutation\x00") {
		f.mu.Lock()
		do := f.between
		f.between = nil
		f.mu.Unlock()
		if do != nil {
			do()
		}
	}
	return f.KV.Get(ctx, k, opts...)
}

func TestE29OutcomeThatCannotBeFoundIsATimeout(t *testing.T) {
	l, f := openFaulty(t, nil)
	f.arm(hopeless)
	_, err := once(l)
	wantKind(t, err, fault.Timeout)
	f.mu.Lock()
	f.away = false
	f.mu.Unlock()
	if _, err := once(l); err != nil {
		t.Fatal(err)
	}
	want(t, l, "n", ".")
}

// Many writers whose answers are lost at random count exactly.
func TestE29ManyLostAnswers(t *testing.T) {
	l, f := openFaulty(t, func(c *ledger.Config) { c.EpochEvents = 50 })
	stop := make(chan struct{})
	var wg, trouble sync.WaitGroup
	trouble.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(7 * time.Millisecond):
				f.arm([]int{lost, dropped}[i%2])
			}
		}
	})
	for range 8 {
		wg.Go(func() {
			for range 25 {
				if _, err := mustOnce(l); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	trouble.Wait()
	r, _, err := l.Get(t.Context(), key("n"))
	if n := len(readAll(t, l, 0, 50)); err != nil || len(r.Value) != 200 || n != 200 {
		t.Fatalf("%d increments, %d events, %v; want 200", len(r.Value), n, err)
	}
	if l.Stats(t.Context()).Ambiguous == 0 {
		t.Fatal("no answer was lost")
	}
}

// mustOnce repeats what certainly did not happen.
func mustOnce(l *ledger.Ledger) (ledger.Receipt, error) {
	for {
		if r, err := once(l); err == nil || fault.KindOf(err) != fault.Conflict {
			return r, err
		}
	}
}
