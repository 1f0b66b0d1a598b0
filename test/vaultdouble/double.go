package vaultdouble

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/audit/audittest"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
	"github.com/coffer-dev/coffer/internal/store/embedded"
	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest"
	"github.com/coffer-dev/coffer/internal/tenants"
)

// RootToken may do everything on every double.
const RootToken = "root"

// Double is one running server. It may be used concurrently.
type Double struct {
	URL     string
	Tenant  string
	Engine  *embedded.Store
	Tenants *tenants.Service
	// Faults put the server into trouble.
	Faults *vaulttest.Faults
}

// Options say how a double differs from the usual one.
type Options struct {
	// Tenant owns all records; "" means "dev". Doubles on one ledger that name the
	// same tenant are replicas of each other.
	Tenant string
	// Tokens exist beside RootToken. A policy name made by Claim stands for a claim.
	Tokens map[string]vaulttest.Token
	// AppRoles may log in.
	AppRoles []vaulttest.AppRole
	// Float64 treats numbers as the servers do.
	Float64 bool
	// Clock tells the time of policies, groups and tokens; nil means time.Now. That
	// of versions is the ledger's.
	Clock func() time.Time
}

// Open starts a double on a one-member ledger of its own. Both live as long as the test.
func Open(t testing.TB, o Options) *Double {
	t.Helper()
	l := ledgertest.Open(t, func(c *ledger.Config) {
		if o.Clock != nil {
			c.Now = o.Clock
		}
	})
	return On(t, l, o)
}

// On starts a double on a ledger. It listens on a free loopback port.
func On(t testing.TB, l *ledger.Ledger, o Options) *Double {
	t.Helper()
	if o.Tenant == "" {
		o.Tenant = "dev"
	}
	refs, err := audit.NewRefs([]byte("salt"), audit.RefBase64)
	if err != nil {
		t.Fatal(err)
	}
	service := tenants.New(tenants.Config{
		Tenant: o.Tenant, Ledger: l, Audit: &audittest.Memory{}, Refs: refs, Now: o.Clock,
	})
	engine := embedded.New(l, func(_, mount string) bool { return mount == "secret" })
	tokens := map[string]vaulttest.Token{RootToken: {Policies: []string{vaulttest.RootPolicy}}}
	for text, token := range o.Tokens {
		tokens[text] = token
	}
	handler := vaulttest.New(vaulttest.Config{
		Store: engine, Settings: engine, Tenant: o.Tenant, Tokens: tokens, AppRoles: o.AppRoles,
		Policies: policies{service, o.Tenant}, Groups: groups{service, o.Tenant}, Float64: o.Float64, Clock: o.Clock,
	})
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return &Double{URL: server.URL, Tenant: o.Tenant, Engine: engine, Tenants: service, Faults: handler.Faults()}
}
