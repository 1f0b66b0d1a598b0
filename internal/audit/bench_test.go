package audit_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/audit/audittest"
)

// BenchmarkKeep is one durable record per operation, on the disk below TMPDIR.
func BenchmarkKeep(b *testing.B) {
	for _, callers := range []int{1, 16, 64} {
		b.Run(fmt.Sprint("callers-", callers), func(b *testing.B) {
			f := openFile(b, audit.FileConfig{Path: filepath.Join(b.TempDir(), "audit.log")})
			r := audittest.Sample("0b2cbd3e-6f0a-4b55-9a3c-2c5a5a0c7d11")
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ReportAllocs()
			b.ResetTimer()
			var all sync.WaitGroup
			for range callers {
				all.Go(func() {
					for left.Add(-1) >= 0 {
						if err := f.Keep(context.Background(), r); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

func BenchmarkRefs(b *testing.B) {
	refs, err := audit.NewRefs([]byte("0123456789abcdef0123456789abcdef"), audit.RefBase64)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		refs.Of(uri)
	}
}

func BenchmarkRingAdd(b *testing.B) {
	g := audit.NewRing(0)
	ids := make([]string, 4096)
	for i := range ids {
		ids[i] = fmt.Sprint("id-", i)
	}
	r := audittest.Sample("")
	n := 0
	for b.Loop() {
		r.ID = ids[n%len(ids)]
		n++
		g.Add(r)
	}
}
