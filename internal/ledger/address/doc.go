// Package address says where a record lies: its key, the etcd key that it has, the
// address that its seal is bound to, and exact ranges of them. It reads and writes
// nothing.
package address
