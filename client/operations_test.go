package client

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/api/canonical"
)

func TestOperations(t *testing.T) {
	ref := strings.Repeat("r", 43)
	one, two := int64(1), int64(2)
	version := canonical.Version{Version: 1, CreatedTime: "2026-01-02T15:04:05Z"}
	const versionJSON = `[{"version":1,"created_time":"2026-01-02T15:04:05Z","deletion_time":"","destroyed":false}]`
	for name, c := range map[string]struct {
		call    func(context.Context, *Client) (any, error)
		request string // method, path and sorted query
		body    string
		answer  string
		want    any
	}{
		"put": {
			func(ctx context.Context, c *Client) (any, error) { return c.Put(ctx, uri+"#k", Text("<v>")) },
			"POST /api/secrets", `{"uri":"` + uri + `#k","value":"<v>"}`,
			`{"status":"ok","uri":"` + uri + `#k","version":1,"resource_ref":"` + ref + `"}`,
			canonical.WriteResponse{Status: "ok", URI: uri + "#k", Version: &one, ResourceRef: ref},
		},
		"rotate": {
			func(ctx context.Context, c *Client) (any, error) { return c.Rotate(ctx, uri, Text("v")) },
			"POST /api/secrets/rotate", `{"uri":"` + uri + `","value":"v"}`,
			`{"status":"rotated","uri":"` + uri + `","old_version":1,"new_version":2,"resource_ref":"` + ref + `"}`,
			canonical.RotateResponse{Status: "rotated", URI: uri, OldVersion: &one, NewVersion: &two, ResourceRef: ref},
		},
		"delete": {
			func(ctx context.Context, c *Client) (any, error) { return c.Delete(ctx, uri) },
			"DELETE /api/secrets uri=" + uri, "",
			`{"status":"ok","uri":"` + uri + `","destroyed":false}`,
			canonical.DeleteResponse{Status: "ok", URI: uri},
		},
		"destroy": {
			func(ctx context.Context, c *Client) (any, error) { return c.Destroy(ctx, uri) },
			"DELETE /api/secrets destroy=true uri=" + uri, "",
			`{"status":"ok","uri":"` + uri + `","destroyed":true}`,
			canonical.DeleteResponse{Status: "ok", URI: uri, Destroyed: true},
		},
		"detail": {
			func(ctx context.Context, c *Client) (any, error) { return c.Detail(ctx, uri) },
			"GET /api/secrets/metadata/detail uri=" + uri, "",
			`{"uri":"` + uri + `","current_version":1,"oldest_version":1,"max_versions":0,"versions":` + versionJSON + `,"custom_metadata":{"owner":"me"}}`,
			canonical.Detail{
				URI: uri, CurrentVersion: 1, OldestVersion: 1, Versions: []canonical.Version{version},
				CustomMetadata: map[string]string{"owner": "me"},
			},
		},
		"versions": {
			func(ctx context.Context, c *Client) (any, error) { return c.Versions(ctx, uri) },
			"GET /api/secrets/versions uri=" + uri, "",
			`{"uri":"` + uri + `","current_version":1,"versions":` + versionJSON + `}`,
			canonical.VersionsList{URI: uri, CurrentVersion: 1, Versions: []canonical.Version{version}},
		},
		"undelete": {
			func(ctx context.Context, c *Client) (any, error) { return c.Undelete(ctx, uri, []int64{1, 9}) },
			"POST /api/secrets/undelete", `{"uri":"` + uri + `","versions":[1,9]}`,
			`{"status":"ok","uri":"` + uri + `","versions":[1],"ignored":[9]}`,
			canonical.VersionsResponse{Status: "ok", URI: uri, Versions: []int64{1}, Ignored: []int64{9}},
		},
		"destroy versions": {
			func(ctx context.Context, c *Client) (any, error) { return c.DestroyVersions(ctx, uri, []int64{1}) },
			"POST /api/secrets/destroy-versions", `{"uri":"` + uri + `","versions":[1]}`,
			`{"status":"ok","uri":"` + uri + `","versions":[1],"ignored":[]}`,
			canonical.VersionsResponse{Status: "ok", URI: uri, Versions: []int64{1}, Ignored: []int64{}},
		},
		"owner": {
			func(ctx context.Context, c *Client) (any, error) { return c.SetOwner(ctx, uri, "team") },
			"POST /api/secrets/metadata/owner", `{"uri":"` + uri + `","owner":"team"}`,
			`{"uri":"` + uri + `","owner":"team","custom_metadata":{"owner":"team"}}`,
			canonical.OwnerResponse{URI: uri, Owner: "team", CustomMetadata: map[string]string{"owner": "team"}},
		},
		"bulk": {
			func(ctx context.Context, c *Client) (any, error) {
				return c.Bulk(ctx, canonical.BulkRequest{Operations: []canonical.BulkOperation{
					{Op: canonical.OpSet, URI: uri, Value: Text("v"), IfMatch: canonical.Match(0)},
				}})
			},
			"POST /api/secrets/bulk", `{"operations":[{"op":"set","uri":"` + uri + `","value":"v","ifMatch":"\"0\""}]}`,
			`{"results":[{"index":0,"op":"set","uri":"` + uri + `","status":"ok","version":1}],"succeeded":1,"failed":0,"skipped":0}`,
			canonical.BulkResponse{Succeeded: 1, Results: []canonical.BulkResult{{Op: "set", URI: uri, Status: "ok", Version: &one}}},
		},
		"copy": {
			func(ctx context.Context, c *Client) (any, error) {
				return c.Copy(ctx, canonical.TransferRequest{FromURI: uri, ToURI: uri + "2", Overwrite: true})
			},
			"POST /api/secrets/copy", `{"fromUri":"` + uri + `","toUri":"` + uri + `2","overwrite":true}`,
			`{"status":"ok","fromUri":"` + uri + `","toUri":"` + uri + `2","version":null}`,
			canonical.TransferResponse{Status: "ok", FromURI: uri, ToURI: uri + "2"},
		},
		"move": {
			func(ctx context.Context, c *Client) (any, error) {
				return c.Move(ctx, canonical.TransferRequest{FromURI: uri, ToURI: uri + "2"})
			},
			"POST /api/secrets/move", `{"fromUri":"` + uri + `","toUri":"` + uri + `2"}`,
			`{"status":"ok","fromUri":"` + uri + `","toUri":"` + uri + `2","version":1}`,
			canonical.TransferResponse{Status: "ok", FromURI: uri, ToURI: uri + "2", Version: &one},
		},
		"keys": {
			func(ctx context.Context, c *Client) (any, error) { return c.Keys(ctx, "yaml://secret/env") },
			"GET /api/secrets/keys uri=yaml://secret/env", "",
			`{"uri":"yaml://secret/env","keys":["A","B"]}`, []string{"A", "B"},
		},
		"audit": {
			func(ctx context.Context, c *Client) (any, error) {
				return c.Audit(ctx, AuditQuery{Effect: "Deny", Since: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), Limit: 5})
			},
			"GET /api/secrets/audit effect=Deny limit=5 since=2026-01-02T00:00:00Z", "",
			`{"items":[],"total":0,"offset":0,"limit":5}`, canonical.AuditPage{Items: []canonical.AuditRecord{}, Limit: 5},
		},
	} {
		t.Run(name, func(t *testing.T) {
			client, s := play(t, step{status: 200, body: c.answer})
			got, err := c.call(t.Context(), client)
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Fatalf("got %+v, %v, want %+v", got, err, c.want)
			}
			r := s.done()[0]
			request := r.method + " " + r.path
			for _, name := range slices.Sorted(maps.Keys(r.query)) {
				request += " " + name + "=" + strings.Join(r.query[name], ",")
			}
			if request != c.request || r.body != c.body {
				t.Fatalf("sent %s %s\nwant %s %s", request, r.body, c.request, c.body)
			}
			if key := r.header.Get("Idempotency-Key"); (key == "") != (r.method == http.MethodGet) {
				t.Fatalf("idempotency key %q", key)
			}
			if r.header.Get("User-Agent") != "coffer-client" {
				t.Fatalf("user agent %q", r.header.Get("User-Agent"))
			}
		})
	}
}

func TestGet(t *testing.T) {
	for name, c := range map[string]struct {
		uri, headers, body string
		want               string
		version            int64
	}{
		"fragment":           {uri + "#k", `ETag: "3"|X-Secret-Version: 3`, `{"value":"v"}`, `"v"`, 3},
		"fragment and query": {uri + "#k?version=3", `X-Secret-Version: 3`, `{"value":1.0}`, `1.0`, 3},
		"query and fragment": {uri + "?version=3#k", `X-Secret-Version: 3`, `{"value":1.0}`, `1.0`, 3},
		"fragment with null": {uri + "#k", "", `{"value":null}`, `null`, 0},
		"whole":              {uri, "", `{"a":1.0}`, `{"a":1.0}`, 0},
		"whole named value":  {uri, "", `{"value":9007199254740993}`, `{"value":9007199254740993}`, 0},
		"empty fragment":     {uri + "#", "", `{"value":1}`, `{"value":1}`, 0},
	} {
		client, s := play(t, step{status: 200, headers: c.headers, body: c.body})
		got, err := client.Get(t.Context(), c.uri)
		if err != nil || string(got.Value.Reveal()) != c.want || got.Version != c.version {
			t.Errorf("%s: %s at %d, %v", name, got.Value.Reveal(), got.Version, err)
		}
		if sent := s.done()[0].query["uri"]; !slices.Equal(sent, []string{c.uri}) {
			t.Errorf("%s: the server reads %q", name, sent)
		}
	}
}

func TestURIsAreEscaped(t *testing.T) {
	const odd = "openbao-prod+kv2://secret/a~b#k&destroy=true?version=2"
	client, s := play(t, step{status: 200, body: `{"status":"ok","uri":"` + uri + `","destroyed":false}`})
	if _, err := client.Delete(t.Context(), odd); err != nil {
		t.Fatal(err)
	}
	raw := s.done()[0].rawQuery
	if strings.ContainsAny(raw, "#+?") || !strings.Contains(raw, "%23k%26destroy%3Dtrue%3Fversion%3D2") {
		t.Fatal(raw)
	}
}

func TestConditionsAndVersions(t *testing.T) {
	client, s := play(t,
		written("1"), written("2"), written("3"), written("4"),
		step{status: 304, headers: `ETag: "4"`},
		step{status: 200, body: `{}`},
	)
	for i, o := range [][]Option{{IfVersion(7)}, {IfAbsent()}, {IfExists()}, {Once("job 7")}} {
		if out, err := client.Put(t.Context(), uri, Text("v"), o...); err != nil || *out.Version != int64(i+1) {
			t.Fatal(out, err)
		}
	}
	if _, err := client.Get(t.Context(), uri, UnlessVersion(4)); !errors.Is(err, ErrNotModified) {
		t.Fatal(err)
	}
	if _, err := client.Get(t.Context(), uri, AtVersion(2)); err != nil {
		t.Fatal(err)
	}
	r := s.done()
	for i, want := range []string{`"7"`, `"0"`, `*`, ``} {
		if got := r[i].header.Get("If-Match"); got != want {
			t.Errorf("If-Match %s, want %s", got, want)
		}
	}
	if r[3].header.Get("Idempotency-Key") != "job 7" || r[4].header.Get("If-None-Match") != `"4"` || r[5].query["version"][0] != "2" {
		t.Errorf("%+v", r[3:])
	}
}

func TestSearchReadsPageByPage(t *testing.T) {
	page := func(offset, total, truncated string, names ...string) step {
		var items []string
		for _, n := range names {
			items = append(items, `{"uri":"coffer+kv2://secret/`+n+`","path":"secret/`+n+`","matched":["path"]}`)
		}
		return step{status: 200, body: `{"items":[` + strings.Join(items, ",") + `],"total":` + total + `,"offset":` + offset + `,"limit":2` + truncated + `}`}
	}
	client, s := play(t, page("0", "3", "", "a", "b"), page("2", "3", `,"truncated":true`, "c"))
	var got []string
	var end error
	for item, err := range client.Search(t.Context(), Query{Text: "x", PageSize: 2}) {
		if end = err; err == nil {
			got = append(got, item.Path)
		}
	}
	if !slices.Equal(got, []string{"secret/a", "secret/b", "secret/c"}) || !errors.Is(end, ErrTruncated) {
		t.Fatal(got, end)
	}
	if r := s.done(); r[0].rawQuery != "limit=2&q=x" || r[1].rawQuery != "limit=2&offset=2&q=x" {
		t.Fatal(r[0].rawQuery, r[1].rawQuery)
	}

	// A reader who has enough asks for no more; an empty text is sent.
	client, s = play(t, page("0", "3", "", "a", "b"))
	for _, err := range client.List(t.Context(), "coffer+kv2://secret/") {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	if r := s.done(); r[0].query["q"][0] != "" || !r[0].has("q") {
		t.Fatal(r[0].rawQuery)
	}

	// A page that fails ends the search with its error.
	client, s = play(t, page("0", "3", "", "a", "b"), refusal(500, "INTERNAL"))
	end = nil
	for _, err := range client.Leaves(t.Context(), "yaml://secret/") {
		end = err
	}
	if s.done(); CodeOf(end) != "INTERNAL" {
		t.Fatal(end)
	}

	// A shrinking result ends where the server has no more.
	client, s = play(t, page("0", "3", "", "a", "b"), page("2", "3", ""))
	for _, err := range client.List(t.Context(), uri) {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.done()
}

func (s seen) has(parameter string) bool { _, ok := s.query[parameter]; return ok }
