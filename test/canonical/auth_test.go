package canonical

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"testing"
)

func TestC42_noCredentials(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	good := s.token(t, "--sub", "alice", "--groups", "dev")
	none := []with{
		func(*httpRequest) {}, bearer("internal"), header("Authorization", "Basic YWRtaW46YWRtaW4="), bearer(""), header("Authorization", good),
		header("X-Subject", "alice"), header("X-Forwarded-User", "alice"), header("Cookie", "bff_session=internal"), header("Authorization", "Bearer"),
	}
	for _, w := range none {
		for _, p := range everywhere() {
			p.call(t, s, fresh("c42"), w).fails(t, 401, "UNAUTHENTICATED")
		}
		s.post(t, "/bulk", obj{"operations": items(fresh("c42"))}, w).fails(t, 401, "UNAUTHENTICATED")
		s.get(t, "/audit", nil, w).fails(t, 401, "UNAUTHENTICATED")
		s.get(t, "/events", nil, w).fails(t, 401, "UNAUTHENTICATED")
	}
	// Before the body, behind the route.
	s.raw(t, "POST", base, []byte("no json"), header("Content-Type", "text/plain")).fails(t, 401, "UNAUTHENTICATED")
	s.raw(t, "GET", base+"/value?uri=nonsense", nil).fails(t, 401, "UNAUTHENTICATED")
	s.raw(t, "GET", base+"/nothing", nil).fails(t, 404, "NOT_FOUND")
	s.raw(t, "PUT", base, nil).want(t, 405)
	s.put(t, fresh("c42"), obj{"a": 1}, bearer(good))
	for _, path := range []string{"/readyz", "/healthz", "/livez", "/metrics", "/dev/issuer/.well-known/openid-configuration"} {
		s.raw(t, "GET", path, nil).want(t, 200)
	}
}

func TestC42_forgedTokens(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	f := newForge(t, s)
	for name, token := range f.forgeries(t) {
		a := s.value(t, fresh("c42f"), bearer(token))
		if a.status != 401 {
			t.Errorf("%s: %s", name, a)
		}
	}
	for name, args := range map[string][]string{
		"expired": {"--ttl", "-10m"}, "other issuer": {"--claim", "iss=https://evil.example"}, "iss with slash": {"--claim", "iss=" + s.url + "/dev/issuer/"},
		"no iss": {"--claim", "iss=null"}, "no exp": {"--claim", "exp=null"}, "exp as text": {"--claim", `exp="4102444800"`},
		"not yet": {"--claim", "nbf=4102444800"}, "no sub": {"--claim", "sub=null"}, "sub list": {"--claim", `sub=["alice"]`},
	} {
		args = append([]string{"--sub", "alice", "--groups", "dev"}, args...)
		if a := s.value(t, fresh("c42f"), s.as(t, "alice", args[2:]...)); a.status != 401 {
			t.Errorf("%s: %s", name, a)
		}
	}
	s.value(t, fresh("c42f"), bearer(f.valid)).want(t, 404)
	s.value(t, fresh("c42f"), s.as(t, "alice", "--groups", "dev", "--ttl", "-30s")).want(t, 404) // within the leeway
}

func TestC43_scopes(t *testing.T) {
	t.Parallel()
	s := guarded(t, "SECRETS_ENFORCE_SCOPES=true")
	all := []string{"read", "write", "delete", "destroy", "rotate", "read_metadata", "set_owner"}
	token := func(scopes ...string) with {
		text := ""
		for _, name := range scopes {
			text += " secrets." + name
		}
		return s.as(t, "alice", "--groups", "dev", "--scopes", text)
	}
	full := token(all...)
	uri := s.versions(t, "c43", 2, full)
	need := map[string][]string{
		"POST ": {"write"}, "GET ": {"read"}, "GET /value": {"read"}, "DELETE": {"delete"}, "POST /rotate": {"rotate"},
		"GET /metadata": {"read_metadata"}, "GET /keys": {"read_metadata"}, "GET /metadata/detail": {"read_metadata"}, "GET /versions": {"read_metadata"},
		"POST /undelete": {"delete"}, "POST /destroy-versions": {"destroy"}, "POST /metadata/owner": {"set_owner"},
		"POST /copy": {"read", "write"}, "POST /copy target": {"read", "write"}, "POST /move": {"read", "write"}, "POST /move target": {"read", "write"},
		"GET /search": {"read_metadata"},
	}
	without := map[string]with{}
	for _, name := range all {
		without[name] = token(slices.DeleteFunc(slices.Clone(all), func(n string) bool { return n == name })...)
	}
	for _, p := range everywhere() {
		for _, name := range need[p.name] {
			p.call(t, s, uri, without[name]).fails(t, 403, "INSUFFICIENT_SCOPE")
		}
	}
	s.del(t, q{"uri": uri, "destroy": "true"}, without["destroy"]).fails(t, 403, "INSUFFICIENT_SCOPE")
	s.del(t, q{"uri": uri, "destroy": "true"}, token("delete")).fails(t, 403, "INSUFFICIENT_SCOPE")
	s.del(t, q{"uri": uri}, token("delete")).want(t, 200)
	s.value(t, scheme+"other/a", token()).fails(t, 400, "TENANT_MOUNT_MISMATCH")  // the guard before the scope
	s.value(t, "openbao://secret/a", token()).fails(t, 403, "INSUFFICIENT_SCOPE") // the scope before 501
	out := s.bulk(t, obj{"operations": items(uri)}, token("write", "rotate"))
	for _, r := range out.Results {
		if allowed := r.Op == "set" || r.Op == "rotate"; allowed != (r.Status == "ok") || !allowed && r.Code != "INSUFFICIENT_SCOPE" {
			t.Errorf("%+v", r)
		}
	}
	for _, scp := range []string{`scp=["secrets.read"]`, `scp=secrets.read`} {
		s.value(t, uri, s.as(t, "alice", "--groups", "dev", "--claim", scp)).want(t, 200)
	}
	s.value(t, uri, s.as(t, "alice", "--groups", "dev", "--scopes", "secrets.reader secrets.rea")).fails(t, 403, "INSUFFICIENT_SCOPE")
}

func TestC44_audience(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	uri := fresh("c44")
	try := func(args ...string) answer {
		return s.value(t, uri, s.as(t, "alice", append(args, "--groups", "dev")...))
	}
	for _, claim := range []string{`aud=["other"]`, `aud="other"`, `aud=[]`, `aud=""`, `aud="crud.secrets2"`, `aud="CRUD.secrets"`, `aud=["other","crud.secret"]`} {
		a := try("--claim", claim).fails(t, 403, "SECRET_AUTHZ_FAILED")
		if !contains(a.body, `"reason":"audience"`) {
			t.Errorf("%s", a)
		}
	}
	f := newForge(t, s)
	s.value(t, uri, bearer(signRSA(t, f.key, part(t, f.header, nil)+"."+part(t, f.payload, obj{"aud": nil})))).want(t, 404)
	for _, claim := range []string{`aud="crud.secrets"`, `aud=["other","crud.secrets"]`} {
		if a := try("--claim", claim); a.status != 404 {
			t.Errorf("%s: %s", claim, a)
		}
	}
	try("--aud", "other,crud.secrets").want(t, 404)
	try("--aud", "other").want(t, 403)
	for _, claim := range []string{`aud=1`, `aud={"a":1}`, `aud=[1]`} {
		if a := try("--claim", claim); a.status != 401 && a.status != 403 {
			t.Errorf("%s: %s", claim, a)
		}
	}
}

func TestC46_createOnly(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	who, uri := s.as(t, "dave", "--groups", "createonly"), fresh("c46")
	s.post(t, "", obj{"uri": uri, "value": obj{"a": 1}}, who).want(t, 200)
	s.post(t, "", obj{"uri": uri, "value": obj{"a": 2}}, who).fails(t, 403, "SECRET_AUTHZ_FAILED")
	s.post(t, "/rotate", obj{"uri": fresh("c46"), "value": obj{"a": 2}}, who).fails(t, 403, "SECRET_AUTHZ_FAILED")
	s.value(t, uri, who).fails(t, 403, "SECRET_AUTHZ_FAILED")
	destroyer := s.as(t, "erin", "--groups", "destroyonly")
	s.post(t, "/destroy-versions", obj{"uri": uri, "versions": []int{1}}, destroyer).want(t, 200)
	s.del(t, q{"uri": uri, "destroy": "true"}, destroyer).fails(t, 403, "SECRET_AUTHZ_FAILED")
	// Of ten first writes at once one creates; for the others it is an update.
	raced := fresh("c46r")
	ok := 0
	for _, a := range together(10, func(i int) answer { return s.post(t, "", obj{"uri": raced, "value": obj{"i": i}}, who) }) {
		if a.status == 200 {
			ok++
		} else {
			a.fails(t, 403, "SECRET_AUTHZ_FAILED")
		}
	}
	if ok != 1 {
		t.Errorf("%d creations", ok)
	}
}

func TestC47_noOracle(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	owner := s.as(t, "alice", "--groups", "dev")
	here, gone := s.versions(t, "c47", 2, owner), fresh("c47")
	s.del(t, q{"uri": here}, owner).want(t, 200)
	ids := regexp.MustCompile(`"(decision_id|resource_ref)":"[^"]*"`)
	for name, who := range map[string]with{
		"nobody": s.as(t, "mallory"), "a group alike": s.as(t, "mallory", "--groups", "de,devs,de v,dev*,*,dev/,/dev"),
		"other rights": s.as(t, "mallory", "--groups", "appmeta"), "groups no list": s.as(t, "mallory", "--claim", `groups={"0":"dev"}`),
		"nested group": s.as(t, "mallory", "--claim", `groups=[["dev"]]`),
	} {
		for _, p := range everywhere() {
			if p.name == "GET /search" || p.name == "GET " || p.name == "GET /keys" || p.name == "GET /metadata" {
				continue
			}
			var bodies [][]byte
			for _, uri := range []string{here, gone, here + "#token", gone + "#token", here + "?version=1"} {
				a := p.call(t, s, uri, who)
				if a.status == 400 {
					continue // the form of the URI, whatever it names
				}
				a.fails(t, 403, "SECRET_AUTHZ_FAILED")
				bodies = append(bodies, ids.ReplaceAll(a.body, []byte(`"$1":""`)))
			}
			for _, b := range bodies {
				if !bytes.Equal(b, bodies[0]) {
					t.Errorf("%s, %s: %s and %s", name, p.name, b, bodies[0])
				}
			}
		}
		a, b := s.search(t, q{"q": "", "prefix": here}, who), s.search(t, q{"q": "", "prefix": gone}, who)
		if a.Total != 0 || b.Total != 0 || fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("%s: search shows %+v and %+v", name, a, b)
		}
	}
}

func TestC34_searchRights(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	owner := s.as(t, "alice", "--groups", "dev")
	for _, path := range []string{"app/a", "app/b/c", "application", "other/app/a", "app"} {
		s.put(t, scheme+"secret/"+path, obj{"appkey": mark("v")}, owner)
	}
	who := s.as(t, "mallory", "--groups", "appmeta")
	for _, query := range []q{{"q": "app"}, {"q": "", "prefix": scheme + "secret"}, {"q": "a", "prefix": scheme + "secret/"}} {
		got := s.search(t, query, who)
		if got.Total != 2 || !slices.Equal(got.paths(), []string{"secret/app/a", "secret/app/b/c"}) {
			t.Errorf("%v: %+v", query, got)
		}
	}
	if got := s.search(t, q{"q": "app", "limit": "1"}, who); got.Total != 2 || len(got.Items) != 1 {
		t.Errorf("%+v", got)
	}
	// list shows names, neither keys nor custom metadata
	lister := s.as(t, "oscar", "--groups", "applist")
	if got := s.search(t, q{"q": "appkey"}, lister); got.Total != 0 {
		t.Errorf("names only, and the keys match: %+v", got)
	}
	if got := s.search(t, q{"q": "app"}, lister); !slices.Equal(got.paths(), []string{"secret/app/a", "secret/app/b/c"}) || !slices.Equal(got.Items[0].Matched, []string{"path"}) {
		t.Errorf("names only: %+v", got)
	}
	if got := s.search(t, q{"q": "alice"}, lister); got.Total != 0 {
		t.Errorf("names only, and the owner matches: %+v", got)
	}
	if got := s.search(t, q{"q": "appkey"}, who); got.Total != 2 {
		t.Errorf("%+v", got)
	}
}

// Environment test: the anonymous caller holds what a group of that name holds.
func TestC45_anonymousInTest(t *testing.T) {
	t.Parallel()
	s := start(t, options{env: []string{"ENVIRONMENT=test"}})
	s.value(t, fresh("c45")).fails(t, 403, "SECRET_AUTHZ_FAILED")
	with := start(t, options{env: []string{"ENVIRONMENT=test"}, config: `
policy:
  bootstrap:
    policies: [{name: ro, hcl: 'path "secret/data/*" { capabilities = ["read"] }'}]
    groups: [{name: anonymous, alias: anonymous, policies: [ro]}]
`})
	with.value(t, fresh("c45")).fails(t, 404, "SECRET_NOT_FOUND")
	with.post(t, "", obj{"uri": fresh("c45"), "value": obj{}}).fails(t, 403, "SECRET_AUTHZ_FAILED")
	on := start(t, options{env: []string{"ENVIRONMENT=test", "SECRETS_API_REQUIRE_AUTH=true"}, config: `
policy:
  bootstrap:
    policies: [{name: ro, hcl: 'path "secret/data/*" { capabilities = ["read"] }'}]
    groups: [{name: anonymous, alias: nobody, policies: [ro]}]
`})
	on.value(t, fresh("c45"), on.as(t, "x", "--claim", `sub="anonymous"`)).fails(t, 403, "SECRET_AUTHZ_FAILED")
}

// The refusal of a decision says what, under which decision, and why.
func TestC47_details(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	a := s.value(t, fresh("details"), s.as(t, "mallory")).fails(t, 403, "SECRET_AUTHZ_FAILED")
	var body struct {
		Details struct {
			Purpose    string `json:"purpose"`
			DecisionID string `json:"decision_id"`
			Failures   []struct {
				Ref    string `json:"resource_ref"`
				Code   string `json:"code"`
				Reason string `json:"reason"`
			} `json:"failures"`
		} `json:"details"`
	}
	if err := json.Unmarshal(a.body, &body); err != nil {
		t.Fatal(err)
	}
	d := body.Details
	if d.Purpose != "execute" || len(d.DecisionID) != 36 || len(d.Failures) != 1 || len(d.Failures[0].Ref) != 43 ||
		d.Failures[0].Code != "DENY" || d.Failures[0].Reason != "policy" {
		t.Errorf("%s", a)
	}
	records := s.auditFile(t, obj{"decision_id": d.DecisionID})
	if len(records) != 1 || records[0]["effect"] != "Deny" || records[0]["resource_ref"] != d.Failures[0].Ref {
		t.Errorf("records %v", records)
	}
}
