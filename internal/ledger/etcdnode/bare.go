package etcdnode

import (
	"context"
	"errors"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Pair is one key of etcd and what is put under it.
type Pair struct{ Key, Value string }

// PutBare commits pairs, whose keys differ, as one durable transaction past the
// ledger: no sealing, no events, no compares. Benchmarks hold the ledger against it;
// nothing that ships calls it.
func (n *Node) PutBare(ctx context.Context, pairs ...Pair) error {
	ops := make([]clientv3.Op, len(pairs))
	for i, p := range pairs {
		ops[i] = clientv3.OpPut(p.Key, p.Value)
	}
	res, err := n.Client.Txn(ctx).Then(ops...).Commit()
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if !res.Succeeded {
		return errors.New("a transaction without compares did not succeed")
	}
	return nil
}
