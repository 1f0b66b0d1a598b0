package vaultdouble_test

import (
	"fmt"
	"testing"

	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
	"github.com/coffer-dev/coffer/test/vaultdouble"
)

func group(body string, status int, want string) call {
	return call{do: "POST identity/group", body: body, status: status, want: want}
}

func alias(body string, status int, want string) call {
	return call{do: "POST identity/group-alias", body: body, status: status, want: want}
}

func lookup(body string, status int, want string) call {
	return call{do: "POST identity/lookup/group", body: body, status: status, want: want}
}

func created(id int, name string) string {
	return data(fmt.Sprintf(`{"id":"{%d}","name":%q}`, id, name))
}

// shown is the answer about a group, whose id was the first to appear.
type shown struct {
	alias, name, kind, policies, metadata, children, parents string
	id, revision                                             int
}

func (s shown) String() string {
	or := func(text, otherwise string) string {
		if text == "" {
			return otherwise
		}
		return text
	}
	id := fmt.Sprintf("{%d}", max(s.id, 1))
	return data(fmt.Sprintf(`{"alias":%s,"creation_time":%q,"id":%q,"last_update_time":%q,"member_entity_ids":null,`+
		`"member_group_ids":%s,"metadata":%s,"modify_index":%d,"name":%q,"namespace_id":"root","parent_group_ids":%s,`+
		`"policies":%s,"type":%q}`, or(s.alias, "{}"), t0, id, t0, or(s.children, "null"), or(s.metadata, "null"),
		max(s.revision, 1), s.name, or(s.parents, "null"), or(s.policies, "null"), or(s.kind, "internal")))
}

func TestE35_G1_create_and_update(t *testing.T) {
	each(t, func(w *world) {
		w.run(
			group(`{"name":"dev","policies":["p"]}`, 200, created(1, "dev")),
			group(`{"name":"DEV","metadata":{"a":"1"}}`, 204, ""),
			call{do: "POST identity/group/name/dev", body: `{"policies":["q"]}`, status: 204},
			call{do: "PUT identity/group/id/{1}", body: `{"name":"renamed"}`, status: 204},
			call{do: "GET identity/group/name/renamed", status: 200,
				want: shown{name: "renamed", policies: `["q"]`, metadata: `{"a":"1"}`, revision: 4}.String()},
			call{do: "GET identity/group/name/dev", status: 404, want: notFound},
			call{do: "POST identity/group/name/second", body: `{}`, status: 200, want: created(2, "second")},
			group(`{}`, 400, errs("missing group name")),
			group(`{"name":"renamed","policies":[]}`, 204, ""),
			call{do: "GET identity/group/id/{1}", status: 200,
				want: shown{name: "renamed", metadata: `{"a":"1"}`, revision: 5}.String()},
		)
	})
}

func TestE35_G2_read(t *testing.T) {
	each(t, func(w *world) {
		external := shown{name: "ext", kind: "external", policies: `["a","b"]`, metadata: `{"k":"v"}`}.String()
		w.run(
			group(`{"name":"ext","type":"external","policies":"a,b","metadata":{"k":"v"}}`, 200, created(1, "ext")),
			call{do: "GET identity/group/id/{1}", status: 200, want: external},
			call{do: "GET identity/group/name/EXT", status: 200, want: external},
			call{do: "GET identity/group/id/none", status: 404, want: notFound},
			call{do: "GET identity/group/name/none", status: 404, want: notFound},
			group(`{"name":"bare"}`, 200, created(2, "bare")),
			call{do: "GET identity/group/name/bare", status: 200, want: shown{id: 2, name: "bare"}.String()},
			group(`{"name":"outer","member_group_ids":["{2}"]}`, 200, created(3, "outer")),
			call{do: "GET identity/group/name/outer", status: 200, want: shown{id: 3, name: "outer", children: `["{2}"]`}.String()},
			call{do: "GET identity/group/name/bare", status: 200, want: shown{id: 2, name: "bare", parents: `["{3}"]`}.String()},
		)
	})
}

func TestE35_G3_list(t *testing.T) {
	each(t, func(w *world) {
		w.run(
			call{do: "LIST identity/group/name", status: 404, want: notFound},
			call{do: "LIST identity/group/id", status: 404, want: notFound},
			group(`{"name":"dev"}`, 200, created(1, "dev")),
			call{do: "LIST identity/group/id", status: 200,
				want: data(`{"key_info":{"{1}":{"name":"dev","num_member_entities":0,"num_parent_groups":0}},"keys":["{1}"]}`)},
			group(`{"name":"abc","type":"external"}`, 200, created(2, "abc")),
			call{do: "LIST identity/group/name", status: 200, want: data(`{"keys":["abc","dev"]}`)},
			call{do: "GET identity/group/name?list=true", status: 200, want: data(`{"keys":["abc","dev"]}`)},
		)
	})
}

func TestE35_G4_delete_and_bad_input(t *testing.T) {
	each(t, func(w *world) {
		w.run(
			group(`{"name":"dev"}`, 200, created(1, "dev")),
			call{do: "DELETE identity/group/id/{1}", status: 204},
			call{do: "DELETE identity/group/id/{1}", status: 204},
			call{do: "DELETE identity/group/name/none", status: 204},
			group(`{"name":"x","type":"odd"}`, 400, errs(`invalid group type "odd"`)),
			group(`{"name":"x","member_entity_ids":["none"]}`, 500, errs(multi("invalid entity ID"))),
			group(`{"name":"x","member_group_ids":"none"}`, 500, errs(multi("invalid group ID"))),
			call{do: "GET identity/group/name/x", status: 404, want: notFound},
		)
	})
}

func TestE35_G5_alias_and_lookup(t *testing.T) {
	each(t, func(w *world) {
		taken := errs("combination of mount and group alias name is already in use")
		aliased := func(id, name, mount string, revision int) string {
			text := fmt.Sprintf(`{"canonical_id":"{1}","creation_time":%q,"id":%q,"last_update_time":%q,`+
				`"merged_from_canonical_ids":null,"metadata":null,"mount_accessor":%q,"name":%q}`, t0, id, t0, mount, name)
			return shown{alias: text, name: "ext", kind: "external", revision: revision}.String()
		}
		w.run(
			group(`{"name":"ext","type":"external"}`, 200, created(1, "ext")),
			alias(`{"name":"/acme","mount_accessor":"jwt_1","canonical_id":"{1}"}`, 200, data(`{"canonical_id":"{1}","id":"{2}"}`)),
			lookup(`{"name":"ext"}`, 200, aliased("{2}", "/acme", "jwt_1", 2)),
			lookup(`{"alias_name":"/acme","alias_mount_accessor":"jwt_1"}`, 200, aliased("{2}", "/acme", "jwt_1", 2)),
			lookup(`{"name":"none"}`, 204, ""),
			group(`{"name":"two","type":"external"}`, 200, created(3, "two")),
			alias(`{"name":"/acme","mount_accessor":"jwt_1","canonical_id":"{3}"}`, 400, taken),
			alias(`{"name":"/ACME","mount_accessor":"jwt_1","canonical_id":"{3}"}`, 400, taken),
			group(`{"name":"in"}`, 200, created(4, "in")),
			alias(`{"name":"x","canonical_id":"{4}"}`, 400, errs("alias can't be set on an internal group")),
			alias(`{"name":"x","canonical_id":"none"}`, 400, errs("invalid group ID given in 'canonical_id'")),
			// A second alias replaces the first, whose text is free again.
			alias(`{"name":"/other","mount_accessor":"jwt_1","canonical_id":"{1}"}`, 200, data(`{"canonical_id":"{1}","id":"{5}"}`)),
			lookup(`{"name":"ext"}`, 200, aliased("{5}", "/other", "jwt_1", 3)),
			alias(`{"name":"/acme","mount_accessor":"jwt_1","canonical_id":"{3}"}`, 200, data(`{"canonical_id":"{3}","id":"{6}"}`)),
		)
	})
}

func TestE36_nobody_gets_root(t *testing.T) {
	each(t, func(w *world) {
		w.run(
			group(`{"name":"acme","type":"external","policies":["root"]}`, 400, errs("policies cannot contain root")),
			group(`{"name":"acme","type":"external","policies":[" ROOT"]}`, 400, errs("policies cannot contain root")),
			group(`{"name":"acme","type":"external"}`, 200, created(1, "acme")),
			alias(`{"name":"/acme","canonical_id":"{1}"}`, 200, data(`{"canonical_id":"{1}","id":"{2}"}`)),
			call{do: "POST identity/group/name/acme", body: `{"policies":"Root"}`, status: 400, want: errs("policies cannot contain root")},
			self(`["deny"]`),
			put("Dev", readX, 200, full("null", lowered)),
			call{do: "POST identity/group/name/acme", body: `{"policies":[" DEV "]}`, status: 204},
			self(`["read"]`),
		)
	})
}

// A token in two groups has the policies of both, whichever it names first; one that
// lacks a group takes nothing from those that have it.
func TestE38_two_groups(t *testing.T) {
	each(t, func(w *world) {
		list := text([]string{"secret/metadata/: list"})
		read := func(token string, status int, want string) call {
			return call{do: "GET secret/data/x", token: token, status: status, want: want}
		}
		folder := func(token string, status int, want string) call {
			return call{do: "LIST secret/metadata", token: token, status: status, want: want}
		}
		w.run(
			put("dev", readX, 204, ""), put("list", list, 204, ""),
			group(`{"name":"acme","type":"external","policies":"dev"}`, 200, created(1, "acme")),
			group(`{"name":"other","type":"external","policies":"list"}`, 200, created(2, "other")),
			alias(`{"name":"/acme","canonical_id":"{1}"}`, 200, data(`{"canonical_id":"{1}","id":"{3}"}`)),
			alias(`{"name":"other","canonical_id":"{2}"}`, 200, data(`{"canonical_id":"{2}","id":"{4}"}`)),
			read("both", 404, notFound), folder("both", 404, notFound),
			read("around", 404, notFound), folder("around", 404, notFound),
			read("member", 404, notFound), folder("member", 403, denied()),
			read("both", 404, notFound), folder("both", 404, notFound),
			call{do: "DELETE identity/group/id/{1}", status: 204},
			read("both", 403, denied()), folder("both", 404, notFound), read("member", 403, denied()),
		)
	})
}

func TestE39_names_that_would_open_doors(t *testing.T) {
	each(t, func(w *world) {
		for _, name := range []string{"+", "a\\\"b", "a/../b", "offline_access", "uma_authorization", "default-roles-x", "a b", "*"} {
			w.run(group(`{"name":"`+name+`","type":"external"}`, 400, errs("group name is not legal")))
		}
		w.run(group(`{"name":"/acme","type":"external"}`, 200, created(1, "acme")))
	})
}

// Two replicas on three members of etcd: what one changes, the other decides by at
// its next request.
func TestE37_an_external_group_on_every_member(t *testing.T) {
	members := ledgertest.Cluster(t)
	at := func(c *ledger.Config) { c.Now = clock }
	here := vaultdouble.On(t, members.Open(t, at), options("a"))
	there := vaultdouble.On(t, members.Open(t, at), options("a"))
	w := &world{T: t, double: here, send: openBao(t, here.URL)}
	other := &world{T: t, double: there, send: hashiCorp(t, there.URL)}

	none := call{do: "GET secret/data/x", token: "member", status: 403, want: denied()}
	access := call{do: "GET secret/data/x", token: "member", status: 404, want: notFound}
	for range 3 {
		w.ids = nil
		w.run(
			put("dev", readX, 204, ""),
			group(`{"name":"acme","type":"external","policies":"dev"}`, 200, created(1, "acme")), none)
		other.run(none)
		w.run(alias(`{"name":"/acme","canonical_id":"{1}"}`, 200, data(`{"canonical_id":"{1}","id":"{2}"}`)), access)
		other.run(access,
			call{do: "DELETE identity/group/name/acme", status: 204}, none)
		w.run(none)
	}
}
