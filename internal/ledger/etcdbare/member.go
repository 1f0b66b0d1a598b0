package etcdbare

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/coffer-dev/coffer/internal/ledger/etcdnode"
)

// Member is one embedded member, set up as the ledger's is. It may be used
// concurrently.
type Member struct{ node *etcdnode.Node }

// Open starts it on a data directory.
func Open(ctx context.Context, dir string) (*Member, error) {
	node, err := etcdnode.Open(ctx, etcdnode.Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	return &Member{node}, nil
}

// Pair is one key and what is put under it.
type Pair struct{ Key, Value string }

// Put commits pairs as one durable transaction.
func (m *Member) Put(ctx context.Context, pairs ...Pair) error {
	ops := make([]clientv3.Op, len(pairs))
	for i, p := range pairs {
		ops[i] = clientv3.OpPut(p.Key, p.Value)
	}
	res, err := m.node.Client.Txn(ctx).Then(ops...).Commit()
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if !res.Succeeded {
		return errors.New("a transaction without compares did not succeed")
	}
	return nil
}

// Close stops the member.
func (m *Member) Close() error { return m.node.Close() }
