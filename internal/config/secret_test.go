package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/coffer-dev/coffer/internal/config"
)

const canary = "canary-5f1c"

func TestSecretsNeverPrint(t *testing.T) {
	c := must(t, config.Dev, "", map[string]string{
		"TENANT_SALT": canary, "VAULT_URL": "https://v", "VAULT_TOKEN": canary,
		"OPENBAO_ROLE_ID": "r", "OPENBAO_SECRET_ID": canary,
	})
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("config", "salt", c.Tenant.Salt, "all", c)
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprint(*c), fmt.Sprintf("%+v", *c), fmt.Sprintf("%#v", *c), fmt.Sprintf("%s %x %d", c.Vault.Token, c.Vault.Token, c.Vault.Token),
		log.String(), string(asJSON), string(asYAML),
	} {
		if strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) || !strings.Contains(text, "[redacted]") {
			t.Errorf("printed as %s", text)
		}
	}
	if c.Vault.Token.Reveal() != canary {
		t.Fatal("Reveal does not")
	}
}

// A value that is refused is not repeated, whichever setting it was meant for.
func TestProblemsNeverRepeatValues(t *testing.T) {
	text := `
tenant: {salt: [` + canary + `], id: ` + canary + `_}
listen: ` + canary + `
environment: ` + canary + `
limits: {requests: ` + canary + `}
vault: {timeout: ` + canary + `, url: ` + canary + `, token: {x: ` + canary + `}}
secrets: {require_auth: ` + canary + `, purpose_map: {read: ` + canary + `}}
openbao: {url: "https://u:` + canary + `@x", token: "${{FILE:/` + canary + `}}"}
data_dir: ${{ENV:` + canary + `}}
kek: {active: {file: ` + canary + `, kms_socket: ` + canary + `}}
`
	_, err := load(t, config.Dev, text, map[string]string{"SECRETS_AUDIT_RING": canary, "ANTI_REPLAY_MODE": canary})
	if err == nil || strings.Contains(err.Error(), canary) {
		t.Fatalf("values repeated: %v", err)
	}
	if _, err = load(t, config.Dev, "a: b: "+canary+"\n", nil); err == nil || strings.Contains(err.Error(), canary) {
		t.Fatalf("syntax error repeats: %v", err)
	}
}
