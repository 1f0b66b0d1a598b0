// Package etcdbare is the ledger's etcd with nothing above it: no sealing, no
// events, no compares. Benchmarks hold the ledger against it. Nothing that ships
// uses it.
package etcdbare
