package etcdnode

import (
	"slices"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// maxOps is how many operations, and how many compares, etcd takes at one level of a
// transaction by default; nestOps is how many stand at the second level.
const (
	maxOps  = 128
	nestOps = 64
)

// Nest puts the operations of a big transaction one level deeper, some thousands of
// them at most. What does not fit is refused by etcd.
func Nest(ops []clientv3.Op, cmps int) []clientv3.Op {
	if len(ops) <= maxOps || cmps >= maxOps {
		return ops
	}
	out := make([]clientv3.Op, 0, len(ops)/nestOps+1)
	for some := range slices.Chunk(ops, min(nestOps, maxOps-cmps)) {
		out = append(out, clientv3.OpTxn(nil, some, nil))
	}
	return out
}
