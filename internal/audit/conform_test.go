package audit_test

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/audit/audittest"
)

// openFile starts a sink that the test stops.
func openFile(t testing.TB, cfg audit.FileConfig) *audit.File {
	t.Helper()
	f, err := audit.OpenFile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = f.Close(ctx)
	})
	return f
}

// flaky is the real disk with a switch that fails half of a write.
type flaky struct {
	audit.Disk
	fail *atomic.Bool
}

func (d flaky) Write(p []byte) (int, error) {
	if !d.fail.Load() {
		return d.Disk.Write(p)
	}
	n, _ := d.Disk.Write(p[:len(p)/2])
	return n, errNoSpace
}

func TestSinksConform(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		audittest.Conform(t, func(*testing.T) audittest.Subject {
			m := &audittest.Memory{}
			return audittest.Subject{Sink: m, Fail: m.Fail, Read: m.Records}
		})
	})
	t.Run("tee", func(t *testing.T) {
		audittest.Conform(t, func(*testing.T) audittest.Subject {
			m := &audittest.Memory{}
			return audittest.Subject{Sink: audit.Tee(m, audit.NewRing(0)), Fail: m.Fail, Read: m.Records}
		})
	})
	t.Run("file on a disk that takes half", func(t *testing.T) {
		audittest.Conform(t, func(t *testing.T) audittest.Subject {
			path := filepath.Join(t.TempDir(), "audit.log")
			fail := &atomic.Bool{}
			f := openFile(t, audit.FileConfig{Path: path, Open: func(path string) (audit.Disk, int64, error) {
				disk, size, err := audit.OpenDisk(path)
				return flaky{disk, fail}, size, err
			}})
			return audittest.Subject{Sink: f, Fail: fail.Store, Read: func() []audit.Record {
				settle(t, f)
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				return lines(t, data)
			}}
		})
	})
	for name, fault := range map[string]func(*medium, error){
		"file whose fsync fails":           func(m *medium, err error) { m.syncErr = err },
		"file that cannot be opened again": func(m *medium, err error) { m.syncErr, m.openErr = err, err },
		"file that is full":                func(m *medium, err error) { m.writeErr, m.room = err, 100 },
		"file that writes less in silence": func(m *medium, err error) { m.writeErr, m.room, m.silent = err, 100, true },
	} {
		t.Run(name, func(t *testing.T) {
			audittest.Conform(t, func(t *testing.T) audittest.Subject {
				m := &medium{}
				f := openFile(t, audit.FileConfig{Open: m.open})
				fail := func(on bool) {
					m.set(func() {
						fault(m, nil)
						if on {
							fault(m, errNoSpace)
						}
					})
				}
				return audittest.Subject{Sink: f, Fail: fail, Read: func() []audit.Record {
					settle(t, f)
					return m.records(t)
				}}
			})
		})
	}
}

// settle waits for the batch that a Follow left on its way to the fsync: a reopen
// is done between batches.
func settle(t *testing.T, f *audit.File) {
	t.Helper()
	_ = f.Reopen(t.Context()) // where the medium refuses it, the batches before are over as well
}
