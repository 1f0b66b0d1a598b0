package audit_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/audit/audittest"
)

func (m *medium) syncsSoFar() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.syncs
}

// sizes are the bytes in the file and those of them that survive a crash.
func (m *medium) sizes() (content, durable int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return int64(len(m.content)), int64(len(m.durable))
}

// One mutation after another costs one fsync each: an outcome shares that of the
// next attempt.
func TestOutcomesShareTheNextSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &medium{}
		var batches []audit.Batch
		f := openFile(t, audit.FileConfig{Open: m.open, Observe: func(b audit.Batch) { batches = append(batches, b) }})
		want := []string{}
		for _, id := range []string{"a", "b", "c"} {
			mustKeep(t, f, id)
			f.Follow(audittest.Sample(id + "'"))
			want = append(want, id, id+"'")
		}
		synctest.Wait()
		if n := m.syncsSoFar(); n != 3 {
			t.Errorf("%d fsyncs for 3 mutations", n)
		}
		if content, durable := m.sizes(); f.Durable() != durable || content == durable {
			t.Errorf("%d of %d bytes are called durable, %d are", f.Durable(), content, durable)
		}
		time.Sleep(audit.DefaultLinger + time.Millisecond)
		synctest.Wait()
		if got := audittest.IDs(m.records(t)); !slices.Equal(got, want) {
			t.Errorf("file holds %v", got)
		}
		total := 0
		for _, b := range batches {
			total += b.Records
		}
		if _, durable := m.sizes(); len(batches) != 4 || total != len(want) || f.Durable() != durable {
			t.Errorf("%d records in %d batches: %+v", total, len(batches), batches)
		}
	})
}

// Outcomes that keep coming do not put off the fsync of the first.
func TestAnOutcomeWaitsForLingerAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &medium{}
		f := openFile(t, audit.FileConfig{Open: m.open, Linger: 10 * time.Millisecond})
		for range 100 {
			f.Follow(audittest.Sample("outcome"))
			time.Sleep(time.Millisecond)
		}
		if n := m.syncsSoFar(); n < 8 || n > 12 {
			t.Errorf("%d fsyncs in 100 ms of outcomes, want one each 10 ms", n)
		}
	})
}

func TestALooseOutcomeIsOwedWhenItsSyncFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &medium{}
		f := openFile(t, audit.FileConfig{Open: m.open})
		mustKeep(t, f, "a")
		f.Follow(audittest.Sample("a'"))
		m.set(func() { m.syncErr = errNoSpace })
		if err := f.Keep(t.Context(), audittest.Sample("refused")); err == nil {
			t.Fatal("kept without an fsync")
		}
		f.Follow(audittest.Sample("other"))
		m.set(func() { m.syncErr = nil })
		mustKeep(t, f, "b")
		if got := audittest.IDs(m.records(t)); !slices.Equal(got, []string{"a", "a'", "other", "b"}) {
			t.Errorf("file holds %v", got)
		}
	})
}

// A rotation leaves loose outcomes durable in the old file; where that fails they go
// to the new one, and to it alone.
func TestReopenSettlesLooseOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		fails     error
		old, next []string
	}{
		"works": {nil, []string{"a", "a'"}, []string{"b"}},
		"fails": {errNoSpace, []string{"a"}, []string{"a'", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old, next := &medium{}, &medium{}
				var current atomic.Pointer[medium]
				current.Store(old)
				f := openFile(t, audit.FileConfig{Open: func(path string) (audit.Disk, int64, error) {
					return current.Load().open(path)
				}})
				mustKeep(t, f, "a")
				f.Follow(audittest.Sample("a'"))
				old.set(func() { old.syncErr = c.fails })
				current.Store(next)
				if err := f.Reopen(t.Context()); err != nil {
					t.Fatal(err)
				}
				mustKeep(t, f, "b")
				if got := audittest.IDs(old.records(t)); !slices.Equal(got, c.old) {
					t.Errorf("old file holds %v", got)
				}
				if got := audittest.IDs(next.records(t)); !slices.Equal(got, c.next) {
					t.Errorf("new file holds %v", got)
				}
			})
		})
	}
}

func TestCloseSettlesLooseOutcomes(t *testing.T) {
	m := &medium{}
	f, err := audit.OpenFile(audit.FileConfig{Open: m.open, Linger: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	f.Follow(audittest.Sample("loose"))
	if err := f.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := audittest.IDs(m.records(t)); !slices.Equal(got, []string{"loose"}) {
		t.Errorf("file holds %v", got)
	}
}
