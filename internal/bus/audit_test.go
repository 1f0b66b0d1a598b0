package bus_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/audit/audittest"
	"github.com/coffer-dev/coffer/internal/bus"
	"github.com/coffer-dev/coffer/internal/telemetry/logtest"
)

// sink opens a real audit file and points the bus at it.
func sink(t *testing.T, c *bus.Config) *audit.File {
	t.Helper()
	f, err := audit.OpenFile(audit.FileConfig{Path: c.AuditFile})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	c.Durable = f.Durable
	return f
}

// keep writes records named from..to and gives their lines.
func keep(t *testing.T, f *audit.File, from, to int) []string {
	t.Helper()
	var out []string
	for i := from; i < to; i++ {
		r := audittest.Sample(fmt.Sprint(i))
		r.Time = r.Time.Add(time.Duration(i) * time.Millisecond)
		if err := f.Keep(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		out = append(out, string(r.AppendJSON(nil)))
	}
	return out
}

func rotate(t *testing.T, f *audit.File, path, to string) {
	t.Helper()
	if err := os.Rename(path, to); err != nil {
		t.Fatal(err)
	}
	if err := f.Reopen(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func values(records []*kgo.Record) []string {
	var out []string
	for _, r := range records {
		out = append(out, string(r.Value))
	}
	return out
}

func TestAuditLinesArriveAsTheyAreAcrossRotationsAndRestarts(t *testing.T) {
	b := broker(t, "127.0.0.1:0", t.TempDir())
	c := config(t, b.Addr())
	f := sink(t, &c)
	want := keep(t, f, 0, 20)
	_, stop := run(t, c)
	r := read(t, b.Addr(), "crud.secrets.audit")
	got := r.next(20)
	if string(got[0].Key) != audittest.Sample("0").ResourceRef || len(got[0].Key) == 0 {
		t.Errorf("key %q", got[0].Key)
	}
	want = append(want, keep(t, f, 20, 30)...)
	rotate(t, f, c.AuditFile, c.AuditFile+".1")
	want = append(want, keep(t, f, 30, 40)...)
	got = append(got, r.next(20)...)
	stop()

	// While the mirror is down the file is written to, rotated twice, and written to.
	want = append(want, keep(t, f, 40, 50)...)
	rotate(t, f, c.AuditFile, c.AuditFile+"-20260102")
	want = append(want, keep(t, f, 50, 60)...)
	rotate(t, f, c.AuditFile, c.AuditFile+"-20260103")
	want = append(want, keep(t, f, 60, 70)...)
	run(t, c)
	got = append(got, r.next(30)...)
	got = append(got, r.rest()...)
	if have := firsts(values(got)); !slices.Equal(have, want) || len(got) > len(want)+20 {
		t.Errorf("%d records, %d different ones, want %d in order", len(got), len(have), len(want))
	}
}

func TestAuditFilesRotatedAwayDuringAnOutageAreNotLost(t *testing.T) {
	dir := t.TempDir()
	b := broker(t, "127.0.0.1:0", dir)
	c := config(t, b.Addr())
	f := sink(t, &c)
	run(t, c)
	want := keep(t, f, 0, 5)
	read(t, b.Addr(), "crud.secrets.audit").next(5)
	b.Close()
	for i := 1; i < 4; i++ {
		want = append(want, keep(t, f, 5*i, 5*i+5)...)
		old := fmt.Sprintf("%s.%d", c.AuditFile, i)
		rotate(t, f, c.AuditFile, old)
		want = append(want, keep(t, f, 100*i, 100*i+1)...)
		time.Sleep(100 * time.Millisecond) // some looks at the file
		if err := os.Remove(old); err != nil {
			t.Fatal(err)
		}
	}
	b = broker(t, b.Addr(), dir)
	got := read(t, b.Addr(), "crud.secrets.audit").until(func(rs []*kgo.Record) bool {
		return slices.Contains(values(rs), want[len(want)-1])
	})
	if have := firsts(values(got)); !slices.Equal(have, want) {
		t.Errorf("%d different records, want %d", len(have), len(want))
	}
}

func TestALostAuditFileIsReported(t *testing.T) {
	b := broker(t, "127.0.0.1:0", t.TempDir())
	c := config(t, b.Addr())
	f := sink(t, &c)
	want := keep(t, f, 0, 3)
	_, stop := run(t, c)
	r := read(t, b.Addr(), "crud.secrets.audit")
	got := r.next(3)
	eventually(t, "the cursor moved", func() bool {
		_, mark, err := c.Cursors.Load(t.Context(), "kafka/crud.secrets.audit/node")
		return err == nil && mark > 0
	})
	stop()
	rotate(t, f, c.AuditFile, c.AuditFile+".1")
	if err := os.Remove(c.AuditFile + ".1"); err != nil {
		t.Fatal(err)
	}
	want = append(want, keep(t, f, 3, 6)...)
	out := &logtest.Log{}
	c.Log = slog.New(slog.NewJSONHandler(out, nil))
	var gaps atomic.Int64
	c.Observe.Gap = func(string) { gaps.Add(1) }
	run(t, c)
	got = append(got, r.next(3)...)
	if !slices.Equal(firsts(values(got)), want) || gaps.Load() != 1 || !strings.Contains(out.String(), "gone or was cut") {
		t.Errorf("%d records, %d gaps, log %s", len(got), gaps.Load(), out)
	}
	if strings.Contains(out.String(), c.AuditFile) {
		t.Error("the log names a path")
	}
}

func TestALineThatIsNoRecordIsToldWithoutAKey(t *testing.T) {
	b := broker(t, "127.0.0.1:0", t.TempDir())
	c := config(t, b.Addr())
	text := `{"audit_id":"1","resource_ref":"r"}` + "\nnonsense\n" + `{"audit_id":"2"}` + "\nhalf"
	if err := os.WriteFile(c.AuditFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, c)
	r := read(t, b.Addr(), "crud.secrets.audit")
	got := append(r.next(3), r.rest()...)
	if want := []string{`{"audit_id":"1","resource_ref":"r"}`, "nonsense", `{"audit_id":"2"}`}; !slices.Equal(values(got), want) {
		t.Errorf("records %q", values(got))
	}
	if string(got[0].Key) != "r" || got[1].Key != nil || got[2].Key != nil {
		t.Errorf("keys %q %q %q", got[0].Key, got[1].Key, got[2].Key)
	}
}

func TestRecordsThatAreNotDurableAreNotTold(t *testing.T) {
	b := broker(t, "127.0.0.1:0", t.TempDir())
	c := config(t, b.Addr())
	line := `{"audit_id":"1"}` + "\n"
	if err := os.WriteFile(c.AuditFile, []byte(line+line), 0o600); err != nil {
		t.Fatal(err)
	}
	var durable atomic.Int64
	durable.Store(int64(len(line)))
	c.Durable = durable.Load
	run(t, c)
	r := read(t, b.Addr(), "crud.secrets.audit")
	if got := append(r.next(1), r.rest()...); len(got) != 1 {
		t.Errorf("%d records are told, 1 is durable", len(got))
	}
	durable.Add(int64(len(line)))
	r.next(1)
}
