package vaulttest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// lifted is an answer of a system path: its members stand at top level, too.
func lifted(members string) string {
	return "{" + members + "," + strings.TrimPrefix(data("{"+members+"}"), "{")
}

func policy(name, text string, version int) string {
	return lifted(fmt.Sprintf(`"cas_required":false,"modified":%q,"name":%q,"policy":%q,"version":%d`, t0, name, text, version))
}

func TestPolicyRows(t *testing.T) {
	const path = "sys/policies/acl/"
	post := func(name, body string, status int, want string) call {
		return call{do: "POST " + path + name, body: body, status: status, want: want}
	}
	badParse := errs("failed to parse policy: rule is not supported")
	rows := []row{
		{"P1_write", []call{
			post("dev", `{"policy":"a = read"}`, 204, ""),
			{do: "PUT " + path + "dev", body: `{"policy":"YSA9IGxpc3Q="}`, status: 204},
			{do: "GET " + path + "dev", status: 200, want: policy("dev", "a = list", 2)},
			post("Dev", `{"policy":"a = read"}`, 200, full("null", `["policy name was converted to lowercase"]`, "null")),
			{do: "GET " + path + "DEV", status: 200, want: policy("dev", "a = read", 3)},
		}},
		{"P2_refused_texts", []call{
			post("dev", `{}`, 400, errs("'policy' parameter not supplied or empty")),
			post("dev", `{"policy":""}`, 400, errs("'policy' parameter not supplied or empty")),
			post("dev", `{"policy":"path {"}`, 400, badParse),
			{do: "GET " + path + "dev", status: 404, want: notFoundBody},
		}},
		{"E35_unenforceable_texts_are_not_stored", []call{
			post("dev", `{"policy":"allowed_parameters"}`, 400, badParse), post("dev", `{"policy":"control_group"}`, 400, badParse),
			post("dev", `{"policy":"expiration"}`, 400, badParse), post("dev", `{"policy":"a/{{identity}}"}`, 400, badParse),
			{do: "GET " + path + "dev", status: 404, want: notFoundBody},
		}},
		{"P4_list", []call{
			post("dev", `{"policy":"a = read"}`, 204, ""),
			{do: "LIST sys/policies/acl", status: 200, want: lifted(`"keys":["default","dev","root"]`)},
			{do: "GET sys/policies/acl?list=true", status: 200, want: lifted(`"keys":["default","dev","root"]`)},
		}},
		{"P5_delete_and_reserved_names", []call{
			post("dev", `{"policy":"a = read"}`, 204, ""),
			{do: "DELETE " + path + "dev", status: 204},
			{do: "DELETE " + path + "dev", status: 204},
			{do: "GET " + path + "dev", status: 404, want: notFoundBody},
			{do: "DELETE " + path + "default", status: 400, want: errs("cannot delete default policy")},
			{do: "DELETE " + path + "root", status: 400, want: errs("cannot delete root policy")},
			post("root", `{"policy":"a = read"}`, 400, errs(`cannot update "root" policy`)),
			post("ROOT", `{"policy":"a = read"}`, 400, errs(`cannot update "root" policy`)),
			post(" Root", `{"policy":"a = read"}`, 400, errs(`cannot update "root" policy`)),
			post("default", `{"policy":"a = read"}`, 204, ""),
			{do: "GET " + path + "default", status: 200, want: policy("default", "a = read", 1)},
			{do: "GET " + path + "root", status: 200, want: strings.ReplaceAll(policy("root", "", 0), t0, "")},
		}},
		{"P6_legacy", []call{
			{do: "POST sys/policy/dev", body: `{"policy":"a = read"}`, status: 204},
			{do: "GET sys/policy/dev", status: 200, want: lifted(`"name":"dev","rules":"a = read"`)},
			{do: "GET sys/policy/default", status: 200, want: lifted(`"name":"default","rules":""`)},
			{do: "GET sys/policy", status: 200, want: lifted(`"keys":["default","dev","root"],"policies":["default","dev","root"]`)},
			{do: "DELETE sys/policy/dev", status: 204},
			{do: "GET sys/policy/dev", status: 404, want: notFoundBody},
		}},
		{"P7_capabilities_self", []call{
			post("dev", `{"policy":"secret/data/x = update,read"}`, 204, ""),
			{do: "POST sys/capabilities-self", token: "dev", body: `{"paths":["secret/data/x","secret/data/y"]}`, status: 200,
				want: lifted(`"secret/data/x":["read","update"],"secret/data/y":["deny"]`)},
			{do: "POST sys/capabilities-self", body: `{"paths":"any"}`, status: 200, want: lifted(`"any":["root"],"capabilities":["root"]`)},
			{do: "POST sys/capabilities-self", body: `{}`, status: 400, want: errs("paths must be supplied")},
		}},
	}
	for _, r := range rows {
		t.Run("E35_"+r.name, func(t *testing.T) {
			newWorld(t, withPolicies).run(r.calls...)
		})
	}
}

// A token has what its policies allow, and a write to a known key is an update.
func TestPoliciesDecide(t *testing.T) {
	w := newWorld(t, withPolicies)
	denied := errs(multi("permission denied"))
	write := func(status int, want string) call {
		return call{do: "POST secret/data/x", token: "dev", body: `{"data":{}}`, status: status, want: want}
	}
	w.run(call{do: "POST sys/policies/acl/dev", status: 204,
		body: `{"policy":"secret/data/x = create\nsecret/metadata/ = list\nsecret/delete/x = update"}`},
		write(200, written(1)), write(403, denied),
		call{do: "GET secret/data/x", token: "dev", status: 403, want: denied},
		call{do: "LIST secret/metadata", token: "dev", status: 200, want: data(`{"keys":["x"]}`)},
		call{do: "SCAN secret/metadata", token: "dev", status: 403, want: denied},
		call{do: "POST secret/delete/x", token: "dev", body: `{"versions":[1]}`, status: 204},
		call{do: "POST sys/policies/acl/more", token: "dev", body: `{"policy":"a = read"}`, status: 403, want: denied},
		call{do: "GET auth/token/lookup-self", token: "poor", status: 200, want: lookedUp(w)},
	)
}

// lookedUp is the self-description of the token without policies.
func lookedUp(w *world) string {
	a, err := w.send(call{do: "GET auth/token/lookup-self", token: "poor"})
	if err != nil || !strings.Contains(a.body, `"policies":["default"]`) || !strings.Contains(a.body, `"id":"poor"`) {
		w.Fatalf("lookup: %v %s", err, a.body)
	}
	return requestID().ReplaceAllString(a.body, `"request_id":"ID"`)
}

func TestPoliciesByClient(t *testing.T) {
	w := newWorld(t, withPolicies)
	sys := bao(t, w.url).Sys()
	if err := sys.PutPolicy("dev", "a = read"); err != nil {
		t.Fatal(err)
	}
	if text, err := sys.GetPolicy("dev"); err != nil || text != "a = read" {
		t.Fatalf("get: %v %q", err, text)
	}
	names, err := sys.ListPolicies()
	if err != nil || !slices.Equal(sorted(names), []string{"default", "dev", "root"}) {
		t.Fatalf("list: %v %v", err, names)
	}
	if err := sys.DeletePolicy("dev"); err != nil {
		t.Fatal(err)
	}
	if caps, err := sys.CapabilitiesSelf("x"); err != nil || !slices.Equal(caps, []string{"root"}) {
		t.Fatalf("capabilities: %v %v", err, caps)
	}
}

func TestPoliciesAreOptional(t *testing.T) {
	w := newWorld(t, nil)
	unknown := errs(multi("unsupported path"))
	w.run(call{do: "GET sys/policies/acl/dev", status: 404, want: unknown},
		call{do: "POST identity/group", body: `{"name":"g"}`, status: 404, want: unknown},
		call{do: "POST sys/capabilities-self", token: "poor", body: `{"paths":["a"]}`, status: 200,
			want: lifted(`"a":["deny"],"capabilities":["deny"]`)})
}
