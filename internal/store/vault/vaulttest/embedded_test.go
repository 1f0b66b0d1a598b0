package vaulttest_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
	"github.com/coffer-dev/coffer/internal/store/embedded"
	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest"
)

// TestKVRowsOnTheEmbeddedEngine drives every row by the official client against the
// engine that ships, on real etcd. Each row is a tenant of its own.
func TestKVRowsOnTheEmbeddedEngine(t *testing.T) {
	var now atomic.Pointer[func() time.Time]
	now.Store(new(time.Now))
	engine := embedded.New(ledgertest.Open(t, func(c *ledger.Config) {
		c.Now = func() time.Time { return (*now.Load())() }
	}), func(_, mount string) bool { return mount == "secret" })
	for i, r := range slices.Concat(dataRows(), versionRows(), metadataRows()) {
		t.Run("E16_"+r.name, func(t *testing.T) {
			w := newWorld(t, func(c *vaulttest.Config) {
				c.Store, c.Settings, c.Tenant = engine, engine, fmt.Sprintf("t%d", i)
				now.Store(&c.Clock)
			})
			w.run(r.calls...)
		})
	}
}
