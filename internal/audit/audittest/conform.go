package audittest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/fault"
)

// Subject is one sink under test.
type Subject struct {
	Sink audit.Sink
	// Fail makes the medium under the sink fail, or work again.
	Fail func(on bool)
	// Read gives what the medium holds, in order.
	Read func() []audit.Record
}

// Conform holds a sink to the contract of audit.Sink. open gives a fresh one.
func Conform(t *testing.T, open func(t *testing.T) Subject) {
	t.Helper()
	cases := map[string]func(*testing.T, Subject){
		"kept records are there in order":        keptInOrder,
		"C52 a failing sink refuses":             refuses,
		"no record of a refused request remains": leavesNothing,
		"an outcome is never lost":               followsLater,
		"concurrent records are all there once":  concurrent,
		"a caller that left is refused":          canceled,
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) { run(t, open(t)) })
	}
}

// Sample is a record with every obligatory member, told apart by id.
func Sample(id string) audit.Record {
	return audit.Record{
		ID: id, Phase: audit.Final, Time: time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC),
		Tenant: "dev", Subject: "auth:account:dev:alice", Action: "use", Event: "SECRET_READ", Purpose: "execute",
		Effect: audit.Permit, ResourceRef: "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE",
		DecisionID: "0b2cbd3e-6f0a-4b55-9a3c-2c5a5a0c7d11", PolicyVersion: "7", TokenJTI: "j-1",
		CorrelationID: "c-" + id, Success: true,
	}
}

// IDs gives the audit IDs in order.
func IDs(records []audit.Record) []string {
	out := make([]string, len(records))
	for i := range records {
		out[i] = records[i].ID
	}
	return out
}

func keptInOrder(t *testing.T, s Subject) {
	ctx := t.Context()
	if err := s.Sink.Keep(ctx); err != nil {
		t.Errorf("keeping nothing: %v", err)
	}
	keep(t, s, "a", "b")
	s.Sink.Follow(Sample("c"))
	keep(t, s, "d")
	want(t, s, "a", "b", "c", "d")
	if got := s.Read()[0]; got != Sample("a") {
		t.Errorf("record changed on its way:\n got %+v\nwant %+v", got, Sample("a"))
	}
}

func refuses(t *testing.T, s Subject) {
	s.Fail(true)
	err := s.Sink.Keep(t.Context(), Sample("a"))
	if !errors.Is(err, fault.Unavailable) || fault.CodeOf(err) != audit.CodeUnavailable {
		t.Fatalf("got %v, want Unavailable with %s", err, audit.CodeUnavailable)
	}
	s.Fail(false)
	keep(t, s, "b")
	want(t, s, "b")
}

func leavesNothing(t *testing.T, s Subject) {
	keep(t, s, "a")
	s.Fail(true)
	for i := range 3 {
		if err := s.Sink.Keep(t.Context(), Sample(fmt.Sprint("refused", i))); err == nil {
			t.Fatal("a failing sink accepted a record")
		}
	}
	want(t, s, "a")
}

func followsLater(t *testing.T, s Subject) {
	keep(t, s, "a")
	s.Fail(true)
	s.Sink.Follow(Sample("b"))
	s.Sink.Follow(Sample("c"))
	if err := s.Sink.Keep(t.Context(), Sample("refused")); err == nil {
		t.Fatal("accepted a record while outcomes are owed and the medium fails")
	}
	s.Fail(false)
	keep(t, s, "d")
	want(t, s, "a", "b", "c", "d")
}

func concurrent(t *testing.T, s Subject) {
	const callers, each = 16, 20
	var all sync.WaitGroup
	var wanted []string
	for c := range callers {
		for i := range each {
			wanted = append(wanted, fmt.Sprintf("%02d-%02d", c, i))
		}
		all.Go(func() {
			for i := range each {
				r := Sample(fmt.Sprintf("%02d-%02d", c, i))
				if i%4 == 3 {
					s.Sink.Follow(r)
				} else if err := s.Sink.Keep(context.Background(), r); err != nil {
					t.Errorf("keep: %v", err)
				}
			}
		})
	}
	all.Wait()
	got := IDs(s.Read())
	for c := range callers {
		prefix := fmt.Sprintf("%02d-", c)
		own := slices.DeleteFunc(slices.Clone(got), func(id string) bool { return id[:3] != prefix })
		if !slices.IsSorted(own) {
			t.Errorf("caller %d: records out of order: %v", c, own)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, wanted) {
		t.Errorf("got %d records, want %d, each once", len(got), len(wanted))
	}
}

func canceled(t *testing.T, s Subject) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Fail(true)
	if err := s.Sink.Keep(ctx, Sample("a")); !errors.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want Unavailable", err)
	}
}

func keep(t *testing.T, s Subject, ids ...string) {
	t.Helper()
	records := make([]audit.Record, len(ids))
	for i, id := range ids {
		records[i] = Sample(id)
	}
	if err := s.Sink.Keep(t.Context(), records...); err != nil {
		t.Fatalf("keep %v: %v", ids, err)
	}
}

func want(t *testing.T, s Subject, ids ...string) {
	t.Helper()
	if got := IDs(s.Read()); !slices.Equal(got, ids) {
		t.Errorf("medium holds %v, want %v", got, ids)
	}
}
