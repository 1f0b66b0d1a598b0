package config_test

import (
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/internal/config"
)

func TestIssuersDiffer(t *testing.T) {
	two := func(a, b string) string { return "identity:\n  issuers:\n    - " + a + "\n    - " + b + "\n" }
	refused(t, config.Dev, two("{url: \"https://a\", alias: x}", "{url: \"https://a\", alias: y}"), nil, "identity.issuers[1].url")
	refused(t, config.Dev, two("{url: \"https://a\", alias: x}", "{url: \"https://b\", alias: x}"), nil, "identity.issuers[1].alias")
	c := must(t, config.Dev, two("{url: \"https://a\", alias: x}", "{url: \"https://a/\", alias: X, audiences: [one], algorithms: [EdDSA]}"), nil)
	first, second := c.Identity.Issuers[0], c.Identity.Issuers[1]
	if len(first.Algorithms) != 9 || first.AllowPrivate || len(second.Algorithms) != 1 || second.Audiences[0] != "one" {
		t.Fatalf("issuers %+v", c.Identity.Issuers)
	}
}

func TestIntrospection(t *testing.T) {
	refused(t, config.Dev, "identity: {introspection: {endpoint: \"https://i\"}}\n", nil,
		"identity.introspection.client_id", "identity.introspection.secret_file")
	refused(t, config.Dev, "identity: {introspection: {endpoint: i, client_id: c, secret_file: /s}}\n", nil, "identity.introspection.endpoint")
	// Introspection alone is a way to authenticate.
	only := strings.Replace(production, "  issuers:\n    - {url: \"https://id.example.org/realms/a\", alias: keycloak}\n",
		"  introspection: {endpoint: \"https://i\", client_id: c, secret_file: /s}\n", 1)
	if c := must(t, config.Serve, only, nil); c.Identity.Introspection.ClientID != "c" {
		t.Fatalf("introspection %+v", c.Identity.Introspection)
	}
}

func TestTrustedProxies(t *testing.T) {
	must(t, config.Dev, "identity: {trusted_proxies: [10.0.0.0/8, 192.0.2.7, \"2001:db8::/32\", \"::1\"]}\n", nil)
	for _, bad := range []string{"10.0.0.0/33", "10.0.0", "proxy", "*"} {
		refused(t, config.Dev, "identity: {trusted_proxies: [\""+bad+"\"]}\n", nil, "identity.trusted_proxies[0]")
	}
}

func TestTenantNames(t *testing.T) {
	for _, good := range []string{"a", "0", "a-b", "a-", strings.Repeat("a", 63)} {
		must(t, config.Dev, "", map[string]string{"TENANT_ID": good})
	}
	for _, bad := range []string{"", "-a", "A", "a_b", "a.b", "a/b", "ä", "a b", strings.Repeat("a", 64)} {
		refused(t, config.Dev, "", map[string]string{"TENANT_ID": bad}, "tenant.id")
	}
}

func TestMountNames(t *testing.T) {
	for _, good := range []string{"secret", "Secret", "kv-2", "team.kv"} {
		must(t, config.Dev, "", map[string]string{"TENANT_ALLOWED_MOUNTS": good})
	}
	for _, bad := range []string{"a/b", "*", "+", "..", ".", "a..b", "a b", "a%2fb", "a#b", "a?b"} {
		refused(t, config.Dev, "", map[string]string{"TENANT_ALLOWED_MOUNTS": bad}, "tenant.allowed_mounts[0]")
	}
}

func TestDevBootstrap(t *testing.T) {
	own := "policy:\n  bootstrap:\n    policies: [{name: dev, hcl: mine}, {name: more, hcl: x}]\n    groups: [{name: team, alias: /team, policies: [more]}]\n"
	b := must(t, config.Dev, own, nil).Policy.Bootstrap
	if len(b.Policies) != 2 || b.Policies[0].HCL != "mine" {
		t.Errorf("the file's policy dev was not kept: %+v", b.Policies)
	}
	if len(b.Groups) != 2 || b.Groups[0].Alias != "/team" || b.Groups[1].Name != "dev" || b.Groups[1].Policies[0] != "dev" {
		t.Errorf("groups %+v", b.Groups)
	}
	if b := must(t, config.Serve, production+own, nil).Policy.Bootstrap; len(b.Groups) != 1 {
		t.Errorf("serve grants what nobody asked for: %+v", b.Groups)
	}
}

func TestGroupsDiffer(t *testing.T) {
	two := func(a, b string) string {
		return "policy: {bootstrap: {groups: [" + a + ", " + b + "]}}\n"
	}
	refused(t, config.Dev, two("{name: a, alias: x}", "{name: \" A\", alias: y}"), nil, "policy.bootstrap.groups[1].name")
	refused(t, config.Dev, two("{name: a, alias: x}", "{name: b, alias: X}"), nil, "policy.bootstrap.groups[1].alias")
	refused(t, config.Dev, two("{alias: x}", "{name: b, alias: y}"), nil, "policy.bootstrap.groups[0].name")
}

func TestDevBroker(t *testing.T) {
	for address, fine := range map[string]bool{"off": true, "127.0.0.1:0": true, "[::1]:9092": true, ":9092": false, "10.0.0.1:9092": false, "kafka": false, "": false} {
		vars := map[string]string{"KAFKA_DEV_LISTEN": address}
		if fine {
			must(t, config.Dev, "", vars)
			continue
		}
		refused(t, config.Dev, "", vars, "kafka.dev_listen")
	}
	if c := must(t, config.Dev, "", map[string]string{"KAFKA_BROKERS": "a:9092"}); c.Kafka.DevListen != "off" {
		t.Errorf("a broker of its own besides the given ones: %s", c.Kafka.DevListen)
	}
	c := must(t, config.Serve, production, map[string]string{"KAFKA_BROKERS": "a:9092,b:9092", "KAFKA_USE_TLS": "true", "KAFKA_TLS_CA_FILE": "/ca"})
	if len(c.Kafka.Brokers) != 2 || !c.Kafka.UseTLS || c.Kafka.TLS.CAFile != "/ca" {
		t.Fatalf("kafka %+v", c.Kafka)
	}
}

func TestURLs(t *testing.T) {
	for _, bad := range []string{"example.org", "ftp://x", "https://", "//x", "https://u@x", ":", "http://[::1"} {
		refused(t, config.Dev, "", map[string]string{"PDP_URL": bad}, "policy.pdp.url")
	}
	for _, good := range []string{"", "http://localhost:1", "https://pdp.example.org/base"} {
		must(t, config.Dev, "", map[string]string{"PDP_URL": good})
	}
}

// The YAML store is there in dev and test, and elsewhere only when it is asked for.
func TestYAMLVaultPath(t *testing.T) {
	for stage, want := range map[string]string{"dev": "./dev_secrets.yaml", "test": "./dev_secrets.yaml", "prod": ""} {
		if c := must(t, config.Serve, production, map[string]string{"ENVIRONMENT": stage}); c.YAMLVault.Path != want {
			t.Errorf("%s: %q", stage, c.YAMLVault.Path)
		}
	}
	if c := must(t, config.Serve, production, map[string]string{"YAML_VAULT_PATH": "/y"}); c.YAMLVault.Path != "/y" {
		t.Errorf("asked for: %q", c.YAMLVault.Path)
	}
}

// Switches that weaken a deployment are for dev and test.
func TestWeakSwitchesOutsideProduction(t *testing.T) {
	weak := strings.Replace(production, "audit: {file: /var/log/coffer/audit.jsonl}", "audit: {required: false}", 1) +
		"vault: {verify_ssl: false}\nledger: {endpoints: [\"http://etcd:2379\"]}\n" +
		"vault_providers: {openbao-x: {url: \"https://x\", verify_ssl: false, auth: {token: t}}}\n"
	must(t, config.Serve, weak, map[string]string{"ENVIRONMENT": "test"})
	refused(t, config.Serve, weak, nil, "audit.required", "vault.verify_ssl", "vault_providers.openbao-x.verify_ssl",
		"ledger.endpoints[0]", "ledger.tls.cert_file")
}

// A setting that cannot be read is not reported again as missing.
func TestOneReportForEachSetting(t *testing.T) {
	report := refused(t, config.Serve, strings.Replace(production, "data_dir: /var/lib/coffer", "data_dir: [x]", 1), nil, "data_dir")
	if !strings.Contains(report, "1 problem:") || !strings.Contains(report, "line 2") {
		t.Fatal(report)
	}
}
