package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/internal/config"
)

func TestStrictFile(t *testing.T) {
	for name, c := range map[string]struct{ text, path string }{
		"unknown top level":    {"registry: {}\n", "registry"},
		"unknown member":       {"tenant: {name: x}\n", "tenant.name"},
		"letter case":          {"Tenant: {id: x}\n", "Tenant"},
		"twice":                {"listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n", "listen"},
		"no value":             {"listen:\n", "listen"},
		"quoted boolean":       {"secrets: {require_auth: \"false\"}\n", "secrets.require_auth"},
		"word for a boolean":   {"secrets: {require_auth: no way}\n", "secrets.require_auth"},
		"number for a boolean": {"secrets: {require_auth: 0}\n", "secrets.require_auth"},
		"text for a number":    {"limits: {requests: many}\n", "limits.requests"},
		"below the bound":      {"limits: {requests: 0}\n", "limits.requests"},
		"above the bound":      {"limits: {page_limit: 1001}\n", "limits.page_limit"},
		"fraction":             {"limits: {requests: 1.5}\n", "limits.requests"},
		"negative duration":    {"vault: {timeout: -5s}\n", "vault.timeout"},
		"huge duration":        {"vault: {timeout: 99999999999999}\n", "vault.timeout"},
		"not a choice":         {"environment: staging\n", "environment"},
		"scalar for a list":    {"tenant: {allowed_mounts: secret}\n", "tenant.allowed_mounts"},
		"map for a list":       {"listeners: {}\n", "listeners"},
		"list for a section":   {"tenant: []\n", "tenant"},
		"list for a scalar":    {"listen: [a]\n", "listen"},
		"scalar for a map":     {"secrets: {purpose_map: read}\n", "secrets.purpose_map"},
		"custom tag":           {"listen: !x 127.0.0.1:1\n", "listen"},
		"merge key":            {"<<: {listen: 127.0.0.1:1}\n", ""},
		"number as a name":     {"7: x\n", ""},
		"not a mapping":        {"- a\n", ""},
		"two documents":        {"log: {}\n---\nlog: {}\n", ""},
		"malformed":            {"listen: {\n", ""},
		"unknown anchor":       {"listen: *hunter2\n", ""},
		"unknown in a list":    {"listeners: [{address: \"127.0.0.1:7\", doors: [canonical], port: 1}]\n", "listeners[0].port"},
	} {
		t.Run(name, func(t *testing.T) {
			report := refused(t, config.Dev, c.text, nil, c.path)
			if strings.Contains(report, "hunter2") {
				t.Fatalf("the file is repeated: %s", report)
			}
		})
	}
}

func TestEmptyFileAndEmptySectionsChangeNothing(t *testing.T) {
	plain := must(t, config.Dev, "", nil)
	for _, text := range []string{"# nothing\n", "tenant:\nlog:\n  # level: debug\n"} {
		if c := must(t, config.Dev, text, nil); c.Tenant.ID != plain.Tenant.ID || c.Log != plain.Log {
			t.Errorf("%q changed something", text)
		}
	}
}

func TestMissingOrHugeFile(t *testing.T) {
	if _, err := config.Load(config.Options{Mode: config.Dev, File: filepath.Join(t.TempDir(), "none.yaml")}); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Fatalf("missing file: %v", err)
	}
	refused(t, config.Dev, strings.Repeat("#", 1<<20+1), nil, "")
}

func TestAliases(t *testing.T) {
	c := must(t, config.Dev, "tenant: {id: &x acme}\nkafka: {topic_prefix: *x}\n", nil)
	if c.Kafka.TopicPrefix != "acme" {
		t.Fatalf("prefix %s", c.Kafka.TopicPrefix)
	}
	refused(t, config.Dev, "tenant: &t {id: *t}\n", nil, "tenant.id")
}

func TestEverythingAtOnce(t *testing.T) {
	text := refused(t, config.Serve, "nope: 1\nlimits: {requests: x}\ntls: {cert_file: /c}\n", nil,
		"nope", "limits.requests", "tls.key_file", "data_dir", "kek.active", "audit.file", "secrets.require_auth")
	for _, part := range []string{"7 problems", "line 1", "COFFER_DATA_DIR", "COFFER_AUDIT_FILE", "SECRETS_API_REQUIRE_AUTH", "kek.active.file"} {
		if !strings.Contains(text, part) {
			t.Errorf("report lacks %q:\n%s", part, text)
		}
	}
}

func TestExpressions(t *testing.T) {
	secretFile := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(secretFile, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := must(t, config.Dev, `
vault_providers:
  openbao-prod:
    url: ${{ENV:BAO_URL:https://bao.example.org:8200}}
    auth: {token: "${{FILE:`+secretFile+`}}"}
    timeout_s: ${{ENV:SECONDS}}
    verify_ssl: ${{ENV:VERIFY:no}}
tenant: {allowed_mounts: "${{ENV:MOUNTS}}"}
`, map[string]string{"SECONDS": "9", "MOUNTS": "a,b"})
	p := c.Backends()["openbao-prod"]
	if p.URL != "https://bao.example.org:8200" || p.Auth.Token.Reveal() != "from-file" || p.Timeout.Seconds() != 9 || p.VerifySSL || len(c.Tenant.AllowedMounts) != 2 {
		t.Fatalf("provider %v, mounts %v", p, c.Tenant.AllowedMounts)
	}
	refused(t, config.Dev, `
listen: ${{ENV:UNSET}}
data_dir: ${{FILE:/no/such/file}}
external_url: ${{VAULT:x}}
log: {level: "${{ENV:}}"}
`, nil, "listen", "data_dir", "external_url", "log.level")
}

func FuzzLoad(f *testing.F) {
	for _, seed := range []string{production, "a: &a [*a]\n", "tenant: &t {id: *t}\n", "listen: ${{ENV:X:y}}\n", config.Reference()} {
		f.Add(seed)
	}
	file := filepath.Join(f.TempDir(), "coffer.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(config.Options{Mode: config.Serve, File: file})
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v and error %v", c, err)
		}
	})
}
