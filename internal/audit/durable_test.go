package audit_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/audit/audittest"
)

func TestDurableIsTheLengthOfTheCurrentFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	f := openFile(t, audit.FileConfig{Path: path})
	same := func(when string) {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if f.Durable() != info.Size() {
			t.Errorf("%s: %d bytes are said to be durable of %d", when, f.Durable(), info.Size())
		}
	}
	same("empty")
	mustKeep(t, f, "a")
	mustKeep(t, f, "b")
	same("written")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := f.Reopen(t.Context()); err != nil {
		t.Fatal(err)
	}
	same("rotated")
	mustKeep(t, f, "c")
	same("written after the rotation")
	if err := f.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	f = openFile(t, audit.FileConfig{Path: path})
	same("opened again")
}

func TestDurableLeavesOutWhatWasNotSynced(t *testing.T) {
	m := &medium{}
	f := openFile(t, audit.FileConfig{Open: m.open})
	mustKeep(t, f, "a")
	whole := f.Durable()
	m.set(func() { m.syncErr = errNoSpace })
	if err := f.Keep(t.Context(), audittest.Sample("b")); err == nil {
		t.Fatal("a record was kept without an fsync")
	}
	if whole != int64(m.length()) || f.Durable() != whole {
		t.Errorf("%d bytes are durable, %d are said to be", whole, f.Durable())
	}
	m.set(func() { m.syncErr = nil })
	mustKeep(t, f, "c")
	if f.Durable() != int64(m.length()) {
		t.Errorf("%d bytes are durable, %d are said to be", m.length(), f.Durable())
	}
}
