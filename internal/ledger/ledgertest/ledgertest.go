// Package ledgertest opens real ledgers for tests: embedded etcd with fsync in a
// temporary directory.
package ledgertest

import (
	"context"
	"log/slog"
	"testing"

	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/etcdnode"
	"github.com/coffer-dev/coffer/internal/seal"
	"github.com/coffer-dev/coffer/internal/seal/kek"
)

// Open starts a one-member ledger that lives as long as the test. change, when not
// nil, adjusts the configuration first.
func Open(t testing.TB, change func(*ledger.Config)) *ledger.Ledger {
	t.Helper()
	dir := t.TempDir()
	file := dir + "/kek"
	if err := kek.CreateFile(file); err != nil {
		t.Fatal(err)
	}
	return OpenAt(t, dir, file, change)
}

// OpenAt is Open on a directory and a key file that outlive the ledger.
func OpenAt(t testing.TB, dir, keyFile string, change func(*ledger.Config)) *ledger.Ledger {
	t.Helper()
	ctx := context.Background()
	node, err := etcdnode.Open(ctx, etcdnode.Config{Dir: dir + "/etcd", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return start(t, node, keyFile, change)
}

func start(t testing.TB, node *etcdnode.Node, keyFile string, change func(*ledger.Config)) *ledger.Ledger {
	t.Helper()
	c := ledger.Config{Node: node, KEKs: FileKEK(keyFile)}
	if change != nil {
		change(&c)
	}
	l := ledger.Open(context.Background(), c)
	t.Cleanup(func() {
		l.Close()
		if err := node.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// FileKEK reads one key encryption key from a file each time it is asked.
func FileKEK(path string) func(context.Context) ([]seal.KEK, error) {
	return func(context.Context) ([]seal.KEK, error) {
		k, err := kek.File(path)
		if err != nil {
			return nil, err
		}
		return []seal.KEK{k}, nil
	}
}
