package vaulttest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/secret"
)

// row is one row of the KV v2 table: what it says, as calls in order.
type row struct {
	name  string
	calls []call
}

// TestKVRows drives every row by both official clients.
func TestKVRows(t *testing.T) {
	clients := map[string]func(*testing.T, string) sender{"openbao": openBao, "hashicorp": hashiCorp}
	for name, client := range clients {
		for _, r := range append(append(dataRows(), versionRows()...), metadataRows()...) {
			t.Run(name+"/E16_"+r.name, func(t *testing.T) {
				w := newWorld(t, nil)
				w.send = client(t, w.url)
				w.run(r.calls...)
			})
		}
	}
}

const notFoundBody = `{"errors":[]}` + "\n"

func badCAS() string { return errs("check-and-set parameter did not match the current version") }

func dataRows() []row {
	post := func(body string, status int, want string) call {
		return call{do: "POST secret/data/p", body: body, status: status, want: want}
	}
	return []row{
		{"K1_write", []call{
			post(`{"data":{"k":"v"},"options":{"cas":0}}`, 200, written(1)),
			{do: "PUT secret/data/p", body: `{"data":{"k":"w"}}`, status: 200, want: written(2)},
			{do: "GET secret/data/p", status: 200, want: readable(`{"k":"w"}`, 2)},
		}},
		{"K2_no_data", []call{
			post(``, 400, errs("no data provided")),
			post(`{"options":{}}`, 400, errs("no data provided")),
			post(`{"data":{},"unknown":[1],"options":{"unknown":true}}`, 200, written(1)),
		}},
		{"K3_data_is_no_object", []call{
			post(`{"data":"text"}`, 400, errs(`error converting input for field "data": expected a map`)),
			post(`{"data":[1]}`, 400, errs(`error converting input for field "data": expected a map`)),
			{do: "GET secret/data/p", status: 404, want: notFoundBody},
		}},
		{"K4_null_and_empty", []call{
			post(`{"data":null}`, 200, written(1)),
			{do: "GET secret/data/p", status: 200, want: readable(`{}`, 1)},
			post(`{"data":{}}`, 200, written(2)),
			{do: "GET secret/data/p", status: 200, want: readable(`{}`, 2)},
		}},
		{"K5_malformed", []call{
			post(`{"data":`, 400, errs("failed to decode JSON input: not a JSON object")),
			post(`[]`, 400, errs("failed to decode JSON input: not a JSON object")),
		}},
		{"K6_no_path", []call{
			{do: "POST secret/data", body: `{"data":{}}`, status: 400, want: errs("cannot write to a path ending in '/'")},
		}},
		{"K7_cas_mismatch", []call{
			post(`{"data":{},"options":{"cas":1}}`, 400, badCAS()),
			put("secret/data/p", `{}`, 1),
			post(`{"data":{},"options":{"cas":0}}`, 400, badCAS()),
			post(`{"data":{},"options":{"cas":-1}}`, 400, badCAS()),
			{do: "DELETE secret/data/p", status: 204},
			post(`{"data":{},"options":{"cas":0}}`, 400, badCAS()),
			post(`{"data":{},"options":{"cas":1}}`, 200, written(2)),
		}},
		{"K8_cas_forms", []call{
			{do: "POST secret/metadata/p", body: `{"max_versions":3}`, status: 204},
			post(`{"data":{},"options":{"cas":0}}`, 200, written(1)),
			post(`{"data":{},"options":{"cas":"1"}}`, 200, written(2)),
			post(`{"data":{},"options":{"cas":"two"}}`, 400, errs("error parsing check-and-set parameter")),
			post(`{"data":{},"options":{"cas":null}}`, 400, errs("error parsing check-and-set parameter")),
			post(`{"data":{},"options":5}`, 400, errs(`error converting input for field "options": expected a map`)),
		}},
		{"K9_cas_required", []call{
			{do: "POST secret/metadata/p", body: `{"cas_required":true}`, status: 204},
			post(`{"data":{}}`, 400, errs("check-and-set parameter required for this call")),
			{do: "POST secret/config", body: `{"cas_required":true}`, status: 204},
			{do: "POST secret/data/q", body: `{"data":{}}`, status: 400, want: errs("check-and-set parameter required for this call")},
			post(`{"data":{},"options":{"cas":0}}`, 200, written(1)),
		}},
		{"K10_read", []call{
			put("secret/data/p", `{"n":1}`, 1), put("secret/data/p", `{"n":2}`, 2),
			{do: "GET secret/data/p?version=1", status: 200, want: readable(`{"n":1}`, 1)},
			{do: "GET secret/data/p?version=0", status: 200, want: readable(`{"n":2}`, 2)},
			{do: "GET secret/data/p?version=-3", status: 200, want: readable(`{"n":2}`, 2)},
			{do: "GET secret/data/p?version=x", status: 400, want: errs(`Field validation failed: error converting input for field "version"`)},
		}},
		{"K16_numbers_keep_their_literal", []call{
			put("secret/data/p", `{"a":9007199254740993,"b":12345678901234567890,"c":1.0,"d":1e3}`, 1),
			{do: "GET secret/data/p", status: 200, want: readable(`{"a":9007199254740993,"b":12345678901234567890,"c":1.0,"d":1e3}`, 1)},
		}},
		{"envelope_sorts_and_escapes", []call{
			put("secret/data/p", `{"z":"<&>","a":{"y":1,"b":2}}`, 1),
			{do: "GET secret/data/p", status: 200, want: readable(`{"a":{"b":2,"y":1},"z":"\u003c\u0026\u003e"}`, 1)},
		}},
		{"K17_patch", patchCalls()},
		{"K18_patch_refused", []call{
			{do: "PATCH secret/data/p", body: `{"data":{}}`, header: [2]string{"Content-Type", "application/json"}, status: 415,
				want: errs("PATCH requires Content-Type of application/merge-patch+json, provided application/json")},
			patchCall("secret/data/p", `{"data":{}}`, 404, ""),
			put("secret/data/p", `{}`, 1),
			{do: "DELETE secret/data/p", status: 204},
			patchCall("secret/data/p", `{"data":{"a":1}}`, 404, data(lostVersion(t0, false))),
			{do: "POST secret/destroy/p", body: `{"versions":[1]}`, status: 204},
			patchCall("secret/data/p", `{"data":{"a":1}}`, 404, data(lostVersion(t0, true))),
		}},
		{"K37_unsupported", []call{
			{do: "LIST secret/data/p", status: 405, want: errs(multi("unsupported operation"))},
			{do: "HEAD secret/data/p", status: 405},
			{do: "GET secret/delete/p", status: 405, want: errs(multi("unsupported operation"))},
		}},
		{"K38_unknown_paths", []call{
			{do: "GET secret/x/y", status: 404, want: full("null",
				`["Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use."]`, "null")},
			{do: "GET other/data/p", status: 404, want: errs(`no handler for route "other/data/p". route entry not found.`)},
			{do: "GET secret/data/p", header: [2]string{"X-Vault-Namespace", "team"}, status: 404, want: errs("namespace not found")},
			{do: "GET sys/nothing", status: 404, want: errs(multi("unsupported path"))},
		}},
		{"K39_permission", []call{
			{do: "GET secret/data/p", token: "-", status: 403, want: errs("permission denied")},
			{do: "GET secret/data/p", token: "bad", status: 403, want: errs("permission denied")},
			{do: "GET secret/data/p", token: "poor", status: 403, want: errs(multi("permission denied"))},
			{do: "POST auth/token/revoke-self", token: "poor", status: 204},
			{do: "GET secret/data/p", token: "poor", status: 403, want: errs("permission denied")},
		}},
	}
}

func patchCall(path, body string, status int, want string) call {
	return call{do: "PATCH " + path, body: body, status: status, want: want,
		header: [2]string{"Content-Type", "application/merge-patch+json"}}
}

func patchCalls() []call {
	return []call{
		put("secret/data/p", `{"a":{"b":1,"c":2},"d":1.0,"e":"x"}`, 1),
		patchCall("secret/data/p", `{"data":{"a":{"b":null,"n":3},"e":[1],"f":{"g":null}}}`, 200, written(2)),
		{do: "GET secret/data/p", status: 200, want: readable(`{"a":{"c":2,"n":3},"d":1.0,"e":[1],"f":{}}`, 2)},
		patchCall("secret/data/p", `{"data":{},"options":{"cas":1}}`, 400, badCAS()),
		patchCall("secret/data/p", `{"data":{},"options":{"cas":2}}`, 200, written(3)),
		patchCall("secret/data/p", `{}`, 400, errs("no data provided")),
		{do: "POST secret/metadata/p", body: `{"cas_required":true}`, status: 204},
		patchCall("secret/data/p", `{"data":{}}`, 400, errs("check-and-set parameter required for this call")),
		patchCall("secret/data/p", `{"data":{},"options":{"cas":3}}`, 200, written(4)),
	}
}

// lostVersion is version 1, written at t0, that cannot be read.
func lostVersion(deleted string, destroyed bool) string {
	return fmt.Sprintf(`{"created_time":%q,"custom_metadata":null,"deletion_time":%q,"destroyed":%t,"version":1}`, t0, deleted, destroyed)
}

func lost(member, deleted string, destroyed bool) string {
	if member == "data" {
		return data(`{"data":null,"metadata":` + lostVersion(deleted, destroyed) + `}`)
	}
	return data(`{"metadata":` + lostVersion(deleted, destroyed) + `,"` + member + `":null}`)
}

func versionRows() []row {
	none := func(text string) string { return errs(text) }
	badList := errs(`Field validation failed: error converting input for field "versions"`)
	versions := func(kind, body string, status int, want string) call {
		return call{do: "POST secret/" + kind + "/p", body: body, status: status, want: want}
	}
	get := func(status int, want string) call {
		return call{do: "GET secret/data/p?version=1", status: status, want: want}
	}
	return []row{
		{"K11_unknown", []call{
			{do: "GET secret/data/p", status: 404, want: notFoundBody},
			{do: "POST secret/metadata/p", body: `{"max_versions":1}`, status: 204},
			{do: "GET secret/data/p", status: 404, want: notFoundBody},
		}},
		{"K12_unknown_version", []call{
			{do: "POST secret/metadata/p", body: `{"max_versions":1}`, status: 204},
			put("secret/data/p", `{}`, 1), put("secret/data/p", `{}`, 2),
			get(404, notFoundBody),
			{do: "GET secret/data/p?version=9", status: 404, want: notFoundBody},
		}},
		{"K13_K14_deleted_destroyed", []call{
			put("secret/data/p", `{}`, 1),
			{do: "DELETE secret/data/p", wait: 10 * time.Second, status: 204},
			get(404, lost("data", t0s10, false)),
			versions("destroy", `{"versions":[1]}`, 204, ""),
			get(404, lost("data", t0s10, true)),
			{do: "POST secret/data/q", body: `{"data":{}}`, status: 200,
				want: strings.ReplaceAll(written(1), t0, t0s10)},
			{do: "POST secret/destroy/q", body: `{"versions":[1]}`, status: 204},
			{do: "GET secret/data/q", status: 404,
				want: strings.Replace(lost("data", "", true), t0, t0s10, 1)},
		}},
		{"K15_future_deletion_is_live", []call{
			{do: "POST secret/metadata/p", body: `{"delete_version_after":"10s"}`, status: 204},
			{do: "POST secret/data/p", body: `{"data":{}}`, status: 200, want: data(lostVersion(t0s10, false))},
			{do: "GET secret/data/p", status: 200, want: data(`{"data":{},"metadata":` + lostVersion(t0s10, false) + `}`)},
			{do: "GET secret/data/p", wait: 10 * time.Second, status: 404, want: lost("data", t0s10, false)},
		}},
		{"K19_delete", []call{
			{do: "DELETE secret/data/p", status: 204},
			put("secret/data/p", `{"n":1}`, 1), put("secret/data/p", `{"n":2}`, 2),
			{do: "DELETE secret/data/p?version=1", status: 204},
			get(200, readable(`{"n":1}`, 1)),
			{do: "GET secret/data/p", status: 404, want: strings.Replace(lost("data", t0, false), `"version":1`, `"version":2`, 1)},
			{do: "DELETE secret/data/p", wait: time.Hour, status: 204},
			{do: "GET secret/data/p", status: 404, want: strings.Replace(lost("data", t0, false), `"version":1`, `"version":2`, 1)},
		}},
		{"K20_K21_delete_and_undelete_versions", []call{
			versions("delete", `{"versions":[1]}`, 204, ""),
			put("secret/data/p", `{}`, 1), put("secret/data/p", `{}`, 2), put("secret/data/p", `{}`, 3),
			versions("delete", `{"versions":"1,2"}`, 204, ""),
			get(404, lost("data", t0, false)),
			versions("undelete", `{"versions":["1",9,0]}`, 204, ""),
			get(200, readable(`{}`, 1)),
			versions("delete", `{"versions":1}`, 204, ""),
			get(404, lost("data", t0, false)),
			versions("destroy", `{"versions":[1,77]}`, 204, ""),
			versions("undelete", `{"versions":[1]}`, 204, ""),
			get(404, lost("data", t0, true)),
			{do: "POST secret/undelete/unknown", body: `{"versions":[1]}`, status: 204},
			{do: "POST secret/destroy/unknown", body: `{"versions":[1]}`, status: 204},
		}},
		{"K23_no_versions", []call{
			versions("delete", `{"versions":[]}`, 400, none("No version number provided")),
			versions("undelete", `{}`, 400, none("No version number provided")),
			versions("destroy", ``, 400, none("no version number provided")),
			versions("delete", `{"versions":["x"]}`, 400, badList),
			versions("undelete", `{"versions":{"a":1}}`, 400, badList),
			versions("destroy", `{"versions":[[1]]}`, 400, badList),
		}},
		{"K30_delete_metadata", []call{
			put("secret/data/p", `{}`, 1), put("secret/data/p", `{}`, 2),
			{do: "DELETE secret/metadata/p", status: 204},
			{do: "DELETE secret/metadata/p", status: 204},
			{do: "GET secret/data/p", status: 404, want: notFoundBody},
			put("secret/data/p", `{}`, 1),
		}},
		{"K35_subkeys", []call{
			put("secret/data/p", `{"a":1,"n":{"b":[{"c":1}],"d":{"e":2}},"o":{}}`, 1),
			{do: "GET secret/subkeys/p", status: 200, want: data(`{"metadata":` + lostVersion("", false) + `,"subkeys":{"a":null,"n":{"b":null,"d":{"e":null}},"o":null}}`)},
			{do: "GET secret/subkeys/p?depth=1", status: 200, want: data(`{"metadata":` + lostVersion("", false) + `,"subkeys":{"a":null,"n":null,"o":null}}`)},
			{do: "GET secret/subkeys/p?depth=2&version=1", status: 200, want: data(`{"metadata":` + lostVersion("", false) + `,"subkeys":{"a":null,"n":{"b":null,"d":null},"o":null}}`)},
			{do: "GET secret/subkeys/p?depth=x", status: 400, want: errs(`Field validation failed: error converting input for field "depth"`)},
			{do: "DELETE secret/data/p", status: 204},
			{do: "GET secret/subkeys/p", status: 404, want: lost("subkeys", t0, false)},
			{do: "GET secret/subkeys/unknown", status: 404, want: notFoundBody},
		}},
		{"E21_value_size", []call{
			put("secret/data/p", `{"k":"`+strings.Repeat("x", secret.MaxValue-8)+`"}`, 1),
			{do: "POST secret/data/p", body: `{"data":{"k":"` + strings.Repeat("x", secret.MaxValue-7) + `"}}`, status: 413,
				want: errs("value is larger than 1048576 bytes")},
		}},
	}
}
