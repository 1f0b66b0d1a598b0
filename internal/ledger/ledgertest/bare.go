package ledgertest

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/coffer-dev/coffer/internal/ledger/etcdnode"
)

// Bare is etcd without a ledger: what benchmarks of a ledger are held against.
type Bare struct{ client *clientv3.Client }

// OpenBare starts a member that lives as long as the test.
func OpenBare(t testing.TB) *Bare {
	t.Helper()
	node, err := etcdnode.Open(context.Background(), etcdnode.Config{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Close(); err != nil {
			t.Error(err)
		}
	})
	return &Bare{node.Client}
}

// Write is what a write of a secret is at least: three keys, one of them new, in one
// durable transaction.
func (b *Bare) Write(ctx context.Context, key string, n int, value string) error {
	_, err := b.client.Txn(ctx).Then(
		clientv3.OpPut(fmt.Sprintf("value/%s/%d", key, n%10), value),
		clientv3.OpPut("metadata/"+key, value),
		clientv3.OpPut(fmt.Sprintf("event/%s/%d", key, n), value),
	).Commit()
	return err
}

// Read is one linearizable read of a key.
func (b *Bare) Read(ctx context.Context, key string) error {
	_, err := b.client.Get(ctx, "metadata/"+key)
	return err
}
