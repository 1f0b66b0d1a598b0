package embedded_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/embedded"
	"github.com/coffer-dev/coffer/internal/store/storetest"
)

// clock is the real time, moved on by what a case wants to have passed.
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

func anyMount(string, string) bool { return true }

func secretOnly(_, mount string) bool { return mount == "secret" }

// instance is the store of one case; below keeps the cases on one ledger apart.
func instance(t *testing.T, l *ledger.Ledger, c *clock, tenant string) storetest.Instance {
	s := embedded.New(l, secretOnly)
	return storetest.Instance{
		Store: s, Can: embedded.Can(), Tenant: tenant, AnotherTenant: true, Advance: c.Advance,
		Mount: func(m secret.MountSettings) {
			if err := s.SetMount(context.Background(), tenant, "secret", m); err != nil {
				t.Error(err)
			}
		},
		Keys: func() []string {
			var keys []string
			for _, kind := range []ledger.Kind{"meta", "version", "mount"} {
				rs, err := l.Names(context.Background(), ledger.Under(tenant, kind, ""), 0)
				if err != nil {
					t.Error(err)
				}
				for _, r := range rs {
					keys = append(keys, string(kind)+" "+r.Key.Path)
				}
			}
			return keys
		},
	}
}

func TestConformanceOneMember(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Instance {
		c := &clock{}
		l := ledgertest.Open(t, func(cfg *ledger.Config) { cfg.Now = c.Now })
		return instance(t, l, c, "a")
	})
}

// The cases share one cluster: each has a tenant of its own, made of the case's name,
// and the tenant whose name begins alike.
func TestConformanceThreeMembers(t *testing.T) {
	m := ledgertest.Cluster(t)
	c := &clock{}
	l := m.Open(t, func(cfg *ledger.Config) { cfg.Now = c.Now })
	storetest.Run(t, func(t *testing.T) storetest.Instance {
		_, name, _ := strings.Cut(t.Name(), "/")
		name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
		return instance(t, l, c, name[:min(len(name), 60)])
	})
}
