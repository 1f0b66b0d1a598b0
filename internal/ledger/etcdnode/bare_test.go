package etcdnode_test

import (
	"context"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/coffer-dev/coffer/internal/ledger/etcdnode"
)

func TestPutBareIsOneDurableTransaction(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	m, err := etcdnode.Open(ctx, etcdnode.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.PutBare(ctx, etcdnode.Pair{Key: "a", Value: "1"}, etcdnode.Pair{Key: "b", Value: "2"}); err != nil {
		t.Fatal(err)
	}
	if err := m.PutBare(ctx, etcdnode.Pair{Key: "a", Value: "1"}, etcdnode.Pair{Key: "a", Value: "2"}); err == nil {
		t.Fatal("etcd took one key twice in one transaction")
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	node, err := etcdnode.Open(ctx, etcdnode.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := node.Close(); err != nil {
			t.Error(err)
		}
	}()
	res, err := node.Client.Get(ctx, "", clientv3.WithPrefix())
	if err != nil || len(res.Kvs) != 2 || res.Kvs[0].ModRevision != res.Kvs[1].ModRevision {
		t.Fatalf("%v, %v: want two keys of one revision", res, err)
	}
}
