package bus_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/coffer-dev/coffer/internal/bus"
	"github.com/coffer-dev/coffer/internal/bus/devbroker"
	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger"
)

const tenant = "acme"

// shelf keeps cursors in memory. refuse, when not nil, is asked before each Save.
type shelf struct {
	mu     sync.Mutex
	values map[string][]byte
	marks  map[string]int64
	refuse func(name string) error
}

func (s *shelf) Load(_ context.Context, name string) ([]byte, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[name], s.marks[name], nil
}

func (s *shelf) Save(_ context.Context, name string, value []byte, mark int64) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		if err := s.refuse(name); err != nil {
			return 0, err
		}
	}
	if s.marks[name] != mark {
		return 0, fault.New(fault.Conflict, "moved")
	}
	if s.values == nil {
		s.values, s.marks = map[string][]byte{}, map[string]int64{}
	}
	s.values[name] = value
	s.marks[name]++
	return s.marks[name], nil
}

// quiet is a log of events that has none.
type quiet struct{}

func (quiet) ReadLog(context.Context, string, int64, int) (event.Page, error) {
	return event.Page{}, nil
}
func (quiet) End(context.Context) (int64, error)           { return 0, nil }
func (quiet) Ring(context.Context, string) <-chan struct{} { return nil }

func broker(t *testing.T, listen, dir string) *devbroker.Broker {
	t.Helper()
	b, err := devbroker.Start(t.Context(), devbroker.Config{Listen: listen, Dir: dir, Topics: []string{"crud.secrets", "crud.secrets.audit"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// config is a bus on one broker with quick turns and nothing to mirror.
func config(t *testing.T, addr string) bus.Config {
	t.Helper()
	return bus.Config{
		Brokers: []string{addr}, Prefix: "crud", Tenant: tenant, Events: quiet{}, Node: "node",
		AuditFile: filepath.Join(t.TempDir(), "audit.log"), Durable: func() int64 { return 1 << 40 },
		Cursors: &shelf{}, Pace: 5 * time.Millisecond, StandBy: 50 * time.Millisecond,
		Log: slog.New(slog.DiscardHandler),
	}
}

// run mirrors until the test or the returned function ends it.
func run(t *testing.T, c bus.Config) (b *bus.Bus, stop func()) {
	t.Helper()
	b, err := bus.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return b, stop
}

// reader reads a topic from its beginning.
type reader struct {
	t      *testing.T
	client *kgo.Client
}

func read(t *testing.T, addr, topic string, opts ...kgo.Opt) *reader {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr), kgo.ConsumeTopics(topic), kgo.DisableClientMetrics())...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &reader{t, c}
}

// until reads records until enough says so.
func (r *reader) until(enough func([]*kgo.Record) bool) []*kgo.Record {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	var got []*kgo.Record
	for !enough(got) {
		fetches := r.client.PollFetches(ctx)
		if ctx.Err() != nil {
			r.t.Fatalf("there are %d records only", len(got))
		}
		fetches.EachRecord(func(k *kgo.Record) { got = append(got, k) })
	}
	return got
}

func (r *reader) next(n int) []*kgo.Record {
	r.t.Helper()
	return r.until(func(got []*kgo.Record) bool { return len(got) >= n })
}

// rest reads what comes within a short while.
func (r *reader) rest() []*kgo.Record {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 300*time.Millisecond)
	defer cancel()
	var got []*kgo.Record
	for ctx.Err() == nil {
		r.client.PollFetches(ctx).EachRecord(func(k *kgo.Record) { got = append(got, k) })
	}
	return got
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

func ids(records []*kgo.Record) []string {
	var out []string
	for _, r := range records {
		out = append(out, header(r, "id"))
	}
	return out
}

// firsts drops what was said before.
func firsts(list []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, s := range list {
		if !seen[s] {
			out = append(out, s)
		}
		seen[s] = true
	}
	return out
}

// emit writes n events of a tenant in as many transactions and gives their sequences.
func emit(t *testing.T, l *ledger.Ledger, n int) []string {
	t.Helper()
	var out []string
	for i := range n {
		out = append(out, tell(t, l, event.Event{
			Time: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), Topic: event.TopicKV, Name: event.SecretUpdated,
			Backend: "embedded", ResourceRef: fmt.Sprintf("ref%d", i%7), Subject: "alice", Purpose: "write",
			Effect: "Permit", DecisionID: "d", Version: int64(i + 1), Success: true, CorrelationID: "c",
		}))
	}
	return out
}

func tell(t *testing.T, l *ledger.Ledger, e event.Event) string {
	t.Helper()
	body, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	done, err := l.Txn(t.Context(), func(tx *ledger.Tx) error { return tx.Emit(tenant, body) })
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(done.Sequence(0))
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}
