package search_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/audit/audittest"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/guard"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/secrets/search"
)

// names is a store of nothing but names.
type names struct {
	secret.Store
	sorted []string
	gets   atomic.Int64
}

func (n *names) List(_ context.Context, _ secret.Ref, o secret.ListOptions) ([]string, error) {
	var out []string
	for _, name := range n.sorted {
		if name > o.After && len(out) < o.Limit {
			out = append(out, name)
		}
	}
	return out, nil
}

func (n *names) Get(_ context.Context, ref secret.Ref, _ int64) (secret.Secret, error) {
	n.gets.Add(1)
	return secret.Secret{}, ref.Validate()
}

func (n *names) Meta(context.Context, secret.Ref) (secret.Metadata, error) {
	return secret.Metadata{}, fault.New(fault.NotFound, "none")
}

// yes permits, and counts how it is asked.
type yes struct {
	whole, names atomic.Int64
	deny         func(policy.Request) bool
}

func (y *yes) Decide(_ context.Context, r policy.Request) policy.Decision {
	if r.NamesOnly {
		y.names.Add(1)
	} else {
		y.whole.Add(1)
	}
	return policy.Decision{ID: "d", PolicyVersion: "p", Permit: y.deny == nil || !y.deny(r), Reason: policy.ReasonPolicy}
}

func (y *yes) DecideAll(ctx context.Context, rs []policy.Request) []policy.Decision {
	out := make([]policy.Decision, 0, len(rs))
	for _, r := range rs {
		out = append(out, y.Decide(ctx, r))
	}
	return out
}

type nothing struct{}

func (nothing) Decided(bool, policy.Reason) {}

func run(t *testing.T, store secret.Store, decider policy.Decider, text string, roots int) (search.Page, *audittest.Memory, error) {
	t.Helper()
	sink := &audittest.Memory{}
	g := guard.New(guard.Config{
		Tenant: "dev", Decider: decider, Audit: sink, Observer: nothing{}, Now: time.Now,
		Code:       func(err error) string { return fault.KindOf(err).Error() },
		Attributes: func(guard.Target) func(context.Context) (policy.Attributes, error) { return nil },
	})
	in := search.Input{
		Principal: identity.Principal{Tenant: "dev", Subject: "s"}, Text: text, Event: "LOOK",
		Paging: search.Paging{Limit: 2}, Coded: func(err error) error { return err },
	}
	for i := range roots {
		u := secret.URI{Provider: "coffer", Engine: "kv2", Mount: fmt.Sprintf("m%d", i)}
		in.Roots = append(in.Roots, guard.Target{URI: u, Ref: u.Ref("dev"), Back: secret.Backend{Store: store, Can: secret.Capabilities{List: true}}})
	}
	page, err := search.Run(t.Context(), g, in)
	return page, sink, err
}

func TestVisitsAreBounded(t *testing.T) {
	store := &names{}
	for i := range 6000 {
		store.sorted = append(store.sorted, fmt.Sprintf("n%05d", i))
	}
	for roots, want := range map[int]struct {
		total     int
		truncated bool
	}{1: {6000, false}, 2: {search.MaxVisited, true}, 3: {search.MaxVisited, true}} {
		y := &yes{}
		page, sink, err := run(t, store, y, "", roots)
		if err != nil || page.Total != want.total || page.Truncated != want.truncated || len(page.Items) != 2 {
			t.Errorf("%d mounts: %d of %d, truncated %t, %v", roots, len(page.Items), page.Total, page.Truncated, err)
		}
		if y.whole.Load() != int64(want.total) || y.names.Load() != 0 {
			t.Errorf("%d mounts: asked %d and %d times", roots, y.whole.Load(), y.names.Load())
		}
		if r := sink.Records(); len(r) != 1 || r[0].Phase != audit.Final || r[0].DecisionID != "d" || r[0].PolicyVersion != "p" || r[0].Event != "LOOK" {
			t.Errorf("records %+v", r)
		}
	}
	if store.gets.Load() != 0 {
		t.Error("values were read although every path matches")
	}
}

// What outside stores hold under names that have no address here is passed over.
func TestNamesWithoutAnAddress(t *testing.T) {
	store := &names{sorted: []string{"a b", "fine", "ä", "x*"}}
	page, _, err := run(t, store, &yes{}, "e", 1)
	if err != nil || page.Total != 1 || page.Items[0].Path != "m0/fine" {
		t.Errorf("%+v %v", page, err)
	}
}

func TestWhatIsDeniedIsNotRead(t *testing.T) {
	store := &names{sorted: []string{"a", "b"}}
	page, _, err := run(t, store, &yes{deny: func(r policy.Request) bool { return !r.NamesOnly || r.URI.Path == "b" }}, "a", 1)
	if err != nil || page.Total != 1 || store.gets.Load() != 0 {
		t.Errorf("%+v %v, %d reads", page, err, store.gets.Load())
	}
}

func TestListingThatFails(t *testing.T) {
	no := fault.New(fault.Timeout, "slow")
	page, sink, err := run(t, broken{no}, &yes{}, "a", 2)
	if !errors.Is(err, fault.Timeout) || page.Items != nil {
		t.Errorf("%+v %v", page, err)
	}
	if r := sink.Records(); len(r) != 1 || r[0].Success || r[0].ErrorCode != "timeout" {
		t.Errorf("%+v", r)
	}
}

type broken struct{ err error }

func (b broken) List(context.Context, secret.Ref, secret.ListOptions) ([]string, error) {
	return nil, b.err
}
func (b broken) Get(context.Context, secret.Ref, int64) (secret.Secret, error) {
	return secret.Secret{}, b.err
}
func (b broken) Put(context.Context, secret.Ref, secret.Value, *int64) (secret.VersionInfo, error) {
	return secret.VersionInfo{}, b.err
}
func (b broken) Delete(context.Context, secret.Ref, []int64) error { return b.err }
func (b broken) Undelete(context.Context, secret.Ref, []int64) ([]int64, error) {
	return nil, b.err
}
func (b broken) Destroy(context.Context, secret.Ref, secret.Selection) ([]int64, error) {
	return nil, b.err
}
func (b broken) Meta(context.Context, secret.Ref) (secret.Metadata, error) {
	return secret.Metadata{}, b.err
}
func (b broken) SetMeta(context.Context, secret.Ref, secret.MetaChange) (int64, error) {
	return 0, b.err
}
