package vault_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/vault"
)

func TestReadKeepsWhatTheServerSent(t *testing.T) {
	b := newBench(t, always(200, alive), func(c *vault.Config) { c.Namespace = "team" })
	s, err := b.get(3)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(s.Value.Reveal()); got != `{"k":"v","n":12345678901234567890,"f":1.0}` {
		t.Errorf("value %s", got)
	}
	if s.Version.Version != 3 || s.Custom["owner"] != "me" || s.Version.Created.Year() != 2026 {
		t.Errorf("read %+v", s)
	}
	q := b.script.asked[0]
	if q.target != "/v1/secret/data/app/api?version=3" || q.token != "broker-token" || q.header.Get("X-Vault-Namespace") != "team" {
		t.Errorf("asked %+v", q)
	}
}

func TestEverySegmentIsEscaped(t *testing.T) {
	b := newBench(t, always(200, alive), nil)
	if _, err := b.Get(context.Background(), ref(`a"b/<c>/{d}/a=b&c;e`), 0); err != nil {
		t.Fatal(err)
	}
	b.asks(`GET /v1/secret/data/a%22b/%3Cc%3E/%7Bd%7D/a=b&c;e`)
}

// E17: the body of a 404 decides.
func TestE17_BodyOf404Decides(t *testing.T) {
	const errorsOnly = `{"errors":[]}`
	version := func(destroyed, deleted string) string {
		return `{"created_time":"2026-01-02T03:04:05Z","custom_metadata":null,"deletion_time":"` + deleted + `","destroyed":` + destroyed + `,"version":2}`
	}
	wrapped := func(v string) string { return `{"data":{"data":null,"metadata":` + v + `},"warnings":null}` }
	for name, c := range map[string]struct {
		body string
		kind fault.Kind
	}{
		"K11 unknown":            {errorsOnly, fault.NotFound},
		"empty body":             {"", fault.NotFound},
		"K13 deleted":            {wrapped(version("false", "2026-01-02T03:04:06Z")), fault.Deleted},
		"K14 destroyed":          {wrapped(version("true", "")), fault.Destroyed},
		"K14 deleted, destroyed": {wrapped(version("true", "2026-01-02T03:04:06Z")), fault.Destroyed},
		"K18 flat, deleted":      {`{"data":` + version("false", "2026-01-02T03:04:06Z") + `}`, fault.Deleted},
		"K18 flat, destroyed":    {`{"data":` + version("true", "") + `}`, fault.Destroyed},
		"K38 stray path":         {`{"data":null,"warnings":["the server's words"]}`, fault.NotFound},
		"K38 unknown mount":      {`{"errors":["no handler for route \"secret/data/app/api\""]}`, fault.NotFound},
		"another server":         {`<html>not found</html>`, fault.ProviderFailed},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, always(404, c.body), nil)
			_, err := b.get(0)
			b.fails(err, c.kind)
			var lost *secret.VersionError
			if known := errors.As(err, &lost); known != (c.kind == fault.Deleted || c.kind == fault.Destroyed) {
				t.Fatalf("version info given: %t", known)
			}
			if lost != nil && (lost.Info.Version != 2 || lost.Info.Created.IsZero() || lost.Info.Destroyed != (c.kind == fault.Destroyed)) {
				t.Fatalf("info %+v", lost.Info)
			}
		})
	}
}

func TestE17_FutureDeletionIsLive(t *testing.T) {
	b := newBench(t, always(200, strings.Replace(alive, `"deletion_time":""`, `"deletion_time":"2999-01-01T00:00:00Z"`, 1)), nil)
	s, err := b.get(0)
	if err != nil || s.Version.Deleted.Year() != 2999 {
		t.Fatalf("%v %+v", err, s.Version)
	}
}

// K12: a pinned read that finds nothing asks whether the key exists.
func TestPinnedReadTellsVersionFromKey(t *testing.T) {
	for name, c := range map[string]struct {
		metadata said
		kind     fault.Kind
	}{
		"the key has versions": {said{status: 200, body: `{"data":{"current_version":2,"versions":{}}}`}, fault.VersionNotFound},
		"the key has none":     {said{status: 200, body: `{"data":{"current_version":0,"versions":{}}}`}, fault.NotFound},
		"there is no key":      {said{status: 404, body: `{"errors":[]}`}, fault.NotFound},
		"it cannot be told":    {said{status: 403, body: `{"errors":["permission denied"]}`}, fault.ProviderDenied},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(q asked) said {
				if strings.Contains(q.target, "/metadata/") {
					return c.metadata
				}
				return said{status: 404, body: `{"errors":[]}`}
			}, nil)
			_, err := b.get(9)
			b.fails(err, c.kind)
			b.asks("GET /v1/secret/data/app/api?version=9", "GET /v1/secret/metadata/app/api")
		})
	}
}

// E18: every status has its kind, and none is tried again.
func TestE18_StatusKinds(t *testing.T) {
	for status, kind := range map[int]fault.Kind{
		400: fault.Invalid, 403: fault.ProviderDenied, 405: fault.Unsupported, 413: fault.TooLarge, 429: fault.RateLimited,
		500: fault.ProviderFailed, 502: fault.ProviderFailed, 503: fault.Unavailable, 418: fault.ProviderFailed,
		302: fault.ProviderFailed, 204: fault.ProviderFailed,
	} {
		body := `{"errors":["the server's words about app/api"]}`
		if status == 204 {
			body = ""
		}
		b := newBench(t, always(status, body), nil)
		_, err := b.get(0)
		b.fails(err, kind)
		if b.script.count() != 1 {
			t.Errorf("status %d: %d attempts", status, b.script.count())
		}
	}
}

func TestAnswersThatCannotBeUnderstood(t *testing.T) {
	for _, body := range []string{``, `[]`, `{"data":null}`, `{"data":{"data":{}}}`, `{"data":{"data":[],"metadata":{"version":1}}}`, alive[:40]} {
		b := newBench(t, always(200, body), nil)
		_, err := b.get(0)
		b.fails(err, fault.ProviderFailed)
	}
	for _, body := range []string{`{"data":{"delete_version_after":"soon"}}`, `{"data":{"versions":{"x":{}}}}`, `{"data":{"created_time":5}}`} {
		b := newBench(t, always(200, body), nil)
		_, err := b.Meta(context.Background(), ref("app/api"))
		b.fails(err, fault.ProviderFailed)
	}
	b := newBench(t, always(200, `{"data":{"version":0}}`), nil)
	b.fails(b.put(), fault.ProviderFailed)
}

func TestOtherTenantsSeeNothing(t *testing.T) {
	b := newBench(t, always(200, alive), nil)
	other := ref("app/api")
	other.Tenant = "ab"
	_, err := b.Get(context.Background(), other, 0)
	b.fails(err, fault.NotFound)
	_, err = b.Put(context.Background(), other, secret.Stored([]byte(`{}`)), nil)
	b.fails(err, fault.NotFound)
	_, err = b.List(context.Background(), other, secret.ListOptions{})
	b.fails(err, fault.NotFound)
	b.asks()
}

func TestWrappedRead(t *testing.T) {
	wrapped := func(q asked) said {
		switch {
		case strings.HasSuffix(q.target, "sys/wrapping/unwrap") && q.token == "wrap-token":
			return said{status: 200, body: alive}
		case q.header.Get("X-Vault-Wrap-TTL") == "60":
			return said{status: 200, body: `{"data":null,"wrap_info":{"token":"wrap-token"}}`}
		}
		return said{status: 400, body: `{"errors":["unexpected"]}`}
	}
	ctx := secret.WithWrapTTL(context.Background(), 60)
	b := newBench(t, wrapped, nil)
	s, err := b.Get(ctx, ref("app/api"), 0)
	if err != nil || s.Version.Version != 3 {
		t.Fatalf("%v %+v", err, s)
	}
	b.asks("GET /v1/secret/data/app/api", "POST /v1/sys/wrapping/unwrap")

	for _, unwrapped := range []string{alive, `{"wrap_info":{"token":""}}`, `{"wrap_info":null}`, ``} {
		b = newBench(t, always(200, unwrapped), nil)
		_, err = b.Get(ctx, ref("app/api"), 0)
		b.fails(err, fault.ProviderFailed)
		b.asks("GET /v1/secret/data/app/api")
	}

	b = newBench(t, func(q asked) said {
		if q.method == "POST" {
			return said{status: 400, body: `{"errors":["wrapping token is not valid or does not exist"]}`}
		}
		return wrapped(q)
	}, nil)
	_, err = b.Get(ctx, ref("app/api"), 0)
	b.fails(err, fault.ProviderFailed)
}

func TestHealth(t *testing.T) {
	for status, healthy := range map[int]bool{200: true, 429: true, 473: true, 501: false, 503: false, 500: false} {
		err := newBench(t, always(status, `{}`), nil).Health(context.Background())
		if (err == nil) != healthy || !healthy && fault.KindOf(err) != fault.Unavailable {
			t.Errorf("status %d: %v", status, err)
		}
	}
	b := newBench(t, func(asked) said { return said{silence: true} }, nil)
	start := time.Now()
	b.fails(b.Health(context.Background()), fault.Timeout)
	if time.Since(start) > time.Second {
		t.Error("health waits too long")
	}
}
