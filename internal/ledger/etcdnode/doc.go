// Package etcdnode gives the ledger its etcd: one member embedded in this process
// with no listener at all, or a client dialled to an external cluster over mutual
// TLS. What is kept in etcd, and how, is the ledger's matter.
package etcdnode
