package canonical

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// page is an answer of a listing.
type page struct {
	Items []struct {
		URI     string   `json:"uri"`
		Path    string   `json:"path"`
		Key     string   `json:"key"`
		Matched []string `json:"matched"`
		Keys    []string `json:"keys"`
	} `json:"items"`
	Total, Offset, Limit int
	Truncated            bool
}

func (s *server) search(t testing.TB, query q, ws ...with) (p page) {
	t.Helper()
	s.get(t, "/search", query, ws...).want(t, 200).json(t, &p)
	return p
}

func (p page) paths() (out []string) {
	for _, i := range p.Items {
		out = append(out, i.Path)
	}
	return out
}

func TestC07_prefixGuard(t *testing.T) {
	s := dev(t)
	for prefix, code := range map[string]string{
		"coffer+kv2://secret/app/../x/": "ILLEGAL_SEGMENT", "coffer+kv2://secret/a%2fb": "ILLEGAL_SEGMENT",
		"coffer+kv2://secret/app//": "ILLEGAL_SEGMENT", "coffer+kv2://secret/app/*": "INVALID_WILDCARD",
		"coffer+kv2://other/": "TENANT_MOUNT_MISMATCH", "secret/app": "ILLEGAL_SEGMENT", "coffer+kv9://secret/": "UNSUPPORTED_ENGINE",
	} {
		s.get(t, "/search", q{"q": "x", "prefix": prefix}).fails(t, 400, code)
		s.get(t, "/metadata", q{"prefix": strings.Replace(prefix, "coffer+kv2", "yaml", 1)}).fails(t, 400, code)
	}
	s.get(t, "/search", q{"prefix": scheme + "secret/"}).fails(t, 400, "BAD_REQUEST")
	s.get(t, "/search", q{"q": ""}).fails(t, 400, "BAD_REQUEST")
	s.get(t, "/search", q{"q": strings.Repeat("x", 257)}).fails(t, 400, "BAD_REQUEST")
	s.get(t, "/search", q{"q": strings.Repeat("x", 256)}).want(t, 200)
}

func TestC08_wholeSegments(t *testing.T) {
	s := dev(t)
	n := unique("c08")
	s.put(t, scheme+"secret/"+n+"/app/a/b", obj{"a": 1})
	s.put(t, scheme+"secret/"+n+"/apple/c", obj{"a": 1})
	for _, prefix := range []string{"/app/", "/app"} {
		got := s.search(t, q{"q": "", "prefix": scheme + "secret/" + n + prefix})
		if got.Total != 1 || len(got.Items) != 1 || got.Items[0].Path != "secret/"+n+"/app/a/b" || got.Items[0].URI != scheme+got.Items[0].Path {
			t.Errorf("%+v", got)
		}
	}
	// The scheme of the hits is the scheme of the prefix.
	got := s.search(t, q{"q": n, "prefix": "vault+kv2://secret/" + n})
	if got.Total != 2 || got.Items[0].URI != "hashicorp+kv2://secret/"+n+"/app/a/b" || got.Items[0].Matched[0] != "path" {
		t.Errorf("%+v", got)
	}
}

func TestC33_whatMatches(t *testing.T) {
	s := dev(t)
	n := unique("c33")
	uri := scheme + "secret/" + n + "/Path-Part"
	s.put(t, uri, obj{"KeyName": "valueword", "inner": obj{"deepkey": "deepvalue"}})
	s.post(t, "/metadata/owner", obj{"uri": uri, "owner": "Team-Zebra"}).want(t, 200)
	under := func(text string) page { return s.search(t, q{"q": text, "prefix": scheme + "secret/" + n}) }
	for _, text := range []string{"valueword", "deepvalue", "deepkey"} {
		if got := under(text); got.Total != 0 {
			t.Errorf("%q is found: %+v", text, got)
		}
	}
	for text, matched := range map[string]string{"pAtH-pArT": "path", "keyname": "key", "zebra": "owner", "created_by": "metadata", "ANONYMOUS": "metadata"} {
		got := under(text)
		if got.Total != 1 || !slices.Contains(got.Items[0].Matched, matched) {
			t.Errorf("%q: %+v", text, got)
			continue
		}
		if matched == "key" && !slices.Equal(got.Items[0].Keys, []string{"KeyName"}) {
			t.Errorf("keys %v", got.Items[0].Keys)
		}
	}
	s.del(t, q{"uri": uri}).want(t, 200)
	if under("keyname").Total != 0 || under("path-part").Total != 1 || under("zebra").Total != 1 {
		t.Error("a deleted path matches by its keys, or not by path and owner")
	}
}

func TestC35_pagination(t *testing.T) {
	s := dev(t)
	n := unique("c35")
	ops := []obj{}
	for i := range 250 {
		ops = append(ops, obj{"op": "set", "uri": fmt.Sprintf("%ssecret/%s/%03d", scheme, n, i), "value": obj{"a": i}})
	}
	for chunk := range slices.Chunk(ops, 100) {
		if got := s.bulk(t, obj{"operations": chunk}); got.Failed > 0 {
			t.Fatalf("%+v", got)
		}
	}
	prefix := scheme + "secret/" + n
	for _, bad := range []string{"0", "-1", "1001", "x", "", "1.0", "+1", " 1", "99999999999999999999"} {
		s.get(t, "/search", q{"q": "", "prefix": prefix, "limit": bad}).fails(t, 400, "INVALID_PAGINATION")
		s.get(t, "/metadata", q{"prefix": "yaml://secret/x", "limit": bad}).fails(t, 400, "INVALID_PAGINATION")
		s.get(t, "/audit", q{"limit": bad}).fails(t, 400, "INVALID_PAGINATION")
	}
	for _, bad := range []string{"-1", "x", "", "1.5"} {
		s.get(t, "/search", q{"q": "", "prefix": prefix, "offset": bad}).fails(t, 400, "INVALID_PAGINATION")
	}
	got := s.search(t, q{"q": "", "prefix": prefix})
	if len(got.Items) != 100 || got.Total != 250 || got.Limit != 100 || got.Offset != 0 {
		t.Errorf("%d items, %d in all, limit %d", len(got.Items), got.Total, got.Limit)
	}
	got = s.search(t, q{"q": "", "prefix": prefix, "offset": "200", "limit": "1000"})
	if paths := got.paths(); len(paths) != 50 || paths[0] != "secret/"+n+"/200" || !slices.IsSorted(paths) || got.Limit != 1000 || got.Offset != 200 {
		t.Errorf("%+v", got)
	}
	got = s.search(t, q{"q": "", "prefix": prefix, "offset": "9223372036854775807"})
	if len(got.Items) != 0 || got.Total != 250 {
		t.Errorf("%d items behind the end", len(got.Items))
	}
}

const yamlFile = `secret:
  env:
    A: canary-5e1fb0a9-a
    B: canary-5e1fb0a9-b
  deep:
    x: {y: {z: canary-5e1fb0a9-z}}
    n: 1
  scalar: canary-5e1fb0a9-s
`

// withFile starts a server on a YAML file and gives the file's name.
func withFile(t *testing.T, o options) (*server, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secrets.yaml")
	write(t, file, yamlFile)
	o.env = append(o.env, "YAML_VAULT_PATH="+file)
	return start(t, o), file
}

func TestC31_yamlListing(t *testing.T) {
	t.Parallel()
	s, _ := withFile(t, options{})
	s.get(t, "/metadata", q{"prefix": "yaml://secret/env/"}).is(t, `{"items":[
		{"uri":"yaml://secret/env#A","path":"secret/env","key":"A"},
		{"uri":"yaml://secret/env#B","path":"secret/env","key":"B"}],"total":2,"offset":0,"limit":100}`)
	s.get(t, "/metadata", q{"mount": "secret", "prefix": "env", "limit": "1", "offset": "1"}).is(t, `{"items":[
		{"uri":"yaml://secret/env#B","path":"secret/env","key":"B"}],"total":2,"offset":1,"limit":1}`)
	s.get(t, "/keys", q{"uri": "yaml://secret/env"}).is(t, `{"uri":"yaml://secret/env","keys":["A","B"]}`)
	s.get(t, "/keys", q{"mount": "secret", "prefix": "env"}).is(t, `{"uri":"yaml://secret/env","keys":["A","B"]}`)
	s.get(t, "/keys", q{"mount": "secret", "prefix": "yaml://secret/env"}).fails(t, 400, "AMBIGUOUS_MOUNT")
	s.get(t, "/metadata", q{"mount": "secret", "prefix": "yaml://secret/env"}).fails(t, 400, "AMBIGUOUS_MOUNT")
	s.get(t, "/metadata", nil).fails(t, 400, "BAD_REQUEST")
	s.get(t, "/keys", nil).fails(t, 400, "BAD_REQUEST")
	var all page
	s.get(t, "/metadata", q{"prefix": "yaml://secret/"}).want(t, 200).json(t, &all)
	var uris []string
	for _, i := range all.Items {
		uris = append(uris, i.URI)
		s.value(t, i.URI).want(t, 200) // what is listed can be read
	}
	if want := []string{"yaml://secret/deep#n", "yaml://secret/deep/x/y#z", "yaml://secret/env#A", "yaml://secret/env#B", "yaml://secret/scalar"}; !slices.Equal(uris, want) {
		t.Errorf("leaves %q", uris)
	}
	if got := s.search(t, q{"q": "a", "prefix": "yaml://secret/env"}); got.Total != 1 || got.Items[0].Key != "A" {
		t.Errorf("%+v", got)
	}
}

func TestC31_yamlValues(t *testing.T) {
	t.Parallel()
	s, file := withFile(t, options{})
	for _, path := range []string{"", "/value"} {
		read := func(uri string) answer { return s.get(t, path, q{"uri": uri}) }
		read("yaml://secret/env#A").is(t, `{"value":"`+mark("a")+`"}`)
		read("yaml://secret/env").is(t, `{"A":"`+mark("a")+`","B":"`+mark("b")+`"}`)
		read("yaml://secret/scalar").is(t, `"`+mark("s")+`"`)
		read("yaml://secret/scalar#x").fails(t, 404, "SECRET_NOT_FOUND")
		read("yaml://secret/none").fails(t, 404, "SECRET_NOT_FOUND")
		read("yaml://secret/env#C").fails(t, 404, "SECRET_NOT_FOUND")
		read("yaml://secret/deep#x").is(t, `{"value":{"y":{"z":"`+mark("z")+`"}}}`)
		read("yaml://secret/env?version=1").fails(t, 501, "UNSUPPORTED_OPERATION")
	}
	a := s.post(t, "", obj{"uri": "yaml://secret/env#C", "value": mark("c")}).want(t, 200)
	if got := a.object(t); got["version"] != nil || got["uri"] != "yaml://secret/env#C" {
		t.Errorf("%s", a)
	}
	got := s.post(t, "/rotate", obj{"uri": "yaml://secret/env#C", "value": mark("d")}).want(t, 200).object(t)
	if got["old_version"] != nil || got["new_version"] != nil || len(got) != 5 {
		t.Errorf("%v", got)
	}
	s.post(t, "", obj{"uri": "yaml://secret/env", "value": obj{}}, header("If-Match", `"1"`)).fails(t, 501, "UNSUPPORTED_OPERATION")
	s.del(t, q{"uri": "yaml://secret/env#C"}, header("If-Match", `"1"`)).fails(t, 501, "UNSUPPORTED_OPERATION")
	s.del(t, q{"uri": "yaml://secret/env#C"}).is(t, `{"status":"ok","uri":"yaml://secret/env#C","destroyed":false}`)
	s.del(t, q{"uri": "yaml://secret/env#C"}).fails(t, 404, "SECRET_NOT_FOUND")
	s.del(t, q{"uri": "yaml://secret/deep"}).want(t, 200)
	s.del(t, q{"uri": "yaml://secret/deep"}).fails(t, 404, "SECRET_NOT_FOUND")
	if body, err := os.ReadFile(file); err != nil || strings.Contains(string(body), "deep") {
		t.Errorf("%s, %v", body, err)
	}
}

func TestC30_yamlInProduction(t *testing.T) {
	t.Parallel()
	s, file := withFile(t, options{env: []string{"ENVIRONMENT=prod", "SECRETS_API_REQUIRE_AUTH=true"}})
	who := s.as(t, "alice", "--groups", "dev")
	s.post(t, "", obj{"uri": "yaml://secret/env#A", "value": "x"}, who).fails(t, 403, "YAML_WRITES_DISABLED")
	s.post(t, "/rotate", obj{"uri": "yaml://secret/env#A", "value": "x"}, who).fails(t, 403, "YAML_WRITES_DISABLED")
	s.del(t, q{"uri": "yaml://secret/env#A"}, who).fails(t, 403, "YAML_WRITES_DISABLED")
	uri := fresh("c30")
	s.put(t, uri, obj{"a": 1}, who)
	s.post(t, "/copy", obj{"fromUri": uri, "toUri": "yaml://secret/new"}, who).fails(t, 403, "YAML_WRITES_DISABLED")
	s.post(t, "/move", obj{"fromUri": "yaml://secret/env", "toUri": fresh("c30")}, who).fails(t, 403, "YAML_WRITES_DISABLED")
	for _, r := range s.bulk(t, obj{"operations": items("yaml://secret/env#A")[:2]}, who).Results {
		if r.HTTPStatus != 403 || r.Code != "YAML_WRITES_DISABLED" {
			t.Errorf("%+v", r)
		}
	}
	if body, err := os.ReadFile(file); err != nil || string(body) != yamlFile {
		t.Errorf("the file changed: %s, %v", body, err)
	}
	s.value(t, "yaml://secret/env#A", who).is(t, `{"value":"`+mark("a")+`"}`)
	off := start(t, options{env: []string{"ENVIRONMENT=prod", "SECRETS_API_REQUIRE_AUTH=true"}})
	if a := off.value(t, "yaml://secret/env", off.as(t, "alice", "--groups", "dev")); a.status != 501 && a.status != 400 {
		t.Errorf("a YAML store without a file: %s", a)
	}
}
