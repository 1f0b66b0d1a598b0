package embedded_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
)

const benchSize = 256 // bytes of a value

// among shares b.N calls of do among writers and reports calls per second.
func among(b *testing.B, writers int, do func(writer, n int) error) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := 0; next.Add(1) <= int64(b.N); n++ {
				if err := do(w, n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
}

func concurrencies(b *testing.B, run func(b *testing.B, writers int)) {
	for _, n := range []int{1, 16, 64} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { run(b, n) })
	}
}

// BenchmarkBareThreeKeys is what etcd itself does: the measure for BenchmarkPut.
func BenchmarkBareThreeKeys(b *testing.B) {
	etcd := ledgertest.OpenBare(b)
	text := strings.Repeat("v", benchSize)
	concurrencies(b, func(b *testing.B, writers int) {
		among(b, writers, func(w, n int) error {
			return etcd.Write(context.Background(), fmt.Sprintf("p/%d/%d", w, n%20), n, text)
		})
	})
}

// BenchmarkPut writes value, metadata and event.
func BenchmarkPut(b *testing.B) {
	l, s := open(b)
	v, body := value(strings.Repeat("v", benchSize)), []byte(strings.Repeat("e", benchSize))
	concurrencies(b, func(b *testing.B, writers int) {
		among(b, writers, func(w, n int) error {
			_, err := l.Txn(context.Background(), func(tx *ledger.Tx) error {
				if err := tx.Emit("a", body); err != nil {
					return err
				}
				_, err := s.In(tx).Put(context.Background(), ref("a", fmt.Sprintf("p/%d/%d", w, n%20)), v, nil)
				return err
			})
			return err
		})
	})
}

// BenchmarkBareRead is one linearizable read of etcd; a Get of a secret is two.
func BenchmarkBareRead(b *testing.B) {
	etcd := ledgertest.OpenBare(b)
	for i := range 20 {
		if err := etcd.Write(context.Background(), fmt.Sprint("p/", i), 0, strings.Repeat("v", benchSize)); err != nil {
			b.Fatal(err)
		}
	}
	concurrencies(b, func(b *testing.B, writers int) {
		among(b, writers, func(_, n int) error { return etcd.Read(context.Background(), fmt.Sprint("p/", n%20)) })
	})
}

// BenchmarkGet reads the latest version of a secret.
func BenchmarkGet(b *testing.B) {
	_, s := open(b)
	for i := range 20 {
		mustPut(b, s, fmt.Sprint("p/", i), strings.Repeat("v", benchSize))
	}
	concurrencies(b, func(b *testing.B, writers int) {
		among(b, writers, func(_, n int) error {
			_, err := s.Get(context.Background(), ref("a", fmt.Sprint("p/", n%20)), 0)
			return err
		})
	})
}
