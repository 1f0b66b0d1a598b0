// Command bench measures Coffer beside its peers in one run and prints one table:
// reads and writes a second at 1, 16 and 64 connections, their p50 and p99, fsyncs a
// write, memory and start-up time, and whether the aims are met.
//
// Every contestant is a process of its own: bin/coffer with authentication,
// authorisation, audit file and fsync on; a bare net/http server that answers the
// same bytes and does nothing for them; a bare embedded etcd that commits
// transactions of three keys; an OpenBao, where bao is on PATH. The generator is
// the same for all that speak HTTP: one goroutine a keep-alive connection, requests
// made beforehand, answers read by a parser that knows just enough. Generator and
// contestant share the cores of one machine, so the rates are lower than those of
// two machines, and ratios of one run say more than rates.
//
// A cell is one contestant under one load for a fixed time, behind a warm-up. The
// contestants take turns cell by cell, several rounds of them, so that a drift of
// the machine hits all alike; the median of the rounds counts. An answer other than
// 200 fails the run.
//
// It owns no part of the product and is imported by nothing.
package main
