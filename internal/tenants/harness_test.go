package tenants

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/audit/audittest"
	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secret"
)

const tenant = "dev"

// house is a service on a real ledger, with its memory of audit records.
type house struct {
	*Service
	t      testing.TB
	ledger *ledger.Ledger
	audit  *audittest.Memory
}

func open(t testing.TB, change func(*Config)) *house {
	t.Helper()
	return member(t, ledgertest.Open(t, nil), change)
}

// member is one more service on a ledger, as on another replica.
func member(t testing.TB, l *ledger.Ledger, change func(*Config)) *house {
	t.Helper()
	refs, err := audit.NewRefs([]byte("salt"), audit.RefBase64)
	if err != nil {
		t.Fatal(err)
	}
	sink := &audittest.Memory{}
	c := Config{Tenant: tenant, Ledger: l, Audit: sink, Refs: refs}
	if change != nil {
		change(&c)
	}
	return &house{Service: New(c), t: t, ledger: l, audit: sink}
}

func admin() identity.Principal {
	return identity.Principal{Tenant: tenant, Subject: "auth:account:idp:root", Roles: []string{RoleAdmin}}
}

func user(claims ...string) identity.Principal {
	return identity.Principal{Tenant: tenant, Subject: "auth:account:idp:alice", Groups: claims}
}

func (h *house) policy(name, text string) {
	h.t.Helper()
	if _, _, err := h.PutPolicy(h.t.Context(), admin(), Call{}, name, text, Upsert); err != nil {
		h.t.Fatal(err)
	}
}

// group makes an external group with its alias.
func (h *house) group(name, alias string, policies ...string) Group {
	h.t.Helper()
	c := GroupChange{Name: name, Type: External, Policies: policies}
	if alias != "" {
		c.Alias = &alias
	}
	g, _, err := h.PutGroup(h.t.Context(), admin(), Call{}, c, Upsert)
	if err != nil {
		h.t.Fatal(err)
	}
	return g
}

func read(p identity.Principal, path string) policy.Request {
	return policy.Request{Principal: p, Purpose: policy.Read, URI: secret.URI{Provider: "coffer", Mount: "secret", Path: path}}
}

func (h *house) reads(p identity.Principal, path string, want bool) {
	h.t.Helper()
	if d := h.Decider().Decide(h.t.Context(), read(p, path)); d.Permit != want {
		h.t.Errorf("read of %s by %v: %+v, want %v", path, p.Groups, d, want)
	}
}

func wantKind(t testing.TB, err error, kind fault.Kind, detail string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != kind || detail != "" && f.Detail != detail {
		t.Errorf("got %v, want %v: %s", err, kind, detail)
	}
}

func (h *house) events() []event.Event {
	h.t.Helper()
	page, err := h.ledger.ReadLog(h.t.Context(), tenant, 0, 1000)
	if err != nil {
		h.t.Fatal(err)
	}
	var out []event.Event
	for _, e := range page.List {
		one, err := event.Decode(e.Sequence, e.Body)
		if err != nil {
			h.t.Fatal(err)
		}
		out = append(out, one)
	}
	return out
}

// keysOf gives the member names of a flat object in their order.
func keysOf(t testing.TB, raw json.RawMessage) []string {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	var keys []string
	for i := 0; ; i++ {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return keys
		}
		if err != nil {
			t.Fatal(err)
		}
		if key, ok := tok.(string); ok && i%2 == 1 {
			keys = append(keys, key)
		}
	}
}
