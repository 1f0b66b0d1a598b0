package vault_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/embedded"
	"github.com/coffer-dev/coffer/internal/store/storetest"
	"github.com/coffer-dev/coffer/internal/store/vault"
	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest"
)

// TestConformanceOnTheEmbeddedEngine runs the adapter against the double over the
// engine that ships: one test of the adapter, the handler and the engine at once.
func TestConformanceOnTheEmbeddedEngine(t *testing.T) {
	c := &clock{}
	engine := embedded.New(ledgertest.Open(t, func(l *ledger.Config) { l.Now = c.Now }), func(string, string) bool { return true })
	cases := 0
	storetest.Run(t, func(t *testing.T) storetest.Instance {
		cases++
		tenant := fmt.Sprintf("t%d", cases)
		server := httptest.NewServer(vaulttest.New(vaulttest.Config{
			Store: engine, Settings: engine, Tenant: tenant, Clock: c.Now, Float64: true,
			Tokens: map[string]vaulttest.Token{"broker": {Policies: []string{vaulttest.RootPolicy}}},
		}))
		t.Cleanup(server.Close)
		s, err := vault.New(vault.Config{Kind: vault.OpenBao, Address: server.URL, Tenant: tenant, Token: "broker", Clock: c.Now})
		if err != nil {
			t.Fatal(err)
		}
		return storetest.Instance{
			Store: s, Can: vault.Can(), Tenant: tenant, Float64Numbers: true, Advance: c.Advance,
			Mount: func(m secret.MountSettings) {
				if err := engine.SetMount(context.Background(), tenant, "secret", m); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}
