package vault_test

import (
	"context"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/storetest"
	"github.com/coffer-dev/coffer/internal/store/vault"
	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest"
)

// settings keeps the settings of the one mount of a Memory.
type settings struct {
	mu     sync.Mutex
	now    secret.MountSettings
	memory *storetest.Memory
}

func (s *settings) Mount(context.Context, string, string) (secret.MountSettings, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now, nil
}

func (s *settings) SetMount(_ context.Context, _, _ string, m secret.MountSettings) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = m
	s.memory.Mount(m)
	return nil
}

// clock is a wall clock that can be moved forward.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// double starts a server of the given product and gives an adapter on it.
func double(t *testing.T, kind vault.Kind) storetest.Instance {
	t.Helper()
	c := &clock{}
	m := storetest.NewMemory(c.Now)
	set := &settings{memory: m}
	server := httptest.NewServer(vaulttest.New(vaulttest.Config{
		Store: m, Tenant: "a", Settings: set, Clock: c.Now, Float64: true, HashiCorp: kind == vault.HashiCorp,
		Tokens: map[string]vaulttest.Token{"broker": {Policies: []string{vaulttest.RootPolicy}}},
	}))
	t.Cleanup(server.Close)
	s, err := vault.New(vault.Config{Kind: kind, Address: server.URL, Tenant: "a", Token: "broker", Clock: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	return storetest.Instance{
		Store: s, Can: vault.Can(), Float64Numbers: true, Advance: c.Advance, Keys: m.Keys,
		Mount: func(m secret.MountSettings) { _ = set.SetMount(context.Background(), "", "", m) },
	}
}

func TestConformanceOpenBao(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Instance { return double(t, vault.OpenBao) })
}

func TestConformanceHashiCorp(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Instance { return double(t, vault.HashiCorp) })
}
