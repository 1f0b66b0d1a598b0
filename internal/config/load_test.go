package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/config"
	"github.com/coffer-dev/coffer/internal/fault"
)

// production is the least that coffer serve starts with.
const production = `
data_dir: /var/lib/coffer
kek: {active: {file: /etc/coffer/kek}}
audit: {file: /var/log/coffer/audit.jsonl}
secrets: {require_auth: true}
identity:
  issuers:
    - {url: "https://id.example.org/realms/a", alias: keycloak}
`

func env(pairs map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := pairs[name]; return v, ok }
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "coffer.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, mode config.Mode, text string, vars map[string]string) (*config.Config, error) {
	t.Helper()
	o := config.Options{Mode: mode, Env: env(vars)}
	if text != "" {
		o.File = write(t, text)
	}
	return config.Load(o)
}

func must(t *testing.T, mode config.Mode, text string, vars map[string]string) *config.Config {
	t.Helper()
	c, err := load(t, mode, text, vars)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// refused loads, wants exactly the problems of these paths and gives the report.
func refused(t *testing.T, mode config.Mode, text string, vars map[string]string, paths ...string) string {
	t.Helper()
	_, err := load(t, mode, text, vars)
	var ps config.Problems
	if !errors.As(err, &ps) || fault.KindOf(err) != fault.Invalid {
		t.Fatalf("want Problems of kind invalid, got %v", err)
	}
	var got []string
	for _, p := range ps {
		got = append(got, p.Path)
	}
	if !reflect.DeepEqual(got, paths) {
		t.Fatalf("problems at %q, want %q\n%v", got, paths, err)
	}
	return err.Error()
}

func TestDevNeedsNothing(t *testing.T) {
	c := must(t, config.Dev, "", nil)
	for what, pair := range map[string][2]any{
		"listen":   {c.Listen, "127.0.0.1:8091"},
		"external": {c.ExternalURL, "http://127.0.0.1:8091"},
		"env":      {c.Environment, "dev"},
		"data":     {c.DataDir, "./.coffer"},
		"auth":     {c.Secrets.RequireAuth, false},
		"kek":      {c.KEK.Active.File, ".coffer/kek"},
		"audit":    {c.Audit.File, ".coffer/audit.jsonl"},
		"yaml":     {c.YAMLVault.Path, "./dev_secrets.yaml"},
		"broker":   {c.Kafka.DevListen, "127.0.0.1:9092"},
		"group":    {c.Policy.Bootstrap.Groups[0].Alias, "dev"},
		"policy":   {c.Policy.Bootstrap.Policies[0].Name, "dev"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %v, want %v", what, pair[0], pair[1])
		}
	}
}

func TestDefaultsOfTheContract(t *testing.T) {
	c := must(t, config.Serve, production, nil)
	for what, pair := range map[string][2]any{
		"listen":      {c.Listen, ":8091"},
		"environment": {c.Environment, "prod"},
		"audience":    {c.Secrets.Audience, "crud.secrets"},
		"scopes":      {c.Secrets.EnforceScopes, false},
		"mounts":      {strings.Join(c.Tenant.AllowedMounts, ","), "secret"},
		"tenant":      {c.Tenant.ID, "dev"},
		"grant":       {c.Policy.Grants.TTL, 300 * time.Second},
		"uses":        {c.Policy.Grants.MaxUses, 1},
		"negative":    {c.Policy.Grants.NegativeTTL, 5 * time.Second},
		"replay":      {c.Policy.AntiReplay.Mode, "dpop"},
		"replay ttl":  {c.Policy.AntiReplay.TTL, 300 * time.Second},
		"sampling":    {c.Audit.SampleEvery, 1},
		"ring":        {c.Audit.Ring, 1000},
		"page":        {c.Limits.PageLimit, 100},
		"requests":    {c.Limits.Requests, 256},
		"retention":   {c.Events.Retention, 7 * 24 * time.Hour},
		"events":      {c.Events.MaxEvents, int64(1_000_000)},
		"cookie":      {c.Identity.SessionCookie, "bff_session"},
		"roles":       {c.Identity.RolesClaim, "realm_access.roles"},
		"prefix":      {c.Kafka.TopicPrefix, "crud"},
		"broker":      {c.Kafka.DevListen, "off"},
		"timeout":     {c.Vault.Timeout, 30 * time.Second},
		"pool":        {c.Vault.PoolSize, 10},
		"concurrent":  {c.Vault.MaxConcurrent, 50},
		"renewal":     {c.Vault.RenewalThreshold, 600 * time.Second},
		"verify":      {c.Vault.VerifySSL, true},
		"copy":        {c.Secrets.PurposeMap["copy"], "read"},
		"value":       {c.Secrets.PurposeMap["value"], "execute"},
		"ref":         {c.Secrets.ResourceRef, "base64url"},
		"yaml":        {c.YAMLVault.Path, ""},
		"quota":       {c.Ledger.QuotaBytes, int64(8 << 30)},
		"bootstrap":   {len(c.Policy.Bootstrap.Groups), 0},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %v, want %v", what, pair[0], pair[1])
		}
	}
}

func TestEnvironmentOverFileFlagOverBoth(t *testing.T) {
	file := write(t, "tenant: {id: file}\ndata_dir: /file\nlog: {level: warn}\n")
	c, err := config.Load(config.Options{
		File: file, Mode: config.Dev,
		Env:   env(map[string]string{"TENANT_ID": "env", "COFFER_DATA_DIR": "/env"}),
		Flags: map[string]string{"data_dir": "/flag"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Tenant.ID != "env" || c.DataDir != "/flag" || c.Log.Level != "warn" {
		t.Fatalf("tenant %s, data dir %s, level %s", c.Tenant.ID, c.DataDir, c.Log.Level)
	}
	_, err = config.Load(config.Options{Mode: config.Dev, Flags: map[string]string{"identity.issuers": "x", "nope": "y", "limits.requests": "many"}})
	if err == nil || !strings.Contains(err.Error(), "3 problems") {
		t.Fatalf("flags for a list, for nothing and without a number: %v", err)
	}
}

func TestEnvironmentVariablesOfTheContract(t *testing.T) {
	c := must(t, config.Dev, "", map[string]string{
		"SECRETS_API_REQUIRE_AUTH": "yes", "SECRETS_ENFORCE_SCOPES": "1", "SECRETS_AUDIENCE": "aud",
		"ENVIRONMENT": "test", "TENANT_ID": "acme", "TENANT_ALLOWED_MOUNTS": " kv , ,secret", "TENANT_SALT": "salt",
		"PDP_URL": "https://pdp", "PDP_TOKEN_FILE": "/t", "GRANT_TTL_DEFAULT": "60", "GRANT_MAX_USES_DEFAULT": "3",
		"NEGATIVE_CACHE_TTL_S": "7", "ANTI_REPLAY_MODE": "jti", "ANTI_REPLAY_TTL_S": "30", "AUDIT_SAMPLE_CACHE_HIT_N": "10",
		"RESOURCE_REF_FORMAT": "hex16", "SECRETS_PURPOSE_MAP": "copy=execute", "SECRETS_PAGE_LIMIT": "50",
		"SECRETS_DEV_ENDPOINTS": "admin", "SECRETS_AUDIT_RING": "20", "SECRETS_SCHEME_FALLBACK": "off",
		"YAML_VAULT_PATH": "/y", "KAFKA_TOPIC_PREFIX": "p", "OPENBAO_URL": "https://bao", "OPENBAO_ROLE_ID": "r",
		"OPENBAO_SECRET_ID": "s", "HASHICORP_URL": "https://hc", "HASHICORP_TOKEN": "h", "VAULT_URL": "https://v",
		"VAULT_TOKEN": "t", "VAULT_TIMEOUT": "12", "VAULT_VERIFY_SSL": "no", "VAULT_POOL_SIZE": "4",
		"VAULT_MAX_CONCURRENT_OPERATIONS": "5", "VAULT_TOKEN_RENEWAL_THRESHOLD": "90",
	})
	b := c.Backends()
	for what, pair := range map[string][2]any{
		"auth": {c.Secrets.RequireAuth, true}, "scopes": {c.Secrets.EnforceScopes, true}, "aud": {c.Secrets.Audience, "aud"},
		"env": {c.Environment, "test"}, "tenant": {c.Tenant.ID, "acme"}, "mounts": {strings.Join(c.Tenant.AllowedMounts, "|"), "kv|secret"},
		"salt": {c.Tenant.Salt.Reveal(), "salt"}, "pdp": {c.Policy.PDP.URL, "https://pdp"}, "pdp token": {c.Policy.PDP.TokenFile, "/t"},
		"grant": {c.Policy.Grants.TTL, time.Minute}, "uses": {c.Policy.Grants.MaxUses, 3}, "negative": {c.Policy.Grants.NegativeTTL, 7 * time.Second},
		"mode": {c.Policy.AntiReplay.Mode, "jti"}, "replay": {c.Policy.AntiReplay.TTL, 30 * time.Second}, "sample": {c.Audit.SampleEvery, 10},
		"ref": {c.Secrets.ResourceRef, "hex16"}, "copy": {c.Secrets.PurposeMap["copy"], "execute"}, "kept": {c.Secrets.PurposeMap["value"], "execute"},
		"page": {c.Limits.PageLimit, 50}, "dev endpoints": {c.Secrets.DevEndpoints, "admin"}, "ring": {c.Audit.Ring, 20},
		"fallback": {c.Secrets.SchemeFallback, false}, "yaml": {c.YAMLVault.Path, "/y"}, "prefix": {c.Kafka.TopicPrefix, "p"},
		"bao url": {b["openbao"].URL, "https://bao"}, "bao method": {b["openbao"].Auth.Method, config.AuthAppRole},
		"bao role": {b["openbao"].Auth.Role, "r"}, "bao secret": {b["openbao"].Auth.SecretID.Reveal(), "s"},
		"bao token": {b["openbao"].Auth.Token.IsZero(), true}, "hc token": {b["hashicorp"].Auth.Token.Reveal(), "h"},
		"timeout": {b["openbao"].Timeout, 12 * time.Second}, "verify": {b["openbao"].VerifySSL, false}, "pool": {b["openbao"].PoolSize, 4},
		"concurrent": {c.Vault.MaxConcurrent, 5}, "renewal": {c.Vault.RenewalThreshold, 90 * time.Second},
		"breaker": {b["openbao"].Breaker.Threshold, 5},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %v, want %v", what, pair[0], pair[1])
		}
	}
}

func TestEmptyMountListAllowsNothing(t *testing.T) {
	c := must(t, config.Dev, "", map[string]string{"TENANT_ALLOWED_MOUNTS": ""})
	if c.Tenant.AllowedMounts == nil || len(c.Tenant.AllowedMounts) != 0 {
		t.Fatalf("allowed mounts %#v", c.Tenant.AllowedMounts)
	}
	if c = must(t, config.Dev, "tenant: {allowed_mounts: []}\n", nil); len(c.Tenant.AllowedMounts) != 0 {
		t.Fatalf("allowed mounts %#v", c.Tenant.AllowedMounts)
	}
}

func TestBooleanWords(t *testing.T) {
	for word, want := range map[string]bool{"true": true, "TRUE": true, "1": true, "yes": true, "false": false, "0": false, "no": false, "off": false} {
		if got := must(t, config.Dev, "", map[string]string{"SECRETS_ENFORCE_SCOPES": word}); got.Secrets.EnforceScopes != want {
			t.Errorf("%s reads %v", word, got.Secrets.EnforceScopes)
		}
	}
	for _, word := range []string{"", "maybe", "2"} {
		refused(t, config.Dev, "", map[string]string{"SECRETS_API_REQUIRE_AUTH": word}, "secrets.require_auth")
	}
}

func TestTwoSaltsAreOneTooMany(t *testing.T) {
	refused(t, config.Dev, "", map[string]string{"TENANT_SALT": "a", "SECRET_TENANT_SALT": "b"}, "tenant.salt")
	if c := must(t, config.Dev, "", map[string]string{"SECRET_TENANT_SALT": "b"}); c.Tenant.Salt.Reveal() != "b" {
		t.Fatal("second name not read")
	}
}

func TestModeIsRequired(t *testing.T) {
	if _, err := config.Load(config.Options{}); fault.KindOf(err) != fault.Invalid {
		t.Fatalf("no mode: %v", err)
	}
}
