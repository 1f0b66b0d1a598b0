package vaultdouble_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// readX is a policy that reads one path, as it is written and as JSON shows it.
const readX = "path \"secret/data/x\" { capabilities = [\"read\"] }"

func put(name, text string, status int, want string) call {
	return call{do: "POST sys/policies/acl/" + name, body: body("policy", text), status: status, want: want}
}

func policyShown(name, text string, version int) string {
	return lifted(fmt.Sprintf(`"cas_required":false,"modified":%q,"name":%q,"policy":%q,"version":%d`, t0, name, text, version))
}

const lowered = `["policy name was converted to lowercase"]`

func TestE35_P1_write(t *testing.T) {
	each(t, func(w *world) {
		encoded := base64.StdEncoding.EncodeToString([]byte(readX))
		w.run(
			put("dev", readX, 204, ""),
			call{do: "GET sys/policies/acl/dev", status: 200, want: policyShown("dev", readX, 1)},
			call{do: "PUT sys/policies/acl/dev", body: body("policy", encoded), status: 204},
			call{do: "GET sys/policies/acl/dev", status: 200, want: policyShown("dev", readX, 2)},
			put("Dev", readX, 200, full("null", lowered)),
			call{do: "GET sys/policies/acl/DEV", status: 200, want: policyShown("dev", readX, 3)},
		)
	})
}

func TestE35_P2_refused_texts(t *testing.T) {
	refused := map[string]string{
		"parse error":         `path {`,
		"A7 pattern":          `path "secret/+*" { capabilities = ["read"] }`,
		"A7 capability":       `path "secret/x" { capabilities = ["zzz"] }`,
		"allowed_parameters":  `path "secret/x" { capabilities = ["read"] allowed_parameters = { "a" = [] } }`,
		"denied_parameters":   `path "secret/x" { capabilities = ["read"] denied_parameters = { "a" = [] } }`,
		"required_parameters": `path "secret/x" { capabilities = ["read"] required_parameters = ["a"] }`,
		"wrapping":            `path "secret/x" { capabilities = ["read"] max_wrapping_ttl = "1h" }`,
		"mfa":                 `path "secret/x" { capabilities = ["read"] mfa_methods = ["a"] }`,
		"control_group":       `path "secret/x" { capabilities = ["read"] control_group = {} }`,
		"pagination_limit":    `path "secret/x" { capabilities = ["list"] pagination_limit = 5 }`,
		"list filter":         `path "secret/x" { capabilities = ["list"] list_scan_response_keys_filter_path = "a" }`,
		"expiration":          `path "secret/x" { capabilities = ["read"] expiration = "2030-01-01T00:00:00Z" }`,
		"template":            `path "secret/{{identity.entity.id}}" { capabilities = ["read"] }`,
	}
	each(t, func(w *world) {
		empty := errs("'policy' parameter not supplied or empty")
		w.run(call{do: "POST sys/policies/acl/dev", body: `{}`, status: 400, want: empty}, put("dev", "", 400, empty))
		for name, text := range refused {
			status, got := w.do(put("dev", text, 0, ""))
			if status != 400 || !strings.HasPrefix(got, `{"errors":["failed to parse policy`) {
				w.Errorf("%s: %d %s", name, status, got)
			}
		}
		w.run(call{do: "GET sys/policies/acl/dev", status: 404, want: notFound})
	})
}

func TestE35_P3_P4_read_and_list(t *testing.T) {
	each(t, func(w *world) {
		names := lifted(`"keys":["default","dev","root"]`)
		w.run(
			call{do: "LIST sys/policies/acl", status: 200, want: lifted(`"keys":["default","root"]`)},
			call{do: "GET sys/policies/acl/none", status: 404, want: notFound},
			put("dev", readX, 204, ""),
			call{do: "LIST sys/policies/acl", status: 200, want: names},
			call{do: "GET sys/policies/acl?list=true", status: 200, want: names},
		)
	})
}

func TestE35_P5_E36_delete_and_reserved_names(t *testing.T) {
	each(t, func(w *world) {
		noRoot := errs(`cannot update "root" policy`)
		w.run(
			put("dev", readX, 204, ""),
			call{do: "DELETE sys/policies/acl/dev", status: 204},
			call{do: "DELETE sys/policies/acl/dev", status: 204},
			call{do: "GET sys/policies/acl/dev", status: 404, want: notFound},
			call{do: "DELETE sys/policies/acl/default", status: 400, want: errs("cannot delete default policy")},
			put("root", readX, 400, noRoot), put("ROOT", readX, 400, noRoot), put(" Root", readX, 400, noRoot),
			put("default", readX, 204, ""),
			call{do: "GET sys/policies/acl/default", status: 200, want: policyShown("default", readX, 1)},
			call{do: "GET secret/data/x", token: "poor", status: 404, want: notFound},
		)
	})
}

func TestE35_P6_legacy(t *testing.T) {
	each(t, func(w *world) {
		w.run(
			call{do: "POST sys/policy/dev", body: body("policy", readX), status: 204},
			call{do: "PUT sys/policy/dev", body: body("rules", readX), status: 204},
			call{do: "GET sys/policy/dev", status: 200, want: lifted(fmt.Sprintf(`"name":"dev","rules":%q`, readX))},
			call{do: "GET sys/policies/acl/dev", status: 200, want: policyShown("dev", readX, 2)},
			call{do: "GET sys/policy", status: 200, want: lifted(`"keys":["default","dev","root"],"policies":["default","dev","root"]`)},
			call{do: "DELETE sys/policy/default", status: 400, want: errs("cannot delete default policy")},
			call{do: "DELETE sys/policy/dev", status: 204},
			call{do: "GET sys/policy/dev", status: 404, want: notFound},
		)
	})
}

func TestE35_P7_capabilities_self(t *testing.T) {
	each(t, func(w *world) {
		w.run(
			put("dev", readX+"\npath \"secret/data/y*\" { policy = \"write\" }", 204, ""),
			call{do: "POST sys/capabilities-self", token: "dev", body: `{"paths":["secret/data/x","secret/data/yy","z"]}`, status: 200,
				want: lifted(`"secret/data/x":["read"],"secret/data/yy":["create","delete","list","read","update"],"z":["deny"]`)},
			call{do: "POST sys/capabilities-self", token: "poor", body: `{"paths":["secret/data/x"]}`, status: 200,
				want: lifted(`"capabilities":["deny"],"secret/data/x":["deny"]`)},
		)
	})
}

// The clients' own helpers, as an operator's program uses them.
func TestPoliciesByTheClientsHelpers(t *testing.T) {
	each(t, func(w *world) {
		sys := baoClient(w.T, w.double.URL).Sys()
		if err := sys.PutPolicy("dev", readX); err != nil {
			w.Fatal(err)
		}
		if text, err := sys.GetPolicy("dev"); err != nil || text != readX {
			w.Fatalf("get: %v %q", err, text)
		}
		names, err := sys.ListPolicies()
		if slices.Sort(names); err != nil || !slices.Equal(names, []string{"default", "dev", "root"}) {
			w.Fatalf("list: %v %v", err, names)
		}
		if caps, err := sys.CapabilitiesSelf("x"); err != nil || !slices.Equal(caps, []string{"root"}) {
			w.Fatalf("capabilities: %v %v", err, caps)
		}
		if err := sys.DeletePolicy("dev"); err != nil {
			w.Fatal(err)
		}
		if text, err := sys.GetPolicy("dev"); err != nil || text != "" {
			w.Fatalf("get after delete: %v %q", err, text)
		}
	})
}
