package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
	"github.com/coffer-dev/coffer/internal/seal"
	"github.com/coffer-dev/coffer/internal/seal/kek"
)

func newKEK(t testing.TB, path string) {
	t.Helper()
	if err := kek.CreateFile(path); err != nil {
		t.Fatal(err)
	}
}

// raw counts what etcd holds and gives the newest revision.
func raw(t testing.TB, l *ledger.Ledger) (keys int, revision int64) {
	t.Helper()
	res, err := l.Etcd().Get(t.Context(), "\x00", everything()...)
	if err != nil {
		t.Fatal(err)
	}
	return len(res.Kvs), res.Header.Revision
}

func TestE27StartWithoutKEK(t *testing.T) {
	dir := t.TempDir()
	l := ledgertest.OpenAt(t, dir, dir+"/kek", nil)
	sealedTight := func() {
		t.Helper()
		_, err := tell(l, "x", "x")
		wantKind(t, err, fault.Unavailable)
		if fault.CodeOf(err) != ledger.CodeSealed {
			t.Fatalf("code %q", fault.CodeOf(err))
		}
		_, _, err = l.Get(t.Context(), key("x"))
		wantKind(t, err, fault.Unavailable)
		_, err = l.Range(t.Context(), under(""), 0)
		wantKind(t, err, fault.Unavailable)
		_, err = l.ReadLog(t.Context(), "a", 0, 1)
		wantKind(t, err, fault.Unavailable)
		_, err = l.RotateDataKey(t.Context())
		wantKind(t, err, fault.Unavailable)
		wantKind(t, l.Ready(t.Context()), fault.Unavailable)
		if !l.Stats(t.Context()).Sealed {
			t.Fatal("not sealed")
		}
		if n, rev := raw(t, l); n != 0 || rev != 1 {
			t.Fatalf("etcd holds %d keys at revision %d", n, rev)
		}
	}
	sealedTight()
	newKEK(t, dir+"/kek")
	eventually(t, 10*time.Second, "unsealing", func() bool { return l.Ready(t.Context()) == nil })
	mustTell(t, l, "x", "x")
}

func TestE27StartWithWrongKEK(t *testing.T) {
	dir := t.TempDir()
	newKEK(t, dir+"/right")
	newKEK(t, dir+"/kek")
	t.Run("first", func(t *testing.T) {
		mustTell(t, ledgertest.OpenAt(t, dir, dir+"/right", nil), "x", "x")
	})
	l := ledgertest.OpenAt(t, dir, dir+"/kek", nil)
	keys, rev := raw(t, l)
	_, err := tell(l, "x", "y")
	wantKind(t, err, fault.Unavailable)
	time.Sleep(1500 * time.Millisecond)
	wantKind(t, l.Ready(t.Context()), fault.Unavailable)
	if k, r := raw(t, l); k != keys || r != rev {
		t.Fatalf("%d keys at revision %d became %d at %d", keys, rev, k, r)
	}
	if err := os.Rename(dir+"/right", dir+"/kek"); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "unsealing", func() bool { return l.Ready(t.Context()) == nil })
	want(t, l, "x", "x")
}

func TestE25RotationUnderLoad(t *testing.T) {
	l := ledgertest.Open(t, func(c *ledger.Config) { c.EpochEvents = 100 })
	old := mustTell(t, l, "old", "kept")
	put(t, l, "quiet", "kept")
	stop := load(t, 8, l)
	id, err := l.RotateDataKey(t.Context())
	if err != nil || id != 2 {
		t.Fatalf("new key %d, %v", id, err)
	}
	if r := want(t, l, "old", "kept"); !r.Stale {
		t.Fatal("a record under the old key is not stale")
	}
	if s, err := l.Keyring(t.Context()); err != nil || len(s.Keys) != 2 || s.Stale == 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	wantKind(t, l.Retire(t.Context(), 1), fault.Conflict)
	wantKind(t, l.Retire(t.Context(), 2), fault.Conflict)
	wantKind(t, l.Retire(t.Context(), 7), fault.NotFound)
	log := readAll(t, l, 0, 50)
	eventually(t, 20*time.Second, "resealing", func() bool {
		s, err := l.Keyring(t.Context())
		return err == nil && s.Stale == 0
	})
	if err := l.Retire(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	n := stop()
	r := want(t, l, "old", "kept")
	if r.Stale || r.Created != old.Revision {
		t.Fatalf("after resealing %+v, created at %d", r, old.Revision)
	}
	after := readAll(t, l, 0, 50)
	if len(after) != n+1 {
		t.Fatalf("%d events, want %d", len(after), n+1)
	}
	for i, e := range log {
		if after[i].Sequence != e.Sequence || string(after[i].Body) != string(e.Body) {
			t.Fatalf("event %d changed by resealing", i)
		}
	}
	if s, err := l.Keyring(t.Context()); err != nil || len(s.Keys) != 1 || s.Keys[0].ID != 2 || l.Stats(t.Context()).Resealed == 0 {
		t.Fatalf("%+v, %v", s, err)
	}
}

// Seals are counted in the stored keyring whoever made them and however often it changes.
func TestSealsAreCounted(t *testing.T) {
	dir := t.TempDir()
	newKEK(t, dir+"/kek")
	var before uint64
	t.Run("first", func(t *testing.T) {
		l := ledgertest.OpenAt(t, dir, dir+"/kek", nil)
		for range 50 {
			put(t, l, "x", "x")
		}
		for range 3 {
			if err := l.Rewrap(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		s, err := l.Keyring(t.Context())
		if err != nil || s.Keys[0].Seals < 100 || s.Keys[0].Seals > 120 {
			t.Fatalf("%+v, %v", s, err)
		}
		before = s.Keys[0].Seals
	})
	l := ledgertest.OpenAt(t, dir, dir+"/kek", nil)
	s, err := l.Keyring(t.Context())
	if err != nil || s.Keys[0].Seals > before || s.Keys[0].Seals+10 < before || l.CountSeals() != 0 {
		t.Fatalf("%d seals before the restart, after it %+v, %v", before, s, err)
	}
}

// KEKs of several files, the first one active.
func fileKEKs(paths ...string) func(context.Context) ([]seal.KEK, error) {
	return func(context.Context) ([]seal.KEK, error) {
		var out []seal.KEK
		for _, p := range paths {
			k, err := kek.File(p)
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			out = append(out, k)
		}
		return out, nil
	}
}

func TestE26NewKEKOnThreeMembersUnderLoad(t *testing.T) {
	m := ledgertest.Cluster(t)
	dir := t.TempDir()
	newKEK(t, dir+"/old")
	var all []*ledger.Ledger
	for range 3 {
		all = append(all, m.Open(t, func(c *ledger.Config) {
			c.KEKs, c.EpochEvents = fileKEKs(dir+"/new", dir+"/old"), 100
		}))
	}
	for _, l := range all {
		eventually(t, 10*time.Second, "unsealing", func() bool { return l.Ready(t.Context()) == nil })
	}
	stop := load(t, 6, all...)
	time.Sleep(200 * time.Millisecond)
	newKEK(t, dir+"/new")
	if err := all[0].Rewrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	if _, err := all[1].RotateDataKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir+"/old", dir+"/withdrawn"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	if _, err := all[2].RotateDataKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := stop()
	if got := len(readAll(t, all[0], 0, 100)); n == 0 || got != n {
		t.Fatalf("%d events, %d writes", got, n)
	}
	late := m.Open(t, func(c *ledger.Config) { c.KEKs = fileKEKs(dir + "/withdrawn") })
	wantKind(t, late.Ready(t.Context()), fault.Unavailable)
	fresh := m.Open(t, func(c *ledger.Config) { c.KEKs = fileKEKs(dir + "/new") })
	if got := len(readAll(t, fresh, 0, 100)); got != n {
		t.Fatalf("the new key opens %d events of %d", got, n)
	}
}

func TestE24DamagedRecords(t *testing.T) {
	l := ledgertest.Open(t, nil)
	for _, k := range []ledger.Key{
		{Tenant: "a", Kind: "thing", Path: "x", Version: 1}, {Tenant: "a", Kind: "thing", Path: "x", Version: 2},
		{Tenant: "a", Kind: "thing", Path: "y", Version: 1}, {Tenant: "b", Kind: "thing", Path: "x", Version: 1},
		{Tenant: "a", Kind: "other", Path: "x", Version: 1}, {Tenant: "a", Kind: "thing", Path: "x"},
	} {
		if _, err := l.Txn(t.Context(), func(tx *ledger.Tx) error { return tx.Put(k, []byte("hidden "+k.Path)) }); err != nil {
			t.Fatal(err)
		}
	}
	from := ledger.Key{Tenant: "a", Kind: "thing", Path: "x", Version: 1}
	res, err := l.Etcd().Get(t.Context(), from.Text())
	if err != nil || len(res.Kvs) != 1 {
		t.Fatal(err)
	}
	genuine := string(res.Kvs[0].Value)
	damaged := 0
	breaks := func(name string, k ledger.Key, value string) {
		t.Helper()
		before, err := l.Etcd().Get(t.Context(), k.Text())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Etcd().Put(t.Context(), k.Text(), value); err != nil {
			t.Fatal(err)
		}
		_, _, err = l.Get(t.Context(), k)
		damaged++
		if fault.KindOf(err) != fault.Corrupt || strings.Contains(err.Error(), "hidden") || l.Stats(t.Context()).Corrupt < int64(damaged) {
			t.Errorf("%s: %v", name, err)
		}
		want(t, l, "x", "hidden x")
		if _, err := l.Etcd().Put(t.Context(), k.Text(), string(before.Kvs[0].Value)); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range []ledger.Key{
		{Tenant: "a", Kind: "thing", Path: "x", Version: 2}, {Tenant: "a", Kind: "thing", Path: "y", Version: 1},
		{Tenant: "b", Kind: "thing", Path: "x", Version: 1}, {Tenant: "a", Kind: "other", Path: "x", Version: 1},
	} {
		breaks("copied over "+fmt.Sprint(k), k, genuine)
	}
	for i := range len(genuine) {
		if i%7 == 0 || i < 14 {
			flipped := []byte(genuine)
			flipped[i] ^= 1 << (i % 8)
			breaks(fmt.Sprint("bit of byte ", i), from, string(flipped))
		}
	}
	breaks("cut off", from, genuine[:20])
	breaks("empty", from, "")
}

func TestE23NothingReadableOnDisk(t *testing.T) {
	dir := t.TempDir()
	newKEK(t, dir+"/kek")
	const canary = "canary-5d0c6f3a-in-the-vault"
	t.Run("write", func(t *testing.T) {
		l := ledgertest.OpenAt(t, dir, dir+"/kek", nil)
		for i := range 20 {
			mustTell(t, l, fmt.Sprint("named/", i), canary+strings.Repeat("x", i))
		}
		if _, err := l.RotateDataKey(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := l.Reseal(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	files, bytes, named := 0, 0, false
	err := filepath.WalkDir(dir+"/etcd", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files, bytes = files+1, bytes+len(data)
		if strings.Contains(string(data), canary) || strings.Contains(string(data), event64(canary)) {
			t.Errorf("%s holds the canary", d.Name())
		}
		named = named || strings.Contains(string(data), "named/7")
		return err
	})
	if err != nil || files < 2 || bytes < 10_000 || !named {
		t.Fatalf("%d files, %d bytes, names found %v, %v", files, bytes, named, err)
	}
}
