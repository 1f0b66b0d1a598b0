package config_test

import (
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/internal/config"
)

func TestC45(t *testing.T) {
	off := strings.Replace(production, "require_auth: true", "require_auth: false", 1)
	refused(t, config.Serve, off, nil, "secrets.require_auth")
	refused(t, config.Serve, off, map[string]string{"ENVIRONMENT": "prod"}, "secrets.require_auth")
	refused(t, config.Serve, off, map[string]string{"ENVIRONMENT": ""}, "environment", "secrets.require_auth")
	must(t, config.Serve, off, map[string]string{"ENVIRONMENT": "test"})
	for _, address := range []string{"0.0.0.0:8091", ":8091", "[::]:8091", "192.0.2.1:8091", "example.org:8091", "8091"} {
		refused(t, config.Dev, "", map[string]string{"COFFER_LISTEN": address}, "listen")
	}
	for _, address := range []string{"127.0.0.1:0", "[::1]:8091", "localhost:8091", "127.9.9.9:1"} {
		must(t, config.Dev, "", map[string]string{"COFFER_LISTEN": address})
	}
	refused(t, config.Dev, "listeners: [{address: \":7777\", doors: [canonical]}]\n", nil, "listeners[0].address")
}

func TestDevMayPlayProduction(t *testing.T) {
	c := must(t, config.Dev, "", map[string]string{"ENVIRONMENT": "prod", "SECRETS_API_REQUIRE_AUTH": "true"})
	if !c.Production() || c.YAMLVault.Path != "" {
		t.Fatalf("production %v, yaml %q", c.Production(), c.YAMLVault.Path)
	}
}

// Each line turns the least production file into one that is refused for one reason.
func TestServeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		old, new, extra string
		path            string
	}{
		"no data dir":              {old: "data_dir: /var/lib/coffer", path: "data_dir"},
		"no kek":                   {old: "kek: {active: {file: /etc/coffer/kek}}", path: "kek.active"},
		"two keks in one":          {old: "file: /etc/coffer/kek", new: "file: /k, kms_socket: /s", path: "kek.active"},
		"empty previous kek":       {old: "kek: {", new: "kek: {previous: [{}], ", path: "kek.previous[0]"},
		"active kek twice":         {old: "kek: {", new: "kek: {previous: [{file: /etc/coffer/kek}], ", path: "kek.previous[0]"},
		"no audit file":            {old: "file: /var/log/coffer/audit.jsonl", path: "audit.file"},
		"audit not required":       {old: "audit: {", new: "audit: {required: false, ", path: "audit.required"},
		"no issuer":                {old: `    - {url: "https://id.example.org/realms/a", alias: keycloak}`, new: "    []", path: "identity.issuers"},
		"issuer without url":       {old: `url: "https://id.example.org/realms/a", `, path: "identity.issuers[0].url"},
		"issuer without alias":     {old: ", alias: keycloak", path: "identity.issuers[0].alias"},
		"alias x509":               {old: "alias: keycloak", new: "alias: x509", path: "identity.issuers[0].alias"},
		"alias with a colon":       {old: "alias: keycloak", new: "alias: \"a:b\"", path: "identity.issuers[0].alias"},
		"plain issuer":             {old: "https://id", new: "http://id", path: "identity.issuers[0].url"},
		"plain keys":               {old: "alias: keycloak", new: "alias: k, jwks_url: \"http://k\"", path: "identity.issuers[0].jwks_url"},
		"algorithm none":           {old: "alias: keycloak", new: "alias: k, algorithms: [none]", path: "identity.issuers[0].algorithms"},
		"algorithm HS256":          {old: "alias: keycloak", new: "alias: k, algorithms: [RS256, HS256]", path: "identity.issuers[0].algorithms"},
		"no algorithm":             {old: "alias: keycloak", new: "alias: k, algorithms: []", path: "identity.issuers[0].algorithms"},
		"roles claim":              {old: "identity:", new: "identity:\n  roles_claim: \"\"", path: "identity.roles_claim"},
		"introspection":            {old: "identity:", new: "identity:\n  introspection: {endpoint: \"https://i\", client_id: c}", path: "identity.introspection.secret_file"},
		"proxy":                    {old: "identity:", new: "identity:\n  trusted_proxies: [10.0.0.0/8, ingress]", path: "identity.trusted_proxies[1]"},
		"cert alone":               {extra: "tls: {cert_file: /c}", path: "tls.key_file"},
		"key alone":                {extra: "tls: {key_file: /k}", path: "tls.cert_file"},
		"client authority alone":   {extra: "tls: {client_ca_file: /ca}", path: "tls.cert_file"},
		"ledger cert alone":        {extra: "ledger: {tls: {cert_file: /c}}", path: "ledger.tls.key_file"},
		"plain cluster":            {extra: "ledger: {endpoints: [\"http://etcd:2379\"], tls: {cert_file: /c, key_file: /k}}", path: "ledger.endpoints[0]"},
		"cluster without cert":     {extra: "ledger: {endpoints: [\"https://etcd:2379\"]}", path: "ledger.tls.cert_file"},
		"cluster no url":           {extra: "ledger: {endpoints: [\"etcd:2379\"], tls: {cert_file: /c, key_file: /k}}", path: "ledger.endpoints[0]"},
		"pdp cert alone":           {extra: "policy: {pdp: {url: \"https://p\", tls: {cert_file: /c}}}", path: "policy.pdp.tls.key_file"},
		"pdp no url":               {extra: "policy: {pdp: {url: pdp}}", path: "policy.pdp.url"},
		"user in a url":            {extra: "external_url: \"https://user:pass@x\"", path: "external_url"},
		"kafka tls unused":         {extra: "kafka: {tls: {ca_file: /ca}}", path: "kafka.use_tls"},
		"kafka broker":             {extra: "kafka: {brokers: [kafka]}", path: "kafka.brokers[0]"},
		"dev broker":               {extra: "kafka: {dev_listen: \"127.0.0.1:9092\"}", path: "kafka.dev_listen"},
		"no verification":          {extra: "vault: {verify_ssl: false}", path: "vault.verify_ssl"},
		"tenant":                   {extra: "tenant: {id: Acme}", path: "tenant.id"},
		"mount":                    {extra: "tenant: {allowed_mounts: [\"a/b\"]}", path: "tenant.allowed_mounts[0]"},
		"purpose of a copy":        {old: "require_auth: true", new: "require_auth: true, purpose_map: {copy: write}", path: "secrets.purpose_map.copy"},
		"purpose of a move":        {old: "require_auth: true", new: "require_auth: true, purpose_map: {move: read}", path: "secrets.purpose_map.move"},
		"audience":                 {old: "require_auth: true", new: "require_auth: true, audience: \"\"", path: "secrets.audience"},
		"policy root":              {extra: "policy: {bootstrap: {policies: [{name: \" Root\", hcl: x}]}}", path: "policy.bootstrap.policies[0].name"},
		"policy without rules":     {extra: "policy: {bootstrap: {policies: [{name: a}]}}", path: "policy.bootstrap.policies[0].hcl"},
		"policy twice":             {extra: "policy: {bootstrap: {policies: [{name: a, hcl: x}, {name: A, hcl: x}]}}", path: "policy.bootstrap.policies[1].name"},
		"group without alias":      {extra: "policy: {bootstrap: {groups: [{name: a}]}}", path: "policy.bootstrap.groups[0].alias"},
		"group with root":          {extra: "policy: {bootstrap: {groups: [{name: a, alias: a, policies: [ROOT]}]}}", path: "policy.bootstrap.groups[0].policies"},
		"own listener half TLS":    {extra: "listeners: [{address: \":7\", doors: [canonical], tls: {key_file: /k}}]", path: "listeners[0].tls.cert_file"},
		"tracing no url":           {extra: "tracing: {endpoint: \"localhost:4318\"}", path: "tracing.endpoint"},
		"two previous keks in one": {old: "kek: {", new: "kek: {previous: [{file: /k, kms_socket: /s}], ", path: "kek.previous[0]"},
		"issuer no url":            {old: "https://id.example.org/realms/a", new: "id.example.org", path: "identity.issuers[0].url"},
		"keys no url":              {old: "alias: keycloak", new: "alias: k, jwks_url: keys", path: "identity.issuers[0].jwks_url"},
		"groups claim":             {old: "identity:", new: "identity:\n  groups_claim: \"\"", path: "identity.groups_claim"},
		"session cookie":           {old: "identity:", new: "identity:\n  session_cookie: \"\"", path: "identity.session_cookie"},
		"kafka key alone":          {extra: "kafka: {use_tls: true, tls: {key_file: /k}}", path: "kafka.tls.cert_file"},
		"topic prefix":             {extra: "kafka: {topic_prefix: \"\"}", path: "kafka.topic_prefix"},
		"policy without name":      {extra: "policy: {bootstrap: {policies: [{hcl: x}]}}", path: "policy.bootstrap.policies[0].name"},
		"door unknown":             {extra: "listeners: [{address: \":7\", doors: [side]}]", path: "listeners[0].doors"},
		"no door":                  {extra: "listeners: [{address: \":7\"}]", path: "listeners[0].doors"},
		"door twice":               {extra: "listeners: [{address: \":7\", doors: [canonical]}, {address: \":8\", doors: [canonical]}]", path: "listeners[1].doors"},
		"address twice":            {extra: "listeners: [{address: \":8091\", doors: [canonical]}]", path: "listeners[0].address"},
	} {
		t.Run(name, func(t *testing.T) {
			text := production
			if c.old != "" {
				if !strings.Contains(text, c.old) {
					t.Fatalf("the base file lacks %q", c.old)
				}
				text = strings.Replace(text, c.old, c.new, 1)
			}
			refused(t, config.Serve, text+c.extra+"\n", nil, c.path)
		})
	}
}

func TestServeAccepts(t *testing.T) {
	for name, text := range map[string]string{
		"mutual TLS to the cluster": strings.Replace(production, "data_dir: /var/lib/coffer", "ledger: {endpoints: [\"https://etcd:2379\"], tls: {ca_file: /a, cert_file: /c, key_file: /k}}", 1),
		"cluster on loopback":       strings.Replace(production, "data_dir: /var/lib/coffer", "ledger: {endpoints: [\"http://127.0.0.1:2379\"]}", 1),
		"kms":                       strings.Replace(production, "file: /etc/coffer/kek", "kms_socket: /run/kms.sock", 1),
		"old keys":                  strings.Replace(production, "kek: {", "kek: {previous: [{file: /old}, {kms_socket: /s}], ", 1),
		"private issuer":            strings.Replace(production, "\"https://id.example.org/realms/a\"", "\"http://keycloak:8080\", allow_private: true", 1),
		"own listener":              production + "listeners: [{address: \":7777\", doors: [canonical], tls: {cert_file: /c, key_file: /k}}]\n",
	} {
		t.Run(name, func(t *testing.T) { must(t, config.Serve, text, nil) })
	}
}

func TestProviders(t *testing.T) {
	refused(t, config.Dev, "", map[string]string{"OPENBAO_URL": "https://b"}, "openbao.token")
	refused(t, config.Dev, "", map[string]string{"VAULT_URL": "https://v"}, "openbao.token", "hashicorp.token")
	refused(t, config.Dev, "", map[string]string{"OPENBAO_TOKEN": "x"}, "openbao.url")
	refused(t, config.Dev, "", map[string]string{"OPENBAO_URL": "https://b", "OPENBAO_ROLE_ID": "r"}, "openbao.secret_id")
	refused(t, config.Dev, "", map[string]string{"OPENBAO_URL": "https://b", "OPENBAO_SECRET_ID": "s", "VAULT_TOKEN": "t"}, "openbao.role_id")
	refused(t, config.Dev, "", map[string]string{"OPENBAO_URL": "https://b", "OPENBAO_ROLE_ID": "r", "OPENBAO_SECRET_ID": "s", "OPENBAO_TOKEN": "t"}, "openbao.token")
	refused(t, config.Dev, "", map[string]string{"VAULT_URL": "v", "VAULT_TOKEN": "t"}, "vault.url")
	refused(t, config.Dev, "", map[string]string{"HASHICORP_URL": "https://u:p@h", "HASHICORP_TOKEN": "t"}, "hashicorp.url")
	b := must(t, config.Dev, "", map[string]string{"VAULT_URL": "https://v", "VAULT_TOKEN": "t", "OPENBAO_URL": "https://b"}).Backends()
	if b["openbao"].URL != "https://b" || b["hashicorp"].URL != "https://v" || b["openbao"].Auth.Token.Reveal() != "t" {
		t.Fatalf("back ends %v", b)
	}
	if b := must(t, config.Dev, "", nil).Backends(); len(b) != 0 {
		t.Fatalf("back ends out of nothing: %v", b)
	}
}

func TestNamedProviders(t *testing.T) {
	one := func(name, rest string) string {
		return "vault_providers:\n  " + name + ": {url: \"https://x\"" + rest + "}\n"
	}
	token := ", auth: {token: t}"
	c := must(t, config.Dev, one("vault-a", token)+"  openbao-b: {url: \"https://y\", auth: {method: approle, role: r, secret_id: s}}\n", nil)
	b := c.Backends()
	if b["hashicorp-a"].Type != config.TypeHashicorp || b["openbao-b"].Auth.Method != config.AuthAppRole || b["openbao-b"].Breaker.Threshold != 5 {
		t.Fatalf("back ends %v", b)
	}
	refused(t, config.Dev, "vault_providers: {openbao-x: {auth: {token: t}}}\n", nil, "vault_providers.openbao-x.url")
	refused(t, config.Dev, "vault_providers: {openbao-x: {url: bao, auth: {token: t}}}\n", nil, "vault_providers.openbao-x.url")
	for _, name := range []string{"prod", "openbao", "openbao-", "coffer-x", "yaml-x", "openbao-a_b", "openbao-a.b", "OpenBao-x"} {
		refused(t, config.Dev, one(name, token), nil, "vault_providers."+name)
	}
	refused(t, config.Dev, one("openbao-x", token)+"  hashicorp-b: {url: \"https://y\", auth: {token: t}}\n  vault-b: {url: \"https://y\", auth: {token: t}}\n", nil, "vault_providers.vault-b")
	if report := refused(t, config.Dev, one("OPENBAO-x", token)+"  openbao-x: {url: \"https://y\", auth: {token: t}}\n", nil, "vault_providers.OPENBAO-x", "vault_providers.openbao-x"); !strings.Contains(report, "same instance") {
		t.Fatalf("duplicate not named: %s", report)
	}
	for rest, path := range map[string]string{
		"": ".auth.token", ", auth: {method: approle, secret_id: s}": ".auth.role", ", auth: {method: approle, role: r}": ".auth.secret_id",
		", auth: {token: t, role: r}": ".auth.method", ", auth: {method: approle, token: t}": ".auth.method",
		", auth: {method: magic}": ".auth.method", ", type: vault, auth: {token: t}": ".type",
	} {
		refused(t, config.Dev, one("openbao-x", rest), nil, "vault_providers.openbao-x"+path)
	}
}
