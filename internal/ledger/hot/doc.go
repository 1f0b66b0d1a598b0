// Package hot remembers sealed records of a ledger that is alone on its store, so
// that reading a hot record costs no look-up in etcd. It shows what etcd would: see
// Cache. It opens no seal.
package hot
