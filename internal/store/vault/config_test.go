package vault_test

import (
	"testing"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/store/vault"
)

func TestNewRefusesHalfAConfiguration(t *testing.T) {
	good := vault.Config{Kind: vault.OpenBao, Address: "https://bao.example:8200", Tenant: "a", Token: "t"}
	if _, err := vault.New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*vault.Config){
		"no address":        func(c *vault.Config) { c.Address = "" },
		"no host":           func(c *vault.Config) { c.Address = "https://" },
		"another scheme":    func(c *vault.Config) { c.Address = "unix:///run/bao" },
		"unreadable":        func(c *vault.Config) { c.Address = "http://\x00" },
		"no kind":           func(c *vault.Config) { c.Kind = "" },
		"unknown kind":      func(c *vault.Config) { c.Kind = "yaml" },
		"no tenant":         func(c *vault.Config) { c.Tenant = "" },
		"no credentials":    func(c *vault.Config) { c.Token = "" },
		"both credentials":  func(c *vault.Config) { c.AppRole = &vault.AppRole{RoleID: "r", SecretID: "s"} },
		"role without id":   func(c *vault.Config) { c.Token, c.AppRole = "", &vault.AppRole{SecretID: "s"} },
		"role without code": func(c *vault.Config) { c.Token, c.AppRole = "", &vault.AppRole{RoleID: "r"} },
	} {
		cfg := good
		change(&cfg)
		if _, err := vault.New(cfg); err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The environment of the official client must not reach in: it could name another
// server or token.
func TestEnvironmentIsNotRead(t *testing.T) {
	for _, name := range []string{"BAO_ADDR", "VAULT_ADDR", "BAO_TOKEN", "VAULT_TOKEN", "BAO_NAMESPACE", "VAULT_NAMESPACE"} {
		t.Setenv(name, "http://127.0.0.1:1/stray")
	}
	t.Setenv("VAULT_MAX_RETRIES", "9")
	t.Setenv("BAO_MAX_RETRIES", "9")
	b := newBench(t, always(200, alive), nil)
	if _, err := b.get(0); err != nil {
		t.Fatal(err)
	}
	q := b.script.asked[0]
	if q.token != "broker-token" || q.header.Get("X-Vault-Namespace") != "" {
		t.Errorf("asked %+v", q)
	}
}
