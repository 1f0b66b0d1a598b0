package canonical

import (
	"fmt"
	"testing"
)

// denyDelete is a configuration with groups of different rights.
const groupsConfig = `
policy:
  bootstrap:
    policies:
      - name: nodelete
        hcl: 'path "secret/*" { capabilities = ["create", "read", "update", "list"] }'
      - name: createonly
        hcl: 'path "secret/data/*" { capabilities = ["create"] }'
      - name: appmeta
        hcl: 'path "secret/metadata/app/*" { capabilities = ["read"] }'
      - name: applist
        hcl: 'path "secret/metadata/app/*" { capabilities = ["list"] }'
      - name: destroyonly
        hcl: 'path "secret/destroy/*" { capabilities = ["update"] }'
    groups:
      - {name: nodelete, alias: nodelete, policies: [nodelete]}
      - {name: createonly, alias: createonly, policies: [createonly]}
      - {name: appmeta, alias: appmeta, policies: [appmeta]}
      - {name: applist, alias: applist, policies: [applist]}
      - {name: destroyonly, alias: destroyonly, policies: [destroyonly]}
`

// guarded starts a server with authentication on and groups of different rights.
func guarded(t *testing.T, env ...string) *server {
	t.Helper()
	return start(t, options{env: append(env, "SECRETS_API_REQUIRE_AUTH=true"), config: groupsConfig})
}

func TestC36_bulkDecisions(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	who := s.as(t, "carol", "--groups", "nodelete")
	uri := fresh("c36")
	s.put(t, uri, obj{"a": 1}, who)
	out := s.bulk(t, obj{"operations": []obj{
		{"op": "set", "uri": uri, "value": obj{"a": mark("2")}},
		{"op": "delete", "uri": uri},
		{"op": "undelete", "uri": fresh("none"), "versions": []int{1}},
	}}, who)
	if out.Succeeded != 1 || out.Failed != 2 || out.Skipped != 0 || len(out.Results) != 3 {
		t.Fatalf("%+v", out)
	}
	r := out.Results
	if r[0].Status != "ok" || r[0].Version == nil || *r[0].Version != 2 || r[0].URI != uri || r[0].Op != "set" {
		t.Errorf("%+v", r[0])
	}
	if r[1].Status != "error" || r[1].HTTPStatus != 403 || r[1].Code != "SECRET_AUTHZ_FAILED" || r[1].Message == "" || r[1].Index != 1 {
		t.Errorf("%+v", r[1])
	}
	if r[2].HTTPStatus != 404 || r[2].Code != "SECRET_NOT_FOUND" {
		t.Errorf("%+v", r[2])
	}
	s.value(t, uri, who).is(t, `{"a":"`+mark("2")+`"}`)
	if n := len(s.auditFile(t, obj{"purpose": "delete", "effect": "Deny"})); n != 1 {
		t.Errorf("%d records of the refusal", n)
	}
}

func TestC37_bulkOrder(t *testing.T) {
	s := dev(t)
	for text, stops := range map[any]bool{"False": true, false: true, "false": true, "True": false, true: false} {
		first, second := fresh("c37"), fresh("c37")
		out := s.bulk(t, obj{"continueOnError": text, "operations": []obj{
			{"op": "undelete", "uri": first, "versions": []int{1}},
			{"op": "set", "uri": second, "value": obj{"a": 1}},
			{"op": "delete", "uri": second},
		}})
		want := map[bool]string{true: "skipped", false: "ok"}[stops]
		if out.Results[0].Status != "error" || out.Results[1].Status != want || out.Results[2].Status != want {
			t.Errorf("continueOnError %v: %+v", text, out)
		}
		if stops && (out.Skipped != 2 || s.current(t, second) != 0) {
			t.Errorf("skipped with effect: %+v", out)
		}
	}
	for _, bad := range []any{"yes", 1, obj{}, ""} {
		s.post(t, "/bulk", obj{"continueOnError": bad, "operations": items(fresh("c37"))}).fails(t, 400, "BAD_REQUEST")
	}
}

func TestC37_bulkRefused(t *testing.T) {
	s := dev(t)
	uri := fresh("c37r")
	many := make([]obj, 101)
	for i := range many {
		many[i] = obj{"op": "set", "uri": uri, "value": obj{"a": 1}}
	}
	for name, body := range map[string]obj{
		"empty": {"operations": []obj{}}, "missing": {}, "null": {"operations": nil}, "text": {"operations": "x"},
		"too many": {"operations": many}, "unknown op": {"operations": append(many[:1:1], obj{"op": "put", "uri": uri})},
		"op in other case": {"operations": append(many[:1:1], obj{"op": "Set", "uri": uri, "value": obj{}})},
		"no op":            {"operations": append(many[:1:1], obj{"uri": uri})}, "no object": {"operations": []any{many[0], 1}},
		"null item": {"operations": []any{many[0], nil}},
	} {
		if a := s.post(t, "/bulk", body); a.status != 400 {
			t.Errorf("%s: %s", name, a)
		}
	}
	if v := s.current(t, uri); v != 0 {
		t.Errorf("a refused bulk has written version %d", v)
	}
	s.post(t, "/bulk", obj{"operations": many[:100]}).want(t, 200)
	if v := s.current(t, uri); v != 100 {
		t.Errorf("version %d after 100 sets", v)
	}
}

func TestC37_bulkItems(t *testing.T) {
	s := dev(t)
	uri := s.versions(t, "items", 3)
	for _, c := range []struct {
		op     obj
		status int
		code   string
	}{
		{obj{"op": "set", "uri": uri, "value": "x"}, 400, "OBJECT_REQUIRED"},
		{obj{"op": "set", "uri": uri, "value": obj{}, "ifMatch": `"9"`}, 412, "PRECONDITION_FAILED"},
		{obj{"op": "set", "uri": uri + "?version=1", "value": obj{}}, 400, "VERSION_NOT_ALLOWED"},
		{obj{"op": "set", "uri": scheme + "secret/*", "value": obj{}}, 400, "INVALID_WILDCARD"},
		{obj{"op": "delete", "uri": uri + "#token"}, 400, "FRAGMENT_NOT_ALLOWED"},
		{obj{"op": "destroy", "uri": uri + "#token"}, 400, "FRAGMENT_NOT_ALLOWED"},
		{obj{"op": "undelete", "uri": uri}, 400, "EMPTY_VERSIONS"},
		{obj{"op": "undelete", "uri": uri, "versions": []int{}}, 400, "EMPTY_VERSIONS"},
		{obj{"op": "destroy", "uri": uri, "versions": []int{}}, 400, "EMPTY_VERSIONS"},
		{obj{"op": "destroy", "uri": uri, "versions": []int{0}}, 400, "INVALID_VERSION"},
		{obj{"op": "set", "uri": scheme + "secret", "value": obj{}}, 400, "PATH_REQUIRED"},
		{obj{"op": "set", "uri": uri}, 400, "BAD_REQUEST"},
		{obj{"op": "set", "value": obj{}}, 400, "BAD_REQUEST"},
		{obj{"op": "set", "uri": uri, "value": obj{}, "ifMatch": "x"}, 400, "BAD_REQUEST"},
		{obj{"op": "undelete", "uri": uri, "versions": "x"}, 400, "INVALID_VERSION"},
		{obj{"op": "delete", "uri": uri, "fragmentScope": "key"}, 400, "BAD_REQUEST"},
		{obj{"op": "delete", "uri": uri + "?version=1"}, 400, "VERSION_NOT_ALLOWED"},
	} {
		out := s.bulk(t, obj{"operations": []obj{c.op}})
		if r := out.Results[0]; r.HTTPStatus != c.status || r.Code != c.code || out.Failed != 1 {
			t.Errorf("%v: %+v", c.op, r)
		}
	}
	if v := s.current(t, uri); v != 3 {
		t.Fatalf("version %d after refused items", v)
	}
	out := s.bulk(t, obj{"operations": []obj{
		{"op": "set", "uri": uri + "#other", "value": mark("o"), "ifMatch": `"3"`},
		{"op": "rotate", "uri": uri, "value": obj{"token": mark("5")}},
		{"op": "destroy", "uri": uri, "versions": []int{1}},
		{"op": "delete", "uri": uri + "#token", "fragmentScope": "path"},
		{"op": "undelete", "uri": uri, "versions": []int{5}},
	}})
	if out.Succeeded != 5 || *out.Results[0].Version != 4 || *out.Results[1].Version != 5 || out.Results[3].URI != uri {
		t.Fatalf("%+v", out)
	}
	s.value(t, uri).is(t, `{"token":"`+mark("5")+`"}`)
	s.value(t, uri+"?version=1").fails(t, 409, "SECRET_VERSION_DESTROYED")
	if out := s.bulk(t, obj{"operations": []obj{{"op": "destroy", "uri": uri}}}); out.Succeeded != 1 || s.current(t, uri) != 0 {
		t.Errorf("%+v", out)
	}
}

// A write to a key that an earlier item made is an update, and decided as one.
func TestC46_createInBulk(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	who := s.as(t, "dave", "--groups", "createonly")
	uri := fresh("c46b")
	set := func(n int) obj { return obj{"op": "set", "uri": uri, "value": obj{"n": n}} }
	out := s.bulk(t, obj{"operations": []obj{set(1), set(2)}}, who)
	if out.Results[0].Status != "ok" || out.Results[1].HTTPStatus != 403 {
		t.Errorf("%s", fmt.Sprintf("%+v", out))
	}
}
