package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/audit/audittest"
	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/guard"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/etcdnode"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
	"github.com/coffer-dev/coffer/internal/ledger/once"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/seal/kek"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/secrets"
	"github.com/coffer-dev/coffer/internal/store/embedded"
	"github.com/coffer-dev/coffer/internal/store/route"
	"github.com/coffer-dev/coffer/internal/store/storetest"
	"github.com/coffer-dev/coffer/internal/store/yamlfile"
)

// shared is the one ledger of the test binary; every world is a tenant of it.
var shared struct {
	ledger *ledger.Ledger
	clock  *clock
	worlds atomic.Int64
}

func TestMain(m *testing.M) {
	code, err := withLedger(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withLedger(run func() int) (int, error) {
	dir, err := os.MkdirTemp("", "secrets-")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	key := filepath.Join(dir, "kek")
	if err := kek.CreateFile(key); err != nil {
		return 1, err
	}
	node, err := etcdnode.Open(context.Background(), etcdnode.Config{Dir: filepath.Join(dir, "etcd"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 1, err
	}
	shared.clock = &clock{now: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)}
	shared.ledger = ledger.Open(context.Background(), ledger.Config{
		Node: node, KEKs: ledgertest.FileKEK(key), Now: shared.clock.Now,
	})
	code := run()
	shared.ledger.Close()
	return code, node.Close()
}

// clock is a clock that moves when it is told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// decider permits unless a test says otherwise, and remembers what it was asked.
type decider struct {
	mu    sync.Mutex
	deny  func(policy.Request) bool
	after func(policy.Request) // runs once a decision is made
	give  policy.Decision
	asked []policy.Request
	batch []int
}

func (d *decider) Decide(_ context.Context, r policy.Request) policy.Decision {
	d.mu.Lock()
	d.asked = append(d.asked, r)
	out, after := d.give, d.after
	out.ID, out.Permit = fmt.Sprintf("d%d", len(d.asked)), d.deny == nil || !d.deny(r)
	if !out.Permit && out.Reason == "" {
		out.Reason = policy.ReasonPolicy
	}
	d.mu.Unlock()
	if after != nil {
		after(r)
	}
	return out
}

func (d *decider) DecideAll(ctx context.Context, rs []policy.Request) []policy.Decision {
	out := make([]policy.Decision, len(rs))
	for i, r := range rs {
		out[i] = d.Decide(ctx, r)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.batch = append(d.batch, len(rs))
	return out
}

// denying refuses one purpose.
func denying(p policy.Purpose) func(policy.Request) bool {
	return func(r policy.Request) bool { return r.Purpose == p }
}

// counts counts what the use case reports.
type counts struct{ mounts, permits, denials atomic.Int64 }

func (c *counts) MountViolation() { c.mounts.Add(1) }

func (c *counts) Decided(permit bool, _ policy.Reason) {
	if permit {
		c.permits.Add(1)
	} else {
		c.denials.Add(1)
	}
}

// world is one service with everything around it, in a tenant of its own.
type world struct {
	*testing.T
	*secrets.Service
	tenant  string
	decider *decider
	audit   *audittest.Memory
	counts  *counts
	outside *faulty // behind openbao+kv2
	engine  *embedded.Store
	file    string
	after   int64 // the log's end when the test began
}

// newWorld makes a world; change adjusts the configuration first.
func newWorld(t *testing.T, change func(*secrets.Config)) *world {
	t.Helper()
	w := &world{
		T: t, tenant: fmt.Sprintf("t%d", shared.worlds.Add(1)), decider: &decider{}, audit: &audittest.Memory{},
		counts: &counts{}, file: filepath.Join(t.TempDir(), "secrets.yaml"),
	}
	refs, err := audit.NewRefs([]byte("salt"), audit.RefBase64)
	if err != nil {
		t.Fatal(err)
	}
	memory := storetest.NewMemory(shared.clock.Now)
	w.outside = &faulty{Store: memory}
	w.engine = embedded.New(shared.ledger, func(_, mount string) bool { return mount == "secret" })
	yaml, err := yamlfile.Open(w.file, yamlfile.Config{Tenant: w.tenant, Now: shared.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	c := secrets.Config{
		Tenant: w.tenant, Grammar: secret.Grammar{Mounts: []string{"secret"}},
		Router: route.New(route.Config{
			Embedded: secret.Backend{Name: "embedded", Kind: "embedded", Can: embedded.Can(), Store: w.engine},
			Servers:  map[string]secret.Backend{"openbao": {Name: "openbao", Kind: "openbao", Can: memory.Can(), Store: w.outside}},
			File:     &secret.Backend{Name: "yaml", Kind: "yaml", Can: yamlfile.Capabilities(), Store: yaml},
			Fallback: true,
		}),
		Ledger: shared.ledger,
		Once: once.New(once.Config{
			Ledger: shared.ledger, Tenant: w.tenant, Secret: []byte("idempotency"), Now: shared.clock.Now, Log: log,
		}),
		Guard: guard.Config{
			Tenant: w.tenant, Decider: w.decider, Audit: w.audit, Refs: refs, Observer: w.counts, Now: shared.clock.Now,
		},
		Observer: w.counts, Log: log, Now: shared.clock.Now, FileWrites: true,
	}
	if change != nil {
		change(&c)
	}
	w.Service = secrets.New(c)
	t.Cleanup(w.Close)
	if w.after, err = shared.ledger.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// faulty is a store whose verbs fail where a test says so.
type faulty struct {
	secret.Store
	mu   sync.Mutex
	fail map[string]error
	hook map[string]func() // runs before the verb
}

func (f *faulty) set(verb string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail == nil {
		f.fail = map[string]error{}
	}
	f.fail[verb] = err
}

// once runs do before the next use of a verb.
func (f *faulty) once(verb string, do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = map[string]func(){verb: do}
}

func (f *faulty) enter(verb string) error {
	f.mu.Lock()
	do, err := f.hook[verb], f.fail[verb]
	delete(f.hook, verb)
	f.mu.Unlock()
	if do != nil {
		do()
	}
	return err
}

func (f *faulty) Get(ctx context.Context, ref secret.Ref, version int64) (secret.Secret, error) {
	if err := f.enter("get"); err != nil {
		return secret.Secret{}, err
	}
	return f.Store.Get(ctx, ref, version)
}

func (f *faulty) Meta(ctx context.Context, ref secret.Ref) (secret.Metadata, error) {
	if err := f.enter("meta"); err != nil {
		return secret.Metadata{}, err
	}
	return f.Store.Meta(ctx, ref)
}

func (f *faulty) Put(ctx context.Context, ref secret.Ref, v secret.Value, cas *int64) (secret.VersionInfo, error) {
	if err := f.enter("put"); err != nil {
		return secret.VersionInfo{}, err
	}
	return f.Store.Put(ctx, ref, v, cas)
}

func (f *faulty) Delete(ctx context.Context, ref secret.Ref, versions []int64) error {
	if err := f.enter("delete"); err != nil {
		return err
	}
	return f.Store.Delete(ctx, ref, versions)
}

func (f *faulty) SetMeta(ctx context.Context, ref secret.Ref, c secret.MetaChange) (int64, error) {
	if err := f.enter("setmeta"); err != nil {
		return 0, err
	}
	return f.Store.SetMeta(ctx, ref, c)
}

// alice and bob are callers; each world has its own tenant.
func (w *world) alice() identity.Principal { return w.caller("auth:account:test:alice") }
func (w *world) bob() identity.Principal   { return w.caller("auth:account:test:bob") }

func (w *world) caller(subject string) identity.Principal {
	return identity.Principal{Tenant: w.tenant, Subject: subject}
}

func value(t testing.TB, text string) secret.Value {
	t.Helper()
	v, err := secret.ParseAny([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// write puts a value as alice and gives the version.
func (w *world) write(uri, text string) int64 {
	w.Helper()
	out, err := w.Put(w.Context(), w.alice(), secrets.Write{URI: uri, Value: value(w, text)})
	if err != nil {
		w.Fatalf("write: %v", err)
	}
	return out.Version
}

// holds checks what a URI reads as; "" means that nothing is there.
func (w *world) holds(uri, want string) {
	w.Helper()
	got, err := w.Read(w.Context(), w.alice(), secrets.Query{URI: uri})
	switch {
	case want == "" && !errors.Is(err, fault.NotFound):
		w.Errorf("%s: %v, want nothing there", uri, err)
	case want != "" && (err != nil || string(got.Value.Reveal()) != want):
		w.Errorf("%s: %s %v, want %s", uri, got.Value.Reveal(), err, want)
	}
}

// refused checks an error's kind and code.
func refused(t testing.TB, err error, kind fault.Kind, code string) {
	t.Helper()
	if !errors.Is(err, kind) || secrets.Code(err) != code {
		t.Errorf("got %v (%s), want %v %s", err, secrets.Code(err), kind, code)
	}
}

// events reads what was told since the world began, without reads.
func (w *world) events() []event.Event {
	w.Helper()
	page, err := shared.ledger.ReadLog(w.Context(), w.tenant, w.after, 10_000)
	if err != nil {
		w.Fatal(err)
	}
	var out []event.Event
	for _, e := range page.List {
		ev, err := event.Decode(e.Sequence, e.Body)
		if err != nil {
			w.Fatal(err)
		}
		out = append(out, ev)
	}
	return out
}

// told checks the names of all events so far.
func (w *world) told(want ...string) []event.Event {
	w.Helper()
	events := w.events()
	var names []string
	for _, e := range events {
		names = append(names, e.Name)
	}
	if !slices.Equal(names, want) {
		w.Fatalf("events %v, want %v", names, want)
	}
	return events
}

// recorded checks "event phase success code" of all audit records so far, and forgets them.
func (w *world) recorded(want ...string) []audit.Record {
	w.Helper()
	records := w.audit.Records()
	w.audit.Reset()
	var got []string
	for _, r := range records {
		s := fmt.Sprintf("%s %s %t", r.Event, r.Phase, r.Success)
		if r.ErrorCode != "" {
			s += " " + r.ErrorCode
		}
		got = append(got, s)
	}
	if !slices.Equal(got, want) {
		w.Errorf("records\n got %q\nwant %q", got, want)
	}
	return records
}
