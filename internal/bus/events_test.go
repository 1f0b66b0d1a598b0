package bus_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
	"github.com/coffer-dev/coffer/internal/telemetry/logtest"
)

func TestEventsArriveInLogOrderAsTheStreamShowsThem(t *testing.T) {
	l := ledgertest.Open(t, nil)
	b := broker(t, "127.0.0.1:0", t.TempDir())
	c := config(t, b.Addr())
	c.Events = l
	var sent atomic.Int64
	c.Observe.Sent = func(topic string, records int, _ time.Duration) {
		if topic == "crud.secrets" {
			sent.Add(int64(records))
		}
	}
	want := emit(t, l, 50)
	mirror, stop := run(t, c)
	want = append(want, emit(t, l, 50)...)
	r := read(t, b.Addr(), "crud.secrets")
	got := r.next(len(want))
	if !slices.Equal(ids(got), want) {
		t.Errorf("ids %v, want %v", ids(got), want)
	}
	first := got[0]
	const value = `{"ts":"2026-01-02T03:04:05.000006Z","event":"SECRET_UPDATED","vault_type":"embedded","resource_ref":"ref0",` +
		`"subject":"alice","purpose":"write","effect":"Permit","decision_id":"d","kv_version":1,"success":true,"cached":false,"correlation_id":"c"}`
	if string(first.Value) != value || string(first.Key) != "ref0" || header(first, "event") != event.SecretUpdated {
		t.Errorf("record %s of key %s and headers %v", first.Value, first.Key, first.Headers)
	}
	eventually(t, "ready", func() bool { return mirror.Ready() == nil && sent.Load() == 100 })

	// An orderly restart repeats nothing.
	stop()
	want = emit(t, l, 3)
	run(t, c)
	if more := r.next(3); !slices.Equal(ids(more), want) {
		t.Errorf("after a restart %v, want %v", ids(more), want)
	}
}

func TestAKillBeforeTheCursorRepeatsABatchAndLosesNothing(t *testing.T) {
	l := ledgertest.Open(t, nil)
	b := broker(t, "127.0.0.1:0", t.TempDir())
	c := config(t, b.Addr())
	c.Events = l
	store := &shelf{}
	c.Cursors = store
	r := read(t, b.Addr(), "crud.secrets")
	var want, got []string
	for range 4 {
		produced := make(chan struct{}, 100)
		store.refuse = func(name string) error {
			if name != "kafka/crud.secrets" {
				return nil
			}
			produced <- struct{}{}
			return fault.New(fault.Timeout, "killed between the acknowledgement and the cursor")
		}
		want = append(want, emit(t, l, 5)...)
		_, kill := run(t, c)
		<-produced
		kill()
		store.refuse = nil
		got = append(got, ids(r.rest())...)
		_, stop := run(t, c)
		want = append(want, emit(t, l, 2)...)
		got = append(got, ids(r.until(func(rs []*kgo.Record) bool {
			return len(rs) > 0 && header(rs[len(rs)-1], "id") == want[len(want)-1]
		}))...)
		eventually(t, "the cursor moved", func() bool {
			value, _, err := store.Load(t.Context(), "kafka/crud.secrets")
			return err == nil && strings.Contains(string(value), want[len(want)-1])
		})
		stop()
	}
	if !slices.Equal(firsts(got), want) {
		t.Errorf("first copies %v, want %v", firsts(got), want)
	}
	if len(got) == len(want) || len(got) > 2*len(want) {
		t.Errorf("%d records of %d events: a kill repeats a batch, and no more", len(got), len(want))
	}
}

func TestTheMirrorCatchesUpAfterTheBrokerWasAway(t *testing.T) {
	l := ledgertest.Open(t, nil)
	dir := t.TempDir()
	b := broker(t, "127.0.0.1:0", dir)
	c := config(t, b.Addr())
	c.Events = l
	c.After = func(d time.Duration) <-chan time.Time { return time.After(min(d, 100*time.Millisecond)) }
	mirror, _ := run(t, c)
	want := emit(t, l, 10)
	read(t, b.Addr(), "crud.secrets").next(10)
	b.Close()
	want = append(want, emit(t, l, 300)...) // nobody waits for the broker
	eventually(t, "the outage is told", func() bool { return mirror.Ready() != nil })
	b = broker(t, b.Addr(), dir)
	got := read(t, b.Addr(), "crud.secrets").until(func(rs []*kgo.Record) bool {
		return len(rs) > 0 && header(rs[len(rs)-1], "id") == want[len(want)-1]
	})
	if !slices.Equal(firsts(ids(got)), want) {
		t.Errorf("%d records, first copies %v, want %v", len(got), firsts(ids(got)), want)
	}
	eventually(t, "ready again", func() bool { return mirror.Ready() == nil })
}

func TestABrokerThatIsNotThereYetIsReported(t *testing.T) {
	away := broker(t, "127.0.0.1:0", t.TempDir())
	away.Close()
	c := config(t, away.Addr())
	var failed atomic.Int64
	c.Observe.Failed = func(string) { failed.Add(1) }
	out := &logtest.Log{}
	c.Log = slog.New(slog.NewJSONHandler(out, nil))
	mirror, stop := run(t, c)
	if err := mirror.Ready(); !errors.Is(err, fault.Unavailable) {
		t.Errorf("ready before anything was reached: %v", err)
	}
	eventually(t, "a report", func() bool { return failed.Load() >= 2 })
	if err := mirror.Ready(); !errors.Is(err, fault.Unavailable) || !strings.Contains(out.String(), "the topic is not being filled") {
		t.Errorf("ready %v, log %s", err, out)
	}
	start := time.Now()
	stop()
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("the end took %s", took)
	}
}

// scripted is a log that tells of one page.
type scripted struct {
	quiet
	page event.Page
}

func (s scripted) ReadLog(_ context.Context, _ string, after int64, _ int) (event.Page, error) {
	if after > 0 {
		return event.Page{}, nil
	}
	return s.page, nil
}

func TestAGapIsTold(t *testing.T) {
	b := broker(t, "127.0.0.1:0", t.TempDir())
	c := config(t, b.Addr())
	c.Events = scripted{page: event.Page{Lost: 4000, List: []event.Entry{{Sequence: 4001, Body: []byte(`{"event":"SECRET_READ","topic":"kv"}`)}}}}
	gaps := make(chan string, 10)
	c.Observe.Gap = func(topic string) { gaps <- topic }
	out := &logtest.Log{}
	c.Log = slog.New(slog.NewJSONHandler(out, nil))
	run(t, c)
	got := read(t, b.Addr(), "crud.secrets").next(2)
	if string(got[0].Value) != `{"from":0,"to":4000,"reason":"retention"}` || header(got[0], "event") != "gap" || header(got[0], "id") != "4000" {
		t.Errorf("record %s, headers %v", got[0].Value, got[0].Headers)
	}
	if header(got[1], "id") != "4001" {
		t.Errorf("behind the gap comes %v", got[1].Headers)
	}
	if topic := <-gaps; topic != "crud.secrets" || !strings.Contains(out.String(), `"from":0,"to":4000`) {
		t.Errorf("gap in %s, log %s", topic, out)
	}
}

// Events of other topics are not ours to tell, and what only other topics carry is
// told by no record.
func TestC53OnlyWhatTheStreamShowsIsTold(t *testing.T) {
	const canary = "canary-5f3a"
	l := ledgertest.Open(t, nil)
	b := broker(t, "127.0.0.1:0", t.TempDir())
	c := config(t, b.Addr())
	c.Events = l
	out := &logtest.Log{}
	c.Log = slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	tell(t, l, event.Event{Topic: "tenants", Name: "TENANT_CREATED", New: []byte(`{"x":"` + canary + `"}`)})
	ours := tell(t, l, event.Event{Topic: event.TopicKV, Name: event.SecretRead, Old: []byte(`"` + canary + `"`), New: []byte(`"` + canary + `"`)})
	run(t, c)
	r := read(t, b.Addr(), "crud.secrets")
	got := append(r.next(1), r.rest()...)
	if !slices.Equal(ids(got), []string{ours}) || strings.Contains(string(got[0].Value), canary) || strings.Contains(out.String(), canary) {
		t.Errorf("told are %v: %s; log %s", ids(got), got[0].Value, out)
	}
}

func TestOfTwoReplicasOneStandsByAndTakesOver(t *testing.T) {
	l := ledgertest.Open(t, nil)
	b := broker(t, "127.0.0.1:0", t.TempDir())
	c := config(t, b.Addr())
	c.Events = l
	out := &logtest.Log{}
	c.Log = slog.New(slog.NewJSONHandler(out, nil))
	_, stop := run(t, c)
	other := c
	other.Node, other.AuditFile = "other", c.AuditFile+".none/audit.log"
	run(t, other)
	r := read(t, b.Addr(), "crud.secrets")
	last := func(want []string) func([]*kgo.Record) bool {
		return func(rs []*kgo.Record) bool { return slices.Contains(ids(rs), want[len(want)-1]) }
	}
	var want, got []string
	for range 5 {
		want = append(want, emit(t, l, 10)...)
		got = append(got, ids(r.until(last(want)))...)
	}
	eventually(t, "one stands by", func() bool { return strings.Contains(out.String(), "standing by") })
	stop()
	want = append(want, emit(t, l, 10)...)
	got = append(got, ids(r.until(last(want)))...)
	if !slices.Equal(firsts(got), want) {
		t.Errorf("first copies %v, want %v", firsts(got), want)
	}
}
