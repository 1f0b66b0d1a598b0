package audit_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/audit/audittest"
	"github.com/coffer-dev/coffer/internal/fault"
)

func TestConcurrentCallersShareOneSync(t *testing.T) {
	m := &medium{hang: make(chan struct{})}
	var batches []audit.Batch
	f := openFile(t, audit.FileConfig{Open: m.open, Observe: func(b audit.Batch) { batches = append(batches, b) }})
	const callers = 50
	var all sync.WaitGroup
	synced := make(chan error, callers+1)
	all.Go(func() { synced <- f.Keep(context.Background(), audittest.Sample("first")) })
	waitFor(t, func() bool { return m.length() > 0 }) // the first batch hangs in its fsync
	for i := range callers {
		all.Go(func() { synced <- f.Keep(context.Background(), audittest.Sample(fmt.Sprint(i))) })
	}
	time.Sleep(20 * time.Millisecond)
	if n := len(synced); n != 0 {
		t.Errorf("%d callers were answered before the fsync", n)
	}
	m.release()
	all.Wait()
	for range callers + 1 {
		if err := <-synced; err != nil {
			t.Error(err)
		}
	}
	if err := f.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(m.records(t)) != callers+1 || len(batches) > 5 {
		t.Errorf("%d records in %d batches, want %d in a few", len(m.records(t)), len(batches), callers+1)
	}
}

func TestC52ADiskThatHangsRefusesAfterTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &medium{hang: make(chan struct{})}
		f, err := audit.OpenFile(audit.FileConfig{Open: m.open})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"taken", "withdrawn"} {
			start := time.Now()
			err := f.Keep(t.Context(), audittest.Sample(id))
			if fault.CodeOf(err) != audit.CodeUnavailable || time.Since(start) != 2*time.Second {
				t.Errorf("%s: %v after %v", id, err, time.Since(start))
			}
		}
		start := time.Now()
		f.Follow(audittest.Sample("followed"))
		if time.Since(start) > 2*time.Second {
			t.Errorf("Follow held its caller for %v", time.Since(start))
		}
		m.release()
		if err := f.Keep(t.Context(), audittest.Sample("after")); err != nil {
			t.Error(err)
		}
		if got := audittest.IDs(m.records(t)); !slices.Equal(got, []string{"taken", "followed", "after"}) {
			t.Errorf("file holds %v", got)
		}
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestAFailedSyncIsNotTrusted(t *testing.T) {
	m := &medium{}
	f := openFile(t, audit.FileConfig{Open: m.open})
	mustKeep(t, f, "a")
	m.set(func() { m.syncErr = errNoSpace })
	if err := f.Keep(t.Context(), audittest.Sample("refused")); err == nil {
		t.Fatal("kept without an fsync")
	}
	if f.Check(t.Context()) == nil {
		t.Error("ready with a failing disk")
	}
	opens := m.opensSoFar()
	if opens != 2 {
		t.Errorf("opened %d times, want a fresh handle after the failed fsync", opens)
	}
	m.set(func() { m.syncErr = nil })
	mustKeep(t, f, "b")
	if err := f.Check(t.Context()); err != nil {
		t.Errorf("not ready with a working disk: %v", err)
	}
	if got := audittest.IDs(m.records(t)); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("file holds %v", got)
	}
}

func TestAHalfLineThatCannotBeCutStopsEverything(t *testing.T) {
	m := &medium{}
	f := openFile(t, audit.FileConfig{Open: m.open})
	mustKeep(t, f, "a")
	m.set(func() { m.writeErr, m.room, m.truncErr = errNoSpace, 7, errNoSpace })
	if err := f.Keep(t.Context(), audittest.Sample("torn")); err == nil {
		t.Fatal("kept half a record")
	}
	m.set(func() { m.writeErr = nil }) // writes work again, the half line still stands
	if err := f.Keep(t.Context(), audittest.Sample("behind a half line")); err == nil {
		t.Fatal("wrote behind a half line")
	}
	m.set(func() { m.truncErr = nil })
	mustKeep(t, f, "b")
	if got := audittest.IDs(m.records(t)); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("file holds %v", got)
	}
}

func TestAFailingSinkRecoversByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &medium{}
		f, err := audit.OpenFile(audit.FileConfig{Open: m.open, Retry: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		m.set(func() { m.syncErr = errNoSpace })
		f.Follow(audittest.Sample("owed"))
		time.Sleep(5 * time.Second)
		if f.Check(t.Context()) == nil {
			t.Error("ready while an outcome is owed")
		}
		m.set(func() { m.syncErr = nil })
		time.Sleep(1100 * time.Millisecond)
		if err := f.Check(t.Context()); err != nil {
			t.Errorf("no recovery without a request: %v", err)
		}
		if got := audittest.IDs(m.records(t)); !slices.Equal(got, []string{"owed"}) {
			t.Errorf("file holds %v", got)
		}
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseTellsOfLostOutcomes(t *testing.T) {
	m := &medium{syncErr: errNoSpace}
	f, err := audit.OpenFile(audit.FileConfig{Open: m.open})
	if err != nil {
		t.Fatal(err)
	}
	f.Follow(audittest.Sample("lost"))
	if err := f.Close(t.Context()); !errors.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want Unavailable", err)
	}
	if err := f.Keep(t.Context(), audittest.Sample("late")); fault.CodeOf(err) != audit.CodeUnavailable {
		t.Errorf("after close: %v", err)
	}
	if err := f.Reopen(t.Context()); !errors.Is(err, fault.Unavailable) {
		t.Errorf("reopen after close: %v", err)
	}
	m.set(func() { m.openErr = errNoSpace })
	if _, err := audit.OpenFile(audit.FileConfig{Open: m.open}); !errors.Is(err, fault.Unavailable) {
		t.Errorf("unusable file: %v", err)
	}
}

// TestRotationUnderLoad moves the file away and reopens, many times, while callers
// write: every record is in exactly one of the files, in its caller's order.
func TestRotationUnderLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.log")
	f := openFile(t, audit.FileConfig{Path: path})
	var stop atomic.Bool
	var all sync.WaitGroup
	kept := make([]int, 8)
	for c := range kept {
		all.Go(func() {
			for !stop.Load() {
				if err := f.Keep(context.Background(), audittest.Sample(fmt.Sprintf("%d-%08d", c, kept[c]))); err != nil {
					t.Errorf("refused by a rotation: %v", err)
				}
				kept[c]++
			}
		})
	}
	const rotations = 20
	for i := range rotations {
		time.Sleep(3 * time.Millisecond)
		if err := os.Rename(path, filepath.Join(dir, fmt.Sprintf("audit.log.%02d", i))); err != nil {
			t.Fatal(err)
		}
		if err := f.Reopen(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stop.Store(true)
	all.Wait()
	var got []string
	for i := range rotations + 1 {
		name := filepath.Join(dir, fmt.Sprintf("audit.log.%02d", i))
		if i == rotations {
			name = path
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, audittest.IDs(lines(t, data))...)
	}
	var want []string
	for c, n := range kept {
		for i := range n {
			want = append(want, fmt.Sprintf("%d-%08d", c, i))
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%d records in the files, %d were kept", len(got), len(want))
	}
}

func TestAReopenThatFailsKeepsTheOldFile(t *testing.T) {
	m := &medium{}
	f := openFile(t, audit.FileConfig{Open: m.open})
	mustKeep(t, f, "a")
	m.set(func() { m.openErr = errNoSpace })
	if err := f.Reopen(t.Context()); !errors.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want Unavailable", err)
	}
	mustKeep(t, f, "b")
	if got := audittest.IDs(m.records(t)); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("file holds %v", got)
	}
}

// TestReopenIsTheWayOffADeadDisk: a file that can neither be written nor cut is
// left by a rotation; what was owed to it goes to the new one. Where the old disk
// can be cut by then, its half line goes.
func TestReopenIsTheWayOffADeadDisk(t *testing.T) {
	for name, revived := range map[string]bool{"dead": false, "cut on leaving": true} {
		t.Run(name, func(t *testing.T) {
			old, next := &medium{}, &medium{}
			var current atomic.Pointer[medium]
			current.Store(old)
			f := openFile(t, audit.FileConfig{Open: func(path string) (audit.Disk, int64, error) {
				return current.Load().open(path)
			}})
			mustKeep(t, f, "a")
			whole := old.length()
			old.set(func() { old.writeErr, old.room, old.truncErr = errNoSpace, 7, errNoSpace })
			f.Follow(audittest.Sample("owed"))
			if revived {
				old.set(func() { old.truncErr = nil })
			}
			current.Store(next)
			if err := f.Reopen(t.Context()); err != nil {
				t.Fatal(err)
			}
			mustKeep(t, f, "b")
			if got := audittest.IDs(next.records(t)); !slices.Equal(got, []string{"owed", "b"}) {
				t.Errorf("new file holds %v", got)
			}
			if torn := old.length() - whole; torn != 0 && revived || torn != 7 && !revived {
				t.Errorf("%d bytes of a half line in the old file", torn)
			}
		})
	}
}

func mustKeep(t *testing.T, f *audit.File, id string) {
	t.Helper()
	if err := f.Keep(t.Context(), audittest.Sample(id)); err != nil {
		t.Fatalf("keep %s: %v", id, err)
	}
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for range 2000 {
		if done() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("waited in vain")
}

func (m *medium) length() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.content)
}

func (m *medium) opensSoFar() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.opens
}

// release lets the hanging Sync go on.
func (m *medium) release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.hang)
	m.hang = nil
}
