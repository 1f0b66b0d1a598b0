package audit_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/audit/audittest"
)

func at(id string, second int, change func(*audit.Record)) audit.Record {
	r := audittest.Sample(id)
	r.Time = time.Unix(int64(second), 0).UTC()
	if change != nil {
		change(&r)
	}
	return r
}

func TestC56FiltersGiveMatchingRecordsNewestFirst(t *testing.T) {
	g := audit.NewRing(10)
	g.Add(
		at("a", 1, func(r *audit.Record) { r.Purpose, r.Effect = "write", audit.Deny }),
		at("b", 2, func(r *audit.Record) { r.Purpose = "write" }),
		at("c", 3, func(r *audit.Record) { r.Purpose, r.Effect = "write", audit.Deny }),
		at("d", 4, func(r *audit.Record) { r.Effect, r.Subject = audit.Deny, "auth:account:dev:bob" }),
		at("e", 5, func(r *audit.Record) { r.Event, r.ResourceRef, r.CorrelationID = "SECRET_ROTATED", "ref", "corr" }),
		at("foreign", 6, func(r *audit.Record) { r.Tenant = "dev2" }),
	)
	sec := func(n int64) time.Time { return time.Unix(n, 0) }
	for name, c := range map[string]struct {
		query audit.Query
		want  []string
	}{
		"all of the tenant":   {audit.Query{}, []string{"e", "d", "c", "b", "a"}},
		"purpose and effect":  {audit.Query{Purpose: "write", Effect: audit.Deny}, []string{"c", "a"}},
		"subject":             {audit.Query{Subject: "auth:account:dev:bob"}, []string{"d"}},
		"event":               {audit.Query{Event: "SECRET_ROTATED"}, []string{"e"}},
		"resource_ref":        {audit.Query{ResourceRef: "ref"}, []string{"e"}},
		"correlation_id":      {audit.Query{CorrelationID: "corr"}, []string{"e"}},
		"since is inclusive":  {audit.Query{Since: sec(4)}, []string{"e", "d"}},
		"until is exclusive":  {audit.Query{Until: sec(3)}, []string{"b", "a"}},
		"a part of a subject": {audit.Query{Subject: "auth:account:dev"}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			c.query.Tenant = "dev"
			items, total := g.Page(c.query, 0, 100)
			if got := audittest.IDs(items); !slices.Equal(got, c.want) || total != len(c.want) {
				t.Errorf("got %v of %d, want %v", got, total, c.want)
			}
			for _, r := range items {
				if r.Subject == "" || r.Purpose == "" || r.Effect == "" || r.ResourceRef == "" || r.DecisionID == "" {
					t.Errorf("%s lacks a member", r.ID)
				}
			}
		})
	}
	if items, total := g.Page(audit.Query{}, 0, 100); len(items) != 0 || total != 0 || items == nil {
		t.Errorf("without a tenant: %v of %d, want an empty list", items, total)
	}
}

func TestAttemptAndOutcomeAreOneItem(t *testing.T) {
	g := audit.NewRing(3)
	attempt := at("a", 1, func(r *audit.Record) { r.Phase, r.Success = audit.Attempt, false })
	outcome := at("a", 9, func(r *audit.Record) { r.Phase, r.KVVersion = audit.Outcome, 4 })
	g.Add(attempt, at("b", 2, nil), outcome)
	items, total := g.Page(audit.Query{Tenant: "dev"}, 0, 10)
	want := outcome
	want.Time = attempt.Time
	if total != 2 || items[0].ID != "b" || items[1] != want {
		t.Errorf("got %+v of %d", items, total)
	}
}

// TestRingAgainstAModel compares the circle with a plain slice.
func TestRingAgainstAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 8).Draw(t, "size")
		ids := rapid.SliceOf(rapid.IntRange(0, 12)).Draw(t, "ids")
		offset, limit := rapid.IntRange(0, 9).Draw(t, "offset"), rapid.IntRange(0, 9).Draw(t, "limit")
		g := audit.NewRing(size)
		var model []audit.Record // oldest first
		for n, id := range ids {
			r := at(fmt.Sprint(id), n, nil)
			g.Add(r)
			if i := slices.IndexFunc(model, func(m audit.Record) bool { return m.ID == r.ID }); i >= 0 {
				r.Time = model[i].Time
				model[i] = r
			} else {
				model = append(model, r)
			}
			model = model[max(0, len(model)-size):]
		}
		newest := slices.Clone(model)
		slices.Reverse(newest)
		want := newest[min(offset, len(newest)):min(offset+limit, len(newest))]
		got, total := g.Page(audit.Query{Tenant: "dev"}, offset, limit)
		if total != len(model) || len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v of %d, want %v of %d", audittest.IDs(got), total, audittest.IDs(want), len(model))
		}
	})
}

func TestTeeShowsWhatTheSinkAccepted(t *testing.T) {
	m, g := &audittest.Memory{}, audit.NewRing(0)
	sink := audit.Tee(m, g)
	if err := sink.Keep(t.Context(), audittest.Sample("a")); err != nil {
		t.Fatal(err)
	}
	m.Fail(true)
	if err := sink.Keep(t.Context(), audittest.Sample("refused")); err == nil {
		t.Fatal("kept by a failing sink")
	}
	sink.Follow(audittest.Sample("done"))
	items, _ := g.Page(audit.Query{Tenant: "dev"}, 0, 10)
	if got := audittest.IDs(items); !slices.Equal(got, []string{"done", "a"}) {
		t.Errorf("ring shows %v", got)
	}
	if got := audittest.IDs(m.Records()); !slices.Equal(got, []string{"a"}) {
		t.Errorf("sink holds %v", got)
	}
	m.Reset()
	m.Fail(false)
	if err := sink.Keep(t.Context(), audittest.Sample("b")); err != nil || len(m.Records()) != 1 {
		t.Errorf("after a reset: %v, %v", err, audittest.IDs(m.Records()))
	}
}
