package coffer_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// Each file breaks exactly one rule, or none where want is empty.
func TestRulesBite(t *testing.T) {
	const doc = "// Package x owns nothing.\n"
	imp := func(pkg, name string) string {
		return doc + "package " + pkg + "\n\nimport _ \"" + strings.Replace(name, "~", module, 1) + "\"\n"
	}
	long := strings.Repeat("\t_ = 0\n", maxFunction)
	for name, c := range map[string]struct{ file, text, want string }{
		"secret imports identity":       {"internal/secret/a.go", imp("secret", "~/internal/identity"), "vocabulary imports nothing"},
		"secret imports fault":          {"internal/secret/a.go", imp("secret", "~/internal/fault"), ""},
		"fault imports secret":          {"internal/fault/a.go", imp("fault", "~/internal/secret"), "must not import"},
		"api imports internals":         {"api/canonical/a.go", imp("canonical", "~/internal/secret"), "wire types stand alone"},
		"client imports internals":      {"client/a.go", imp("client", "~/internal/fault"), "the client is for other programs"},
		"client imports api":            {"client/a.go", imp("client", "~/api/canonical"), ""},
		"identity imports policy":       {"internal/identity/a.go", imp("identity", "~/internal/policy"), "earlier concepts"},
		"policy imports identity":       {"internal/policy/a.go", imp("policy", "~/internal/identity"), ""},
		"ledger imports policy":         {"internal/ledger/a.go", imp("ledger", "~/internal/policy"), "the kernel"},
		"ledger imports its node":       {"internal/ledger/a.go", imp("ledger", "~/internal/ledger/etcdnode"), ""},
		"adapter imports a use case":    {"internal/store/embedded/a.go", imp("embedded", "~/internal/secrets"), "an adapter knows"},
		"adapter imports an adapter":    {"internal/store/route/a.go", imp("route", "~/internal/store/embedded"), "an adapter knows"},
		"kek imports seal":              {"internal/seal/kek/a.go", imp("kek", "~/internal/seal"), ""},
		"acl imports authzen":           {"internal/policy/acl/a.go", imp("acl", "~/internal/policy/authzen"), "an adapter knows"},
		"use case imports a use case":   {"internal/secrets/a.go", imp("secrets", "~/internal/tenants"), "interfaces of its own"},
		"use case imports a store":      {"internal/secrets/a.go", imp("secrets", "~/internal/store/embedded"), "interfaces of its own"},
		"use case imports http":         {"internal/secrets/a.go", imp("secrets", "net/http"), "HTTP belongs to doors"},
		"door imports the ledger":       {"internal/door/canonical/a.go", imp("canonical", "~/internal/ledger"), "knows no adapter"},
		"door imports a door":           {"internal/door/canonical/a.go", imp("canonical", "~/internal/door/registry"), "no other door"},
		"door imports the door kit":     {"internal/door/canonical/a.go", imp("canonical", "~/internal/door"), ""},
		"door imports its api":          {"internal/door/canonical/a.go", imp("canonical", "~/api/canonical"), ""},
		"door imports another api":      {"internal/door/canonical/a.go", imp("canonical", "~/api/registry"), "must not import api/registry"},
		"door imports a use case":       {"internal/door/canonical/a.go", imp("canonical", "~/internal/secrets"), ""},
		"daemon imports all":            {"internal/daemon/a.go", imp("daemon", "~/internal/store/embedded"), ""},
		"production imports support":    {"internal/daemon/a.go", imp("daemon", "~/internal/store/storetest"), "exists for tests alone"},
		"tests import anything":         {"internal/secret/a_test.go", imp("secret", "~/internal/daemon"), ""},
		"support imports anything":      {"internal/store/storetest/a.go", imp("storetest", "~/internal/daemon"), ""},
		"test support imports support":  {"test/x/a.go", imp("x", "~/internal/store/storetest"), ""},
		"production imports test":       {"internal/daemon/a.go", imp("daemon", "~/test/x"), "exists for tests alone"},
		"unknown room":                  {"internal/attic/a.go", doc + "package attic\n", "in no row"},
		"etcd outside the ledger":       {"internal/store/embedded/a.go", imp("embedded", "go.etcd.io/etcd/client/v3"), "that it is etcd"},
		"etcd in the ledger":            {"internal/ledger/a.go", imp("ledger", "go.etcd.io/etcd/client/v3"), ""},
		"kafka outside the bus":         {"internal/daemon/a.go", imp("daemon", "github.com/twmb/franz-go/pkg/kgo"), "only the bus"},
		"openbao outside store/vault":   {"internal/store/embedded/a.go", imp("embedded", "github.com/openbao/openbao/api/v2"), "only the vault store"},
		"a name that only begins alike": {"internal/secrets/a.go", imp("secrets", "net/httpx"), ""},

		"no package comment":    {"internal/secret/a.go", "package secret\n", "no package comment"},
		"util":                  {"internal/daemon/util/a.go", doc + "package util\n", "named after nothing"},
		"long file":             {"internal/secret/a.go", doc + "package secret\n" + strings.Repeat("\n", maxFile), "500 at most"},
		"long test file":        {"internal/secret/a_test.go", doc + "package secret\n" + strings.Repeat("\n", maxFile), "500 at most"},
		"long generated file":   {"internal/secret/a.go", "// Code generated by x. DO NOT EDIT.\n\n" + doc + "package secret\n" + strings.Repeat("\n", maxFile), ""},
		"long function":         {"internal/secret/a.go", doc + "package secret\n\nfunc f() {\n" + long + "}\n", "name its parts"},
		"function of the limit": {"internal/secret/a.go", doc + "package secret\n\nfunc f() {\n" + long[:len(long)-2*len("\t_ = 0\n")] + "}\n", ""},
		"long table":            {"internal/secret/a.go", doc + "package secret\n\nfunc f() []int {\n\treturn []int{\n" + strings.Repeat("\t\t0,\n", maxFunction) + "\t}\n}\n", ""},
		"init":                  {"internal/secret/a.go", doc + "package secret\n\nfunc init() {}\n", "func init"},
		"method init":           {"internal/secret/a.go", doc + "package secret\n\ntype t int\n\nfunc (t) init() {}\n", ""},
		"counter":               {"internal/secret/a.go", doc + "package secret\n\nvar n int\n", "state of the package"},
		"regexp":                {"internal/secret/a.go", doc + "package secret\n\nvar re = regexp.MustCompile(`x`)\n", "state of the package"},
		"map that is written":   {"internal/secret/a.go", doc + "package secret\n\nvar m = map[string]int{}\n\nfunc f() { m[``] = 1 }\n", "state of the package"},
		"pointer to a table":    {"internal/secret/a.go", doc + "package secret\n\nvar m = [...]int{1}\n\nvar _ = &m\n", "state of the package"},
		"exported table":        {"internal/secret/a.go", doc + "package secret\n\n// M is open.\nvar M = []int{1}\n", "state of the package"},
		"table that is read":    {"internal/secret/a.go", doc + "package secret\n\nvar m = [...]int{1}\n", ""},
		"error":                 {"internal/secret/a.go", doc + "package secret\n\nvar errX = errors.New(`x`)\n", ""},
		"metric":                {"internal/secret/a.go", doc + "package secret\n\nvar m = prometheus.NewCounter(o)\n", ""},
		"embed":                 {"internal/secret/a.go", doc + "package secret\n\n//go:embed x\nvar m string\n", ""},
		"interface check":       {"internal/secret/a.go", doc + "package secret\n\nvar _ I = T{}\n", ""},
		"stamped version":       {"cmd/coffer/version.go", doc + "package main\n\nvar version = `devel`\n", ""},
		"undocumented func":     {"internal/secret/a.go", doc + "package secret\n\nfunc F() {}\n", "F is exported"},
		"undocumented method":   {"internal/secret/a.go", doc + "package secret\n\ntype t int\n\n// U is one.\ntype U int\n\nfunc (*U) F() {}\n\nfunc (t) G() {}\n", "F is exported"},
		"undocumented type":     {"internal/secret/a.go", doc + "package secret\n\ntype T int\n", "T is exported"},
		"undocumented const":    {"internal/secret/a.go", doc + "package secret\n\nconst C = 1\n", "C is exported"},
		"documented group":      {"internal/secret/a.go", doc + "package secret\n\n// All of it.\nconst (\n\tC = 1\n\tD = 2\n)\n", ""},
		"verb in another file":  {"cmd/coffer/config.go", doc + "package main\n\nfunc newServe() *cobra.Command { return nil }\n", "one file a verb"},
		"verb in its file":      {"cmd/coffer/serve.go", doc + "package main\n\nfunc newServe() *cobra.Command { return nil }\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := violations(fstest.MapFS{c.file: {Data: []byte(c.text)}})
			if err != nil {
				t.Fatal(err)
			}
			if c.want == "" && len(found) > 0 || c.want != "" && (len(found) != 1 || !strings.Contains(found[0], c.want)) {
				t.Fatalf("found %q, want %q", found, c.want)
			}
		})
	}
}

func TestPackageLimit(t *testing.T) {
	tree := fstest.MapFS{}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		tree["internal/secret/"+name+".go"] = &fstest.MapFile{Data: []byte("// Package secret.\npackage secret\n" + strings.Repeat("\n", maxFile-50))}
	}
	found, err := violations(tree)
	if err != nil || len(found) != 1 || !strings.Contains(found[0], "2000 at most") {
		t.Fatalf("found %q, %v", found, err)
	}
}

// Scripts outside the project rely on these names.
func TestRunContract(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"help", "build", "run", "test", "verify", "bench", "fuzz"} {
		if !strings.Contains(string(makefile), "\n"+target+":") {
			t.Errorf("the Makefile has no target %s", target)
		}
	}
	ci, err := os.ReadFile(".ci/run")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(ci), "#!/usr/bin/env bash\n") || !strings.HasSuffix(string(ci), "exec make test\n") {
		t.Errorf(".ci/run does not call make test:\n%s", ci)
	}
	if info, err := os.Stat(".ci/run"); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf(".ci/run cannot be executed: %v", err)
	}
}
