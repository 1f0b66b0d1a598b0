package bus_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/coffer-dev/coffer/internal/audit/audittest"
	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
	"github.com/coffer-dev/coffer/internal/seal/kek"
)

// drawer keeps cursors in a ledger.
type drawer struct{ l *ledger.Ledger }

func (d drawer) Load(ctx context.Context, name string) ([]byte, int64, error) {
	r, _, err := d.l.Get(ctx, ledger.Key{Tenant: tenant, Kind: "cursor", Path: name})
	return r.Value, r.Revision, err
}

func (d drawer) Save(ctx context.Context, name string, value []byte, mark int64) (int64, error) {
	k := ledger.Key{Tenant: tenant, Kind: "cursor", Path: name}
	done, err := d.l.Txn(ctx, func(tx *ledger.Tx) error {
		r, _, err := tx.Get(ctx, k)
		if err == nil && r.Revision != mark {
			return fault.New(fault.Conflict, "moved")
		}
		if err != nil {
			return err
		}
		return tx.Put(k, value)
	})
	return done.Revision, err
}

// The child is killed at random points while it writes events and audit records as
// fast as it can; whatever it had acknowledged arrives, first copies in order.
const crashDir, crashBroker, crashRound = "BUS_CRASH_DIR", "BUS_CRASH_BROKER", "BUS_CRASH_ROUND"

func TestCrashChild(t *testing.T) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		t.Skip("runs as the child of TestNothingAcknowledgedIsLostOverKills")
	}
	l := ledgertest.OpenAt(t, dir, filepath.Join(dir, "kek"), nil)
	c := config(t, os.Getenv(crashBroker))
	c.Events, c.Cursors, c.AuditFile = l, drawer{l}, filepath.Join(dir, "audit.log")
	f := sink(t, &c)
	run(t, c)
	for i := range 100_000 {
		sequence := tell(t, l, event.Event{Topic: event.TopicKV, Name: event.SecretUpdated, ResourceRef: "r"})
		fmt.Println("event", sequence)
		r := audittest.Sample(os.Getenv(crashRound) + "-" + fmt.Sprint(i))
		r.Time = time.Now()
		if err := f.Keep(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		fmt.Println("audit", r.ID)
		if i%40 == 39 {
			rotate(t, f, c.AuditFile, fmt.Sprintf("%s.%s-%d", c.AuditFile, os.Getenv(crashRound), i))
		}
	}
}

// crash runs the child until it has acknowledged some and kills it.
func crash(t *testing.T, dir, addr string, round int) (events, records []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashChild$")
	cmd.Env = append(os.Environ(), crashDir+"="+dir, crashBroker+"="+addr, crashRound+"="+fmt.Sprint(round))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := 20 + rand.IntN(150)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		kind, name, _ := strings.Cut(lines.Text(), " ")
		switch kind {
		case "event":
			events = append(events, name)
		case "audit":
			records = append(records, name)
		}
		if len(events)+len(records) == limit {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // killed
	if len(records) == 0 {
		t.Fatal("the child acknowledged nothing")
	}
	return events, records
}

func TestNothingAcknowledgedIsLostOverKills(t *testing.T) {
	dir := t.TempDir()
	if err := kek.CreateFile(filepath.Join(dir, "kek")); err != nil {
		t.Fatal(err)
	}
	b := broker(t, "127.0.0.1:0", t.TempDir())
	var events, records []string
	for round := range 5 {
		e, r := crash(t, dir, b.Addr(), round)
		events, records = append(events, e...), append(records, r...)
	}
	// A last life, unharmed, mirrors what is left.
	l := ledgertest.OpenAt(t, dir, filepath.Join(dir, "kek"), nil)
	c := config(t, b.Addr())
	c.Events, c.Cursors, c.AuditFile = l, drawer{l}, filepath.Join(dir, "audit.log")
	f := sink(t, &c)
	run(t, c)
	events = append(events, tell(t, l, event.Event{Topic: event.TopicKV, Name: event.SecretUpdated}))
	last := audittest.Sample("last")
	last.Time = time.Now()
	if err := f.Keep(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	records = append(records, "last")

	told := firsts(ids(read(t, b.Addr(), "crud.secrets").until(func(rs []*kgo.Record) bool {
		return slices.Contains(ids(rs), events[len(events)-1])
	})))
	inOrder(t, "events", told, events)
	kept := firsts(auditIDs(t, read(t, b.Addr(), "crud.secrets.audit").until(func(rs []*kgo.Record) bool {
		return slices.ContainsFunc(rs, func(r *kgo.Record) bool { return strings.Contains(string(r.Value), `"audit_id":"last"`) })
	})))
	inOrder(t, "audit records", kept, records)
}

func auditIDs(t *testing.T, records []*kgo.Record) []string {
	t.Helper()
	var out []string
	for _, r := range records {
		_, rest, _ := strings.Cut(string(r.Value), `{"audit_id":"`)
		id, _, ok := strings.Cut(rest, `"`)
		if !ok {
			t.Fatalf("a record without an id: %s", r.Value)
		}
		out = append(out, id)
	}
	return out
}

// inOrder says whether all that was acknowledged is told, in that order; what was
// not acknowledged before a kill may stand in between.
func inOrder(t *testing.T, what string, told, acknowledged []string) {
	t.Helper()
	i := 0
	for _, id := range told {
		if i < len(acknowledged) && id == acknowledged[i] {
			i++
		}
	}
	if i != len(acknowledged) {
		t.Errorf("%s: %s, the %d. of %d, is missing or out of order", what, acknowledged[i], i+1, len(acknowledged))
	}
	t.Logf("%s: %d told, %d acknowledged", what, len(told), len(acknowledged))
}
