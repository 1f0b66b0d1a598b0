package yamlfile_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/yamlfile"
)

func value(t testing.TB, text string) secret.Value {
	t.Helper()
	v, err := secret.ParseValue([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func put(t *testing.T, s *yamlfile.Store, path, text string) {
	t.Helper()
	if _, err := s.Put(context.Background(), at(path), value(t, text), nil); err != nil {
		t.Fatalf("put %s: %v", path, err)
	}
}

func reads(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Fatalf("file is %v\n%s\nwant\n%s", err, got, want)
	}
}

const handmade = `# secrets of the developers

other:
  token: "007" # with quotes
  mask: 0x1F
secret:
  # the database
  db:
    user: app # read only
    pass: 'old' # rotate me
    port: 5432
    since: 2026-01-02
  api: {key: k, list: [1, 2]}
  last: |
    line one
    line two
`

func TestPutChangesOneMemberAndNothingElse(t *testing.T) {
	s, path := file(t, handmade)
	put(t, s, "db", `{"port":5432,"pass":"new","user":"app","since":"2026-01-02","added":{"x":1}}`)
	want := strings.Replace(handmade, "pass: 'old' #", "pass: new #", 1)
	want = strings.Replace(want, "since: 2026-01-02\n", "since: 2026-01-02\n    added:\n      x: 1\n", 1)
	reads(t, path, want)
}

func TestPutOfTheSameValueKeepsTheText(t *testing.T) {
	s, path := file(t, handmade)
	for _, p := range []string{"db", "api"} {
		put(t, s, p, get(t, s, p))
	}
	reads(t, path, handmade)
}

func TestPutReplacesTheMap(t *testing.T) {
	s, path := file(t, handmade)
	put(t, s, "db", `{"pass":"only"}`)
	put(t, s, "api", `{"nested":{"a":null}}`)
	put(t, s, "last", `{"was":"text"}`)
	if got := get(t, s, "db") + get(t, s, "api") + get(t, s, "last"); got != `{"pass":"only"}{"nested":{"a":null}}{"was":"text"}` {
		t.Fatal(got)
	}
	text, _ := os.ReadFile(path)
	for _, kept := range []string{"# secrets of the developers", `token: "007" # with quotes`, "mask: 0x1F", "# the database", "# rotate me"} {
		if !strings.Contains(string(text), kept) {
			t.Errorf("lost %q in\n%s", kept, text)
		}
	}
	for _, gone := range []string{"read only", "5432", "line one"} {
		if strings.Contains(string(text), gone) {
			t.Errorf("kept %q in\n%s", gone, text)
		}
	}
}

func TestDeleteRemovesTheNodeAlone(t *testing.T) {
	s, path := file(t, handmade)
	if err := s.Delete(context.Background(), at("db"), nil); err != nil {
		t.Fatal(err)
	}
	from, to := strings.Index(handmade, "  # the database"), strings.Index(handmade, "  api:")
	reads(t, path, handmade[:from]+handmade[to:])
	for _, absent := range []string{"db", "db/user", "api/key/deeper", "unknown"} {
		kind(t, s.Delete(context.Background(), at(absent), nil), fault.NotFound)
	}
	if err := s.Delete(context.Background(), at("last"), nil); err != nil {
		t.Fatalf("delete of a scalar node: %v", err)
	}
	reads(t, path, handmade[:from]+handmade[to:strings.Index(handmade, "  last:")])
}

func TestPutBelowWhatIsNoMapIsInvalid(t *testing.T) {
	s, path := file(t, handmade)
	for _, p := range []string{"last/x", "db/user/x", "api/list/0", "db/since/a/b"} {
		_, err := s.Put(context.Background(), at(p), value(t, `{"k":"`+canary+`"}`), nil)
		kind(t, err, fault.Invalid)
	}
	reads(t, path, handmade)
}

func TestWritesDoNotReachThroughAliases(t *testing.T) {
	s, _ := file(t, "base: &b {k: old}\nsecret:\n  one: *b\n  two: {<<: *b, x: 1}\n")
	put(t, s, "one", `{"k":"new"}`)
	put(t, s, "two", `{"x":2}`)
	if got := get(t, s, "one") + get(t, s, "two"); got != `{"k":"new"}{"x":2}` {
		t.Fatal(got)
	}
	base := secret.Ref{Tenant: tenant, Mount: "base", Path: "k"}
	if got, err := s.Get(context.Background(), base, 0); err != nil || string(got.Value.Reveal()) != `"old"` {
		t.Fatalf("the shared map changed: %v", err)
	}
}

func TestIndentationIsKept(t *testing.T) {
	s, path := file(t, "secret:\n    a:\n        k: v\n")
	put(t, s, "b", `{"k":"v"}`)
	reads(t, path, "secret:\n    a:\n        k: v\n    b:\n        k: v\n")
}

func TestFirstWriteCreatesThePrivateFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secrets.yaml")
	s := open(t, path)
	put(t, s, "app/api", `{"token":"t","pem":"-----BEGIN\nabc\n-----END\n"}`)
	reads(t, path, "secret:\n  app:\n    api:\n      token: t\n      pem: |\n        -----BEGIN\n        abc\n        -----END\n")
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Fatalf("directory holds %v, %v", entries, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
}

func TestWriteTightensTheMode(t *testing.T) {
	s, path := file(t, handmade)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	put(t, s, "p", `{"k":"v"}`)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode is %v, %v", info.Mode(), err)
	}
}

func TestLeftoverOfAKilledWriterIsReplaced(t *testing.T) {
	s, path := file(t, handmade)
	outside := filepath.Join(t.TempDir(), "outside")
	write(t, outside, "untouched")
	if err := os.Symlink(outside, path+".tmp"); err != nil {
		t.Fatal(err)
	}
	put(t, s, "p", `{"k":"v"}`)
	reads(t, outside, "untouched")
	if got := get(t, s, "p"); got != `{"k":"v"}` {
		t.Fatal(got)
	}
}

func TestFailedWriteLeavesTheFileAndSaysNothing(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "missing-"+canary, "secrets.yaml"))
	_, err := s.Put(context.Background(), at("p"), value(t, `{"k":"v"}`), nil)
	kind(t, err, fault.ProviderFailed)
	s, path := file(t, handmade)
	if err := os.MkdirAll(path+".tmp/in the way", 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = s.Put(context.Background(), at("p"), value(t, `{"k":"v"}`), nil)
	kind(t, err, fault.ProviderFailed)
	reads(t, path, handmade)
}

func TestWaitingWriterHeedsItsContext(t *testing.T) {
	s, path := file(t, handmade)
	free := holdLock(t, path)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	for range 2 { // the first waits for the lock, the second for the first
		_, err := s.Put(ctx, at("p"), value(t, `{"k":"late"}`), nil)
		if !errors.Is(err, fault.Timeout) {
			t.Fatalf("put under a held lock: %v", err)
		}
	}
	reads(t, path, handmade)
	if got := get(t, s, "db/port"); got != "5432" {
		t.Fatalf("a reader waited or failed: %s", got)
	}
	free()
	put(t, s, "p", `{"k":"in time"}`)
}
