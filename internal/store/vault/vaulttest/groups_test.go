package vaulttest_test

import (
	"fmt"
	"testing"
)

// group is the answer about one group of t0.
func group(alias, id, name, kind, policies, metadata string, revision int) string {
	return fmt.Sprintf(`{"alias":%s,"creation_time":%q,"id":%q,"last_update_time":%q,"member_entity_ids":null,`+
		`"member_group_ids":null,"metadata":%s,"modify_index":%d,"name":%q,"namespace_id":"root","parent_group_ids":null,`+
		`"policies":%s,"type":%q}`, alias, t0, id, t0, metadata, revision, name, policies, kind)
}

func TestGroupRows(t *testing.T) {
	post := func(path, body string, status int, want string) call {
		return call{do: "POST identity/" + path, body: body, status: status, want: want}
	}
	created := func(id, name string) string { return data(fmt.Sprintf(`{"id":%q,"name":%q}`, id, name)) }
	external := post("group", `{"name":"ext","type":"external","policies":"a,b","metadata":{"k":"v"}}`, 200, created("id-1", "ext"))
	alias := fmt.Sprintf(`{"canonical_id":"id-1","creation_time":%q,"id":"alias-of-id-1","last_update_time":%q,`+
		`"merged_from_canonical_ids":null,"metadata":null,"mount_accessor":"jwt_1","name":"/acme"}`, t0, t0)
	rows := []row{
		{"G1_create_and_update", []call{
			post("group", `{"name":"dev","policies":["p"]}`, 200, created("id-1", "dev")),
			post("group", `{"name":"DEV","metadata":{"a":"1"}}`, 204, ""),
			post("group/name/dev", `{"policies":["q"]}`, 204, ""),
			post("group/id/id-1", `{"name":"renamed"}`, 204, ""),
			{do: "GET identity/group/name/renamed", status: 200, want: data(group("{}", "id-1", "renamed", "internal", `["q"]`, `{"a":"1"}`, 4))},
			post("group/name/second", `{}`, 200, created("id-2", "second")),
			post("group", `{}`, 400, errs("missing group name")),
		}},
		{"G2_read", []call{
			external,
			{do: "GET identity/group/id/id-1", status: 200, want: data(group("{}", "id-1", "ext", "external", `["a","b"]`, `{"k":"v"}`, 1))},
			{do: "GET identity/group/name/EXT", status: 200, want: data(group("{}", "id-1", "ext", "external", `["a","b"]`, `{"k":"v"}`, 1))},
			{do: "GET identity/group/id/none", status: 404, want: notFoundBody},
			{do: "GET identity/group/name/none", status: 404, want: notFoundBody},
			post("group", `{"name":"bare"}`, 200, created("id-2", "bare")),
			{do: "GET identity/group/name/bare", status: 200, want: data(group("{}", "id-2", "bare", "internal", `null`, `null`, 1))},
		}},
		{"G3_list", []call{
			{do: "LIST identity/group/name", status: 404, want: notFoundBody},
			external, post("group", `{"name":"dev"}`, 200, created("id-2", "dev")),
			{do: "LIST identity/group/name", status: 200, want: data(`{"keys":["dev","ext"]}`)},
			{do: "LIST identity/group/id", status: 200, want: data(`{"key_info":{"id-1":{"name":"ext","num_member_entities":0,"num_parent_groups":0},` +
				`"id-2":{"name":"dev","num_member_entities":0,"num_parent_groups":0}},"keys":["id-1","id-2"]}`)},
		}},
		{"G4_delete_and_bad_input", []call{
			external,
			{do: "DELETE identity/group/id/id-1", status: 204},
			{do: "DELETE identity/group/id/id-1", status: 204},
			{do: "DELETE identity/group/name/none", status: 204},
			post("group", `{"name":"x","type":"odd"}`, 400, errs(`invalid group type "odd"`)),
			post("group", `{"name":"x","member_entity_ids":["none"]}`, 500, errs(multi("invalid entity ID"))),
			post("group", `{"name":"x","member_group_ids":"none"}`, 500, errs(multi("invalid group ID"))),
			post("group", `{"name":"x","policies":{"a":1}}`, 400, errs(`Field validation failed: error converting input for field "policies"`)),
			{do: "GET identity/group/name/x", status: 404, want: notFoundBody},
		}},
		{"G5_alias_and_lookup", []call{
			external,
			post("group-alias", `{"name":"/acme","mount_accessor":"jwt_1","canonical_id":"id-1"}`, 200, data(`{"canonical_id":"id-1","id":"alias-of-id-1"}`)),
			post("lookup/group", `{"name":"ext"}`, 200, data(group(alias, "id-1", "ext", "external", `["a","b"]`, `{"k":"v"}`, 1))),
			post("lookup/group", `{"alias_name":"/acme","alias_mount_accessor":"jwt_1"}`, 200, data(group(alias, "id-1", "ext", "external", `["a","b"]`, `{"k":"v"}`, 1))),
			post("lookup/group", `{"alias_name":"/acme","alias_mount_accessor":"other"}`, 204, ""),
			post("lookup/group", `{"name":"none"}`, 204, ""),
			post("lookup/group", `{}`, 204, ""),
			post("group", `{"name":"two","type":"external"}`, 200, created("id-2", "two")),
			post("group-alias", `{"name":"/acme","mount_accessor":"jwt_1","canonical_id":"id-2"}`, 400, errs("combination of mount and group alias name is already in use")),
			post("group", `{"name":"in"}`, 200, created("id-3", "in")),
			post("group-alias", `{"name":"x","canonical_id":"id-3"}`, 400, errs("alias needs an external group")),
		}},
	}
	for _, r := range rows {
		t.Run("E35_"+r.name, func(t *testing.T) {
			newWorld(t, withPolicies).run(r.calls...)
		})
	}
}
