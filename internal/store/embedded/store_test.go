package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/embedded"
)

func open(t testing.TB) (*ledger.Ledger, *embedded.Store) {
	t.Helper()
	l := ledgertest.Open(t, nil)
	return l, embedded.New(l, secretOnly)
}

func mustPut(t testing.TB, s secret.Store, path, text string) secret.VersionInfo {
	t.Helper()
	v, err := s.Put(context.Background(), ref("a", path), value(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func wantKind(t testing.TB, err error, kind fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind {
		t.Fatalf("got %v, want %v", err, kind)
	}
}

// stored counts the records of a tenant, of whatever kind the engine keeps.
func stored(t testing.TB, l *ledger.Ledger, tenant string) (names []string) {
	t.Helper()
	for _, kind := range []ledger.Kind{"meta", "version", "mount"} {
		rs, err := l.Names(context.Background(), ledger.Under(tenant, kind, ""), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rs {
			names = append(names, fmt.Sprintf("%s %s@%d", kind, r.Key.Path, r.Key.Version))
		}
	}
	return names
}

// everyVerb calls each verb on one address and gives what each answered.
func everyVerb(ctx context.Context, s secret.Store, at secret.Ref) map[string]error {
	out := map[string]error{}
	_, out["get"] = s.Get(ctx, at, 0)
	_, out["put"] = s.Put(ctx, at, value("x"), nil)
	out["delete"] = s.Delete(ctx, at, nil)
	_, out["undelete"] = s.Undelete(ctx, at, []int64{1})
	_, out["destroy"] = s.Destroy(ctx, at, secret.Selection{Versions: []int64{1}})
	_, out["purge"] = s.Destroy(ctx, at, secret.Selection{All: true})
	_, out["meta"] = s.Meta(ctx, at)
	_, out["set meta"] = s.SetMeta(ctx, at, secret.MetaChange{Replace: map[string]string{"a": "b"}})
	_, out["list"] = s.List(ctx, at, secret.ListOptions{})
	return out
}

func TestE22IllegalPathsLeaveNoKey(t *testing.T) {
	l, s := open(t)
	for _, path := range []string{
		"..", ".", "a/../b", "a/./b", "a//b", "/a", "a/", "%2e%2e/x", "a%2fb", "a*", "*", "+", "a/+/b", "a\x00b", "a b",
		"a\\b", "a#b", "a?b", "ä", "a\x7fb", "a\nb", strings.Repeat("a", 256), strings.Repeat("a/", 512) + "b",
	} {
		for verb, err := range everyVerb(t.Context(), s, ref("a", path)) {
			if fault.KindOf(err) != fault.Invalid || err == nil {
				t.Errorf("%s of %q: %v", verb, path, err)
			}
		}
	}
	for _, at := range []secret.Ref{
		{Tenant: "", Mount: "secret", Path: "x"}, {Tenant: "A", Mount: "secret", Path: "x"}, {Tenant: "_", Mount: "secret", Path: "x"},
		{Tenant: "a\x00b", Mount: "secret", Path: "x"}, {Tenant: "a", Mount: "", Path: "x"}, {Tenant: "a", Mount: "se/cret", Path: "x"},
	} {
		for verb, err := range everyVerb(t.Context(), s, at) {
			if fault.KindOf(err) != fault.Invalid || err == nil {
				t.Errorf("%s of %q: %v", verb, at.String(), err)
			}
		}
	}
	if names := stored(t, l, "a"); len(names) != 0 {
		t.Fatalf("stored are %q", names)
	}
	mustPut(t, s, strings.Repeat("a/", 511)+"bb", "longest")
}

func TestUnknownMountIsNotFound(t *testing.T) {
	l, s := open(t)
	for verb, err := range everyVerb(t.Context(), s, secret.Ref{Tenant: "a", Mount: "other", Path: "x"}) {
		if fault.KindOf(err) != fault.NotFound || err == nil {
			t.Errorf("%s: %v", verb, err)
		}
	}
	wantKind(t, s.SetMount(t.Context(), "a", "other", secret.MountSettings{}), fault.NotFound)
	_, err := s.Mount(t.Context(), "a", "other")
	wantKind(t, err, fault.NotFound)
	if names := stored(t, l, "a"); len(names) != 0 {
		t.Fatalf("stored are %q", names)
	}
}

func TestMountSettings(t *testing.T) {
	_, s := open(t)
	if m, err := s.Mount(t.Context(), "a", "secret"); err != nil || m != (secret.MountSettings{}) {
		t.Fatalf("%+v, %v", m, err)
	}
	set := secret.MountSettings{MaxVersions: 3, CASRequired: true, DeleteVersionAfter: time.Hour, MetaCASRequired: true}
	if err := s.SetMount(t.Context(), "a", "secret", set); err != nil {
		t.Fatal(err)
	}
	if m, err := s.Mount(t.Context(), "a", "secret"); err != nil || m != set {
		t.Fatalf("%+v, %v", m, err)
	}
	if m, err := s.Mount(t.Context(), "ab", "secret"); err != nil || m != (secret.MountSettings{}) {
		t.Fatalf("another tenant's mount: %+v, %v", m, err)
	}
	_, err := s.Put(t.Context(), ref("a", "x"), value("x"), nil)
	wantKind(t, err, fault.CASRequired)
	for _, n := range []int64{-1, secret.MaxMaxVersions + 1} {
		wantKind(t, s.SetMount(t.Context(), "a", "secret", secret.MountSettings{MaxVersions: n}), fault.Invalid)
	}
}

func TestPruneAndPurgeLeaveNoRecord(t *testing.T) {
	l, s := open(t)
	if err := s.SetMount(t.Context(), "a", "secret", secret.MountSettings{MaxVersions: 3}); err != nil {
		t.Fatal(err)
	}
	for range 7 {
		mustPut(t, s, "p", "x")
	}
	mustPut(t, s, "p2", "x")
	mustPut(t, s, "p/below", "x")
	if got := strings.Join(stored(t, l, "a"), ", "); got != "meta secret/p@0, meta secret/p/below@0, meta secret/p2@0, "+
		"version secret/p@5, version secret/p@6, version secret/p@7, version secret/p/below@1, version secret/p2@1, mount secret@0" {
		t.Fatal(got)
	}
	if _, err := s.Destroy(t.Context(), ref("a", "p"), secret.Selection{Versions: []int64{6}}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(stored(t, l, "a"), ", "); strings.Contains(got, "secret/p@6") || !strings.Contains(got, "secret/p@5") {
		t.Fatal(got)
	}
	if _, err := s.Destroy(t.Context(), ref("a", "p"), secret.Selection{All: true}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(stored(t, l, "a"), ", "); got != "meta secret/p/below@0, meta secret/p2@0, version secret/p/below@1, version secret/p2@1, mount secret@0" {
		t.Fatal(got)
	}
}

// A list of versions may name a thousand, none of them neighbours.
func TestDestroyManyVersions(t *testing.T) {
	l, s := open(t)
	if err := s.SetMount(t.Context(), "a", "secret", secret.MountSettings{MaxVersions: secret.MaxMaxVersions}); err != nil {
		t.Fatal(err)
	}
	const n = 400
	var even []int64
	for i := range int64(n) {
		mustPut(t, s, "p", "x")
		if i%2 == 1 {
			even = append(even, i+1)
		}
	}
	if ignored, err := s.Destroy(t.Context(), ref("a", "p"), secret.Selection{Versions: append(even, n+1)}); err != nil || len(ignored) != 1 {
		t.Fatal(ignored, err)
	}
	if got := len(stored(t, l, "a")); got != 2+n/2 {
		t.Fatalf("%d records are left", got)
	}
	_, err := s.Get(t.Context(), ref("a", "p"), 2)
	wantKind(t, err, fault.Destroyed)
	if _, err := s.Get(t.Context(), ref("a", "p"), 3); err != nil {
		t.Fatal(err)
	}
}

// Several mutations of one transaction see each other and commit together.
func TestSeveralMutationsAreOne(t *testing.T) {
	l, s := open(t)
	mustPut(t, s, "from", "moved")
	mustPut(t, s, "to", "old")
	move := func(fail error) error {
		_, err := l.Txn(t.Context(), func(tx *ledger.Tx) error {
			in := s.In(tx)
			got, err := in.Get(t.Context(), ref("a", "from"), 0)
			if err != nil {
				return err
			}
			for _, path := range []string{"from", "to"} {
				if _, err := in.Destroy(t.Context(), ref("a", path), secret.Selection{All: true}); err != nil {
					return err
				}
			}
			if _, err := in.Get(t.Context(), ref("a", "to"), 0); fault.KindOf(err) != fault.NotFound {
				t.Errorf("purged in this transaction, yet %v", err)
			}
			v, err := in.Put(t.Context(), ref("a", "to"), got.Value, nil)
			if err != nil || v.Version != 1 {
				t.Errorf("version %d, %v", v.Version, err)
			}
			if again, err := in.Get(t.Context(), ref("a", "to"), 1); err != nil || !again.Value.Equal(got.Value) {
				t.Errorf("own write is %v, %v", again, err)
			}
			return fail
		})
		return err
	}
	stop := errors.New("changed its mind")
	if err := move(stop); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), ref("a", "to"), 0); err != nil || !got.Value.Equal(value("old")) {
		t.Fatal(got, err)
	}
	if err := move(nil); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), ref("a", "to"), 0); err != nil || !got.Value.Equal(value("moved")) || got.Version.Version != 1 {
		t.Fatal(got, err)
	}
	_, err := s.Get(t.Context(), ref("a", "from"), 0)
	wantKind(t, err, fault.NotFound)
}

func TestListOfBigFolders(t *testing.T) {
	l, s := open(t)
	const leaves, folders = 3000, 150
	fill(t, l, s, leaves, func(i int) string { return fmt.Sprintf("big/leaf-%05d", i) })
	fill(t, l, s, folders*10, func(i int) string { return fmt.Sprintf("big/folder-%03d/%d", i%folders, i) })
	began := time.Now()
	all, err := s.List(t.Context(), ref("a", "big"), secret.ListOptions{})
	if err != nil || len(all) != leaves+folders || all[0] != "folder-000/" || all[folders] != "leaf-00000" {
		t.Fatalf("%d names, %v", len(all), err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the list took %v", took)
	}
	for _, limit := range []int{7, 1000} {
		var paged []string
		for after := ""; ; {
			page, err := s.List(t.Context(), ref("a", "big"), secret.ListOptions{After: after, Limit: limit})
			if err != nil || len(page) > limit {
				t.Fatalf("page of %d, %v", len(page), err)
			}
			if len(page) == 0 {
				break
			}
			paged, after = append(paged, page...), page[len(page)-1]
		}
		if strings.Join(paged, " ") != strings.Join(all, " ") {
			t.Fatalf("pages of %d give %d names of %d", limit, len(paged), len(all))
		}
	}
	deep, err := s.List(t.Context(), ref("a", ""), secret.ListOptions{Recursive: true})
	if err != nil || len(deep) != leaves+folders*10 {
		t.Fatalf("%d leaves, %v", len(deep), err)
	}
}

// fill puts many keys, a hundred and twenty a transaction.
func fill(t testing.TB, l *ledger.Ledger, s *embedded.Store, n int, path func(int) string) {
	t.Helper()
	const some = 120
	var wg sync.WaitGroup
	for from := 0; from < n; from += some {
		wg.Go(func() {
			_, err := l.Txn(context.Background(), func(tx *ledger.Tx) error {
				for i := from; i < min(from+some, n); i++ {
					if _, err := s.In(tx).Put(context.Background(), ref("a", path(i)), value("x"), nil); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// A list that needs several reads shows one state.
func TestListIsOneSnapshot(t *testing.T) {
	l, s := open(t)
	fill(t, l, s, 300, func(i int) string { return fmt.Sprintf("f/k%03d", i) })
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { // one key wanders from the front to the back and back
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			from, to := "f/a", "f/z"
			if i%2 == 1 {
				from, to = to, from
			}
			_, err := l.Txn(context.Background(), func(tx *ledger.Tx) error {
				if _, err := s.In(tx).Destroy(context.Background(), ref("a", from), secret.Selection{All: true}); err != nil {
					return err
				}
				_, err := s.In(tx).Put(context.Background(), ref("a", to), value("x"), nil)
				return err
			})
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 200 {
		names, err := s.List(t.Context(), ref("a", "f"), secret.ListOptions{})
		if err != nil || (len(names) != 301 && len(names) != 300) {
			t.Fatalf("%d names, %v", len(names), err)
		}
		if len(names) == 301 && (names[0] == "a") == (names[300] == "z") {
			t.Fatal("the wandering key is nowhere or twice")
		}
	}
	close(done)
	wg.Wait()
}

// Purging and writing again must never show a value under another life's metadata.
func TestGetIsOneSnapshot(t *testing.T) {
	_, s := open(t)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			text := fmt.Sprint(i)
			_, err := s.Destroy(context.Background(), ref("a", "p"), secret.Selection{All: true})
			if err == nil {
				_, err = s.SetMeta(context.Background(), ref("a", "p"), secret.MetaChange{Replace: map[string]string{"life": text}})
			}
			if err == nil {
				_, err = s.Put(context.Background(), ref("a", "p"), value(text), nil)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	seen := 0
	for i := 0; i < 5000 || seen < 20 && i < 100_000; i++ {
		got, err := s.Get(t.Context(), ref("a", "p"), 0)
		if fault.KindOf(err) == fault.NotFound && err != nil {
			continue
		}
		if seen++; err != nil || textOf(got.Value) != got.Custom["life"] {
			t.Fatalf("value of life %s under metadata of life %s, %v", textOf(got.Value), got.Custom["life"], err)
		}
	}
	close(done)
	wg.Wait()
	if seen == 0 {
		t.Fatal("nothing was read")
	}
}

func TestE24DamagedVersionAloneIsCorrupt(t *testing.T) {
	l, s := open(t)
	mustPut(t, s, "p", "one")
	mustPut(t, s, "p", "two")
	// The record of version 2 is lost: metadata still names it.
	if _, err := l.Txn(t.Context(), func(tx *ledger.Tx) error {
		return tx.Delete(ledger.Key{Tenant: "a", Kind: "version", Path: "secret/p", Version: 2})
	}); err != nil {
		t.Fatal(err)
	}
	_, err := s.Get(t.Context(), ref("a", "p"), 0)
	wantKind(t, err, fault.Corrupt)
	if got, err := s.Get(t.Context(), ref("a", "p"), 1); err != nil || !got.Value.Equal(value("one")) {
		t.Fatal(got, err)
	}
}

func TestE25StaleIsReported(t *testing.T) {
	l, s := open(t)
	mustPut(t, s, "p", "one")
	if _, err := l.RotateDataKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), ref("a", "p"), 0); err != nil || !got.Stale {
		t.Fatal(got.Stale, err)
	}
	mustPut(t, s, "p", "two")
	if got, err := s.Get(t.Context(), ref("a", "p"), 0); err != nil || got.Stale {
		t.Fatal(got.Stale, err)
	}
}
