// Package hot remembers sealed records of a ledger that is alone on its store, so
// that a read of a hot record costs no look-up in etcd. It never shows a record older
// than an acknowledged write: see Cache. It knows neither etcd nor seals.
package hot
