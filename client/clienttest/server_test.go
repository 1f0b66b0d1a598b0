package clienttest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/api/apitest"
	"github.com/coffer-dev/coffer/api/canonical"
	"github.com/coffer-dev/coffer/client"
	"github.com/coffer-dev/coffer/client/clienttest"
)

const uri = "coffer+kv2://secret/app/api"

// One life of a secret, through every operation that a back end with versions has.
func TestTheLifeOfASecret(t *testing.T) {
	ctx := t.Context()
	c := checked(t, clienttest.Start(t, "SECRETS_API_REQUIRE_AUTH=true", "SECRETS_ENFORCE_SCOPES=true"), clienttest.Caller{Subject: "alice"})

	put, err := c.Put(ctx, uri+"#token", client.Text("<one>"), client.IfAbsent())
	if err != nil || put.URI != uri+"#token" || *put.Version != 1 || len(put.ResourceRef) != 43 {
		t.Fatalf("put: %+v, %v", put, err)
	}
	if _, err := c.Put(ctx, uri+"#token", client.Text("x"), client.IfAbsent()); !client.IsConflict(err) {
		t.Fatalf("put where one exists: %v", err)
	}
	n, err := client.JSON([]byte(`9007199254740993`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Put(ctx, uri+"#n", n, client.IfVersion(1)); err != nil {
		t.Fatalf("put beside: %v", err)
	}
	got, err := c.Get(ctx, uri)
	if err != nil || got.Version != 2 || string(got.Value.Reveal()) != `{"n":9007199254740993,"token":"<one>"}` {
		t.Fatalf("get: %s at %d, %v", got.Value.Reveal(), got.Version, err)
	}
	if got, err = c.Get(ctx, uri+"#token", client.AtVersion(1)); err != nil || got.Version != 1 {
		t.Fatalf("get version 1: %d, %v", got.Version, err)
	}
	if text, ok := got.Value.Text(); !ok || text != "<one>" {
		t.Fatalf("text: %q", text)
	}
	if _, err := c.Get(ctx, uri, client.UnlessVersion(2)); !errors.Is(err, client.ErrNotModified) {
		t.Fatalf("get unless changed: %v", err)
	}
	rotated, err := c.Rotate(ctx, uri+"#token", client.Text("two"))
	if err != nil || *rotated.OldVersion != 2 || *rotated.NewVersion != 3 {
		t.Fatalf("rotate: %+v, %v", rotated, err)
	}
	owner, err := c.SetOwner(ctx, uri, "team")
	if err != nil || owner.CustomMetadata["owner"] != "team" || !strings.HasSuffix(owner.CustomMetadata["created_by"], ":alice") {
		t.Fatalf("owner: %+v, %v", owner, err)
	}

	if _, err := c.Delete(ctx, uri); err != nil {
		t.Fatalf("delete: %v", err)
	}
	if _, err := c.Get(ctx, uri); !client.IsNotFound(err) || client.CodeOf(err) != canonical.CodeSecretNotFound {
		t.Fatalf("get of a deleted one: %v", err)
	}
	back, err := c.Undelete(ctx, uri, []int64{3, 9})
	if err != nil || !slices.Equal(back.Versions, []int64{3, 9}) || !slices.Equal(back.Ignored, []int64{9}) {
		t.Fatalf("undelete: %+v, %v", back, err)
	}
	if _, err := c.DestroyVersions(ctx, uri, []int64{1}); err != nil {
		t.Fatalf("destroy version: %v", err)
	}
	if _, err := c.Get(ctx, uri, client.AtVersion(1)); !errors.Is(err, client.Code(canonical.CodeVersionDestroyed)) {
		t.Fatalf("get of a destroyed version: %v", err)
	}
	versions, err := c.Versions(ctx, uri)
	if err != nil || versions.CurrentVersion != 3 || len(versions.Versions) != 3 || !versions.Versions[2].Destroyed {
		t.Fatalf("versions: %+v, %v", versions, err)
	}
	detail, err := c.Detail(ctx, uri)
	if err != nil || detail.CustomMetadata["owner"] != "team" || detail.CurrentVersion != 3 {
		t.Fatalf("detail: %+v, %v", detail, err)
	}
	if gone, err := c.Destroy(ctx, uri); err != nil || !gone.Destroyed {
		t.Fatalf("destroy: %+v, %v", gone, err)
	}
	if _, err := c.Detail(ctx, uri); !client.IsNotFound(err) {
		t.Fatalf("detail of what is gone: %v", err)
	}
}

func TestSeveralSecrets(t *testing.T) {
	ctx := t.Context()
	c := checked(t, clienttest.Start(t), clienttest.Caller{})
	var ops []canonical.BulkOperation
	for i := range 12 {
		ops = append(ops, canonical.BulkOperation{
			Op: canonical.OpSet, URI: fmt.Sprintf("coffer+kv2://secret/bulk/%02d#key", i), Value: client.Text("v"),
		})
	}
	ops = append(ops, canonical.BulkOperation{Op: canonical.OpUndelete, URI: "coffer+kv2://secret/none", Versions: []int64{1}})
	out, err := c.Bulk(ctx, canonical.BulkRequest{Operations: ops})
	if err != nil || out.Succeeded != 12 || out.Failed != 1 || out.Results[12].Code != canonical.CodeSecretNotFound {
		t.Fatalf("bulk: %+v, %v", out, err)
	}
	var found []string
	for item, err := range c.Search(ctx, client.Query{Text: "KEY", Prefix: "coffer+kv2://secret/bulk/", PageSize: 5}) {
		if err != nil || !slices.Equal(item.Matched, []string{"key"}) {
			t.Fatalf("search: %+v, %v", item, err)
		}
		found = append(found, item.Path)
	}
	if len(found) != 12 || !slices.IsSorted(found) {
		t.Fatalf("found %q", found)
	}
	copied, err := c.Copy(ctx, canonical.TransferRequest{FromURI: "coffer+kv2://secret/bulk/00", ToURI: "coffer+kv2://secret/copy"})
	if err != nil || *copied.Version != 1 {
		t.Fatalf("copy: %+v, %v", copied, err)
	}
	if _, err := c.Move(ctx, canonical.TransferRequest{FromURI: "coffer+kv2://secret/copy", ToURI: "coffer+kv2://secret/bulk/01"}); !errors.Is(err, client.Code(canonical.CodeAlreadyExists)) {
		t.Fatalf("move onto another: %v", err)
	}
	if _, err := c.Move(ctx, canonical.TransferRequest{FromURI: "coffer+kv2://secret/copy", ToURI: "coffer+kv2://secret/bulk/01", Overwrite: true}); err != nil {
		t.Fatalf("move: %v", err)
	}
	if _, err := c.Get(ctx, "coffer+kv2://secret/copy"); !client.IsNotFound(err) {
		t.Fatalf("the source of a move: %v", err)
	}
}

// The same key is the same mutation, whoever of the caller's processes sends it.
func TestOnce(t *testing.T) {
	ctx := t.Context()
	c := checked(t, clienttest.Start(t), clienttest.Caller{})
	for range 3 {
		out, err := c.Put(ctx, uri, object(t, `{"a":1}`), client.Once("job 7"))
		if err != nil || *out.Version != 1 {
			t.Fatalf("%+v, %v", out, err)
		}
	}
	if _, err := c.Put(ctx, uri, object(t, `{"a":2}`), client.Once("job 7")); !errors.Is(err, client.Code(canonical.CodeIdempotencyKeyReused)) {
		t.Fatal(err)
	}
}

func TestEventsAndAudit(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c := checked(t, clienttest.Start(t), clienttest.Caller{})
	for i := range 5 {
		if _, err := c.Put(ctx, uri, object(t, fmt.Sprintf(`{"n":%d}`, i))); err != nil {
			t.Fatal(err)
		}
	}
	read := func(after int64, n int) (sequences, versions []int64) {
		for e, err := range c.Events(ctx, after) {
			if err != nil || e.Gap != nil || e.Event.Event != "SECRET_UPDATED" {
				t.Fatalf("%+v, %v", e, err)
			}
			sequences, versions = append(sequences, e.Sequence), append(versions, e.KVVersion)
			if len(sequences) == n {
				break
			}
		}
		return sequences, versions
	}
	sequences, _ := read(0, 2)
	if _, versions := read(sequences[1], 3); !slices.Equal(versions, []int64{3, 4, 5}) {
		t.Fatalf("behind the second: %v", versions)
	}
	page, err := c.Audit(ctx, client.AuditQuery{Purpose: "write", Limit: 2})
	if err != nil || page.Total != 5 || len(page.Items) != 2 || page.Items[0].KVVersion != 5 {
		t.Fatalf("audit: %+v, %v", page, err)
	}
}

func TestWhoMay(t *testing.T) {
	ctx := t.Context()
	s := clienttest.Start(t, "SECRETS_API_REQUIRE_AUTH=true", "SECRETS_ENFORCE_SCOPES=true")
	for name, c := range map[string]struct {
		caller clienttest.Caller
		code   string
	}{
		"no group": {clienttest.Caller{Groups: []string{}}, canonical.CodeAuthzFailed},
		"no scope": {clienttest.Caller{Scopes: []string{"secrets.read"}}, canonical.CodeInsufficientScope},
		"expired":  {clienttest.Caller{Life: -time.Hour}, canonical.CodeUnauthenticated},
		"entitled": {clienttest.Caller{}, ""},
	} {
		_, err := checked(t, s, c.caller).Put(ctx, uri, object(t, `{}`))
		if (err == nil) != (c.code == "") || client.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
		var e *client.Error
		if d, denied := (canonical.Denial{}), errors.As(err, &e); denied && c.code == canonical.CodeAuthzFailed {
			if d, denied = e.Denial(); !denied || d.Purpose != "write" || d.Failures[0].Reason != "policy" {
				t.Errorf("%s: %+v", name, d)
			}
		}
	}
}

// checked is a client whose requests and answers are held against the document.
func checked(t *testing.T, s *clienttest.Server, caller clienttest.Caller) *client.Client {
	t.Helper()
	token := s.Token(caller)
	c, err := client.New(client.Config{
		URL:        s.URL,
		Token:      func(context.Context) (string, error) { return token, nil },
		HTTPClient: &http.Client{Transport: apitest.New(t, canonical.OpenAPI()).Transport(t, nil)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A program that only has the address needs nothing else in development.
func TestClient(t *testing.T) {
	s := clienttest.Start(t)
	if _, err := s.Client(clienttest.Caller{}).Put(t.Context(), uri, object(t, `{}`)); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Config{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get(t.Context(), uri); err != nil || got.Version != 1 {
		t.Fatal(got.Version, err)
	}
}

func object(t *testing.T, text string) client.Value {
	t.Helper()
	v, err := client.JSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}
