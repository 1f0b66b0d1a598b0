package vault_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/vault"
)

const metadata = `{"data":{"current_version":2,"current_metadata_version":4,"custom_metadata":{"a":"1","b":"2"},` +
	`"delete_version_after":"0s","versions":{"1":{"destroyed":true},"2":{}}}}`

// E15: a number that float64 would change never leaves.
func TestE15_NumbersThatWouldChange(t *testing.T) {
	b := newBench(t, always(200, `{"data":{"version":1}}`), nil)
	put := func(literal string) error {
		v, err := secret.ParseValue([]byte(`{"a":[{"n":` + literal + `}]}`))
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Put(context.Background(), ref("p"), v, nil)
		return err
	}
	for _, literal := range []string{
		"0", "-0", "-0.0", "1", "1.0", "1e3", "1E+3", "0.1", "-2.50", "100", "1e22", "1e-7", "9007199254740992",
		"12345678901234567000", "1.7976931348623157e308", "5e-324", "0e999", "0.000e-5000", "123.4560e2",
	} {
		if err := put(literal); err != nil {
			t.Errorf("%s is refused: %v", literal, err)
		}
	}
	sent := b.script.count()
	for _, literal := range []string{
		"9007199254740993", "12345678901234567890", "0.1000000000000000055", "1e400", "-1e400", "1e-400",
		"1e999999999999", "1e-99999999999999999999", "3.14159265358979323846",
	} {
		err := put(literal)
		b.fails(err, fault.Invalid)
		if fault.CodeOf(err) != "NUMBER_NOT_REPRESENTABLE" {
			t.Errorf("%s: code %q", literal, fault.CodeOf(err))
		}
	}
	if b.script.count() != sent {
		t.Error("a refused number was sent")
	}
}

func TestPutSendsTheValueAsItIs(t *testing.T) {
	b := newBench(t, always(200, `{"data":{"version":7,"created_time":"2026-01-02T03:04:05Z","deletion_time":""}}`), nil)
	v, err := b.Put(context.Background(), ref("p"), secret.Stored([]byte(`{"t":"<&>","n":1.0}`)), new(int64(6)))
	if err != nil || v.Version != 7 || v.Created.IsZero() {
		t.Fatalf("%v %+v", err, v)
	}
	if got := b.script.asked[0].body; got != `{"data":{"t":"<&>","n":1.0},"options":{"cas":6}}` {
		t.Errorf("sent %s", got)
	}
}

func TestRefusedWrites(t *testing.T) {
	for text, kind := range map[string]fault.Kind{
		"check-and-set parameter did not match the current version": fault.CASMismatch,
		"check-and-set parameter required for this call":            fault.CASRequired,
		"something about app/api":                                   fault.Invalid,
	} {
		b := newBench(t, func(q asked) said {
			if q.method == "GET" {
				return said{status: 200, body: metadata}
			}
			return said{status: 400, body: `{"errors":["` + text + `"]}`}
		}, nil)
		err := b.put()
		b.fails(err, kind)
		var v *secret.VersionError
		if errors.As(err, &v) != (kind == fault.CASMismatch) || v != nil && v.Current != 2 {
			t.Errorf("%s: %+v", text, v)
		}
	}
	b := newBench(t, always(400, `not JSON`), nil)
	b.fails(b.put(), fault.Invalid)
}

// The servers do not say what they ignored: metadata is read before.
func TestIgnoredVersions(t *testing.T) {
	b := newBench(t, func(q asked) said {
		if q.method == "GET" {
			return said{status: 200, body: metadata}
		}
		return said{status: 204}
	}, nil)
	ignored, err := b.Undelete(context.Background(), ref("p"), []int64{9, 2, 1, 9})
	if err != nil || !slices.Equal(ignored, []int64{1, 9}) {
		t.Fatalf("%v %v", err, ignored)
	}
	ignored, err = b.Destroy(context.Background(), ref("p"), secret.Selection{Versions: []int64{1, 3}})
	if err != nil || !slices.Equal(ignored, []int64{1, 3}) {
		t.Fatalf("%v %v", err, ignored)
	}
	b.asks("GET /v1/secret/metadata/p", "POST /v1/secret/undelete/p", "GET /v1/secret/metadata/p")
	if got := b.script.asked[1].body; got != `{"versions":[9,2,1,9]}` {
		t.Errorf("sent %s", got)
	}
}

func set(b *bench, c secret.MetaChange) (int64, error) {
	return b.SetMeta(context.Background(), ref("p"), c)
}

func TestCustomMetadataIsPatched(t *testing.T) {
	b := newBench(t, func(q asked) said {
		if q.method == "GET" {
			return said{status: 200, body: metadata}
		}
		return said{status: 204}
	}, nil)
	n, err := set(b, secret.MetaChange{Merge: map[string]*string{"a": nil, "c": new("3")}, MaxVersions: new(int64(5))})
	if err != nil || n != 4 {
		t.Fatalf("%v %d", err, n)
	}
	b.asks("PATCH /v1/secret/metadata/p", "GET /v1/secret/metadata/p")
	q := b.script.asked[0]
	if q.body != `{"custom_metadata":{"a":null,"c":"3"},"max_versions":5}` || q.header.Get("Content-Type") != "application/merge-patch+json" {
		t.Errorf("sent %s as %s", q.body, q.header.Get("Content-Type"))
	}
}

// Servers without PATCH get the whole map.
func TestPatchFallsBackToReadMergePost(t *testing.T) {
	for _, status := range []int{405, 415} {
		b := newBench(t, func(q asked) said {
			switch q.method {
			case "PATCH":
				return said{status: status, body: `{"errors":[]}`}
			case "GET":
				return said{status: 200, body: metadata}
			}
			return said{status: 204}
		}, func(c *vault.Config) { c.Kind = vault.HashiCorp })
		if _, err := set(b, secret.MetaChange{Merge: map[string]*string{"a": nil, "c": new("3")}}); err != nil {
			t.Fatal(err)
		}
		b.asks("PATCH /v1/secret/metadata/p", "GET /v1/secret/metadata/p", "POST /v1/secret/metadata/p")
		if got := b.script.asked[2].body; got != `{"custom_metadata":{"b":"2","c":"3"}}` {
			t.Errorf("sent %s", got)
		}
	}
}

func TestMetadataOfUnknownKeys(t *testing.T) {
	unknown := func(q asked) said {
		if q.method == "POST" {
			return said{status: 204}
		}
		return said{status: 404}
	}
	merge := map[string]*string{"a": nil, "c": new("3")}
	b := newBench(t, unknown, nil)
	if _, err := set(b, secret.MetaChange{Merge: merge}); err != nil {
		t.Fatal(err)
	}
	if got := b.script.asked[1]; got.method != "POST" || got.body != `{"custom_metadata":{"c":"3"}}` {
		t.Errorf("created by %+v", got)
	}
	for _, c := range []secret.MetaChange{
		{MustExist: true, Merge: merge}, {MustExist: true, Replace: map[string]string{}}, {MustExist: true},
	} {
		b = newBench(t, unknown, nil)
		_, err := set(b, c)
		b.fails(err, fault.NotFound)
		if slices.ContainsFunc(b.script.targets(), func(s string) bool { return strings.HasPrefix(s, "POST") }) {
			t.Errorf("%+v created the key", c)
		}
	}
}

func TestMetadataCheckAndSet(t *testing.T) {
	b := newBench(t, always(204, ``), func(c *vault.Config) { c.Kind = vault.HashiCorp })
	for _, c := range []secret.MetaChange{{CAS: new(int64(1)), MaxVersions: new(int64(2))}, {MetaCASRequired: new(true)}} {
		_, err := set(b, c)
		b.fails(err, fault.Unsupported)
	}
	b.asks()
	for text, kind := range map[string]fault.Kind{
		"metadata check-and-set parameter does not match the current version": fault.CASMismatch,
		"metadata_cas must be 0 when creating new metadata":                   fault.CASMismatch,
		"metadata check-and-set parameter required for this call":             fault.CASRequired,
	} {
		b = newBench(t, always(400, `{"errors":["`+text+`"]}`), nil)
		_, err := set(b, secret.MetaChange{CAS: new(int64(1)), MaxVersions: new(int64(2))})
		b.fails(err, kind)
		if got := b.script.asked[0].body; got != `{"max_versions":2,"metadata_cas":1}` {
			t.Errorf("sent %s", got)
		}
	}
}

// tree answers LIST as a server does that holds a, a/b and c/d/e.
func tree(scan said) func(asked) said {
	return func(q asked) said {
		keys := map[string]string{
			"/v1/secret/metadata":     `["a","a/","c/","ill egal/","../"]`,
			"/v1/secret/metadata/a":   `["b"]`,
			"/v1/secret/metadata/c":   `["d/"]`,
			"/v1/secret/metadata/c/d": `["e","no good"]`,
		}[q.target]
		switch {
		case q.method == "SCAN":
			return scan
		case keys == "":
			return said{status: 404, body: `{"errors":[]}`}
		}
		return said{status: 200, body: `{"data":{"keys":` + keys + `}}`}
	}
}

func TestRecursiveListing(t *testing.T) {
	want := []string{"a", "a/b", "c/d/e"}
	list := func(b *bench) []string {
		t.Helper()
		names, err := b.List(context.Background(), ref(""), secret.ListOptions{Recursive: true})
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	b := newBench(t, tree(said{status: 200, body: `{"data":{"keys":["c/d/e","a","a/b","bad name"]}}`}), nil)
	if got := list(b); !slices.Equal(got, want) {
		t.Errorf("scan gives %q", got)
	}
	b.asks("SCAN /v1/secret/metadata")
	for _, refused := range []said{{status: 405, body: `{"errors":[]}`}, {status: 403, body: `{"errors":["permission denied"]}`}} {
		b = newBench(t, tree(refused), nil)
		if got := list(b); !slices.Equal(got, want) {
			t.Errorf("walk gives %q", got)
		}
		list(b)
		scans := slices.DeleteFunc(b.script.targets(), func(s string) bool { return !strings.HasPrefix(s, "SCAN") })
		if len(scans) != 1 {
			t.Errorf("scan is tried %d times", len(scans))
		}
	}
	b = newBench(t, tree(said{status: 500}), func(c *vault.Config) { c.Kind = vault.HashiCorp })
	if got := list(b); !slices.Equal(got, want) {
		t.Errorf("walk gives %q", got)
	}
	b = newBench(t, tree(said{status: 200, body: `{"data":{}}`}), nil)
	if got := list(b); len(got) != 0 {
		t.Errorf("scan of nothing gives %q", got)
	}
}

func TestListingIsPagedHere(t *testing.T) {
	b := newBench(t, tree(said{}), nil)
	names, err := b.List(context.Background(), ref(""), secret.ListOptions{After: "a", Limit: 1})
	if err != nil || !slices.Equal(names, []string{"a/"}) {
		t.Errorf("%v %q", err, names)
	}
	b = newBench(t, always(403, `{"errors":["permission denied"]}`), nil)
	_, err = b.List(context.Background(), ref("p"), secret.ListOptions{})
	b.fails(err, fault.ProviderDenied)
}
