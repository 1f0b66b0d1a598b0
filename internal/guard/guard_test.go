package guard_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/audit/audittest"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/guard"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secret"
)

// script answers every request with one decision.
type script struct {
	say   policy.Decision
	asked []policy.Request
	calls int
}

func (s *script) Decide(_ context.Context, r policy.Request) policy.Decision {
	s.asked = append(s.asked, r)
	return s.say
}

func (s *script) DecideAll(ctx context.Context, rs []policy.Request) []policy.Decision {
	s.calls++
	out := make([]policy.Decision, 0, len(rs))
	for _, r := range rs {
		out = append(out, s.Decide(ctx, r))
	}
	return out
}

type counted []string

func (c *counted) Decided(permit bool, reason policy.Reason) {
	*c = append(*c, fmt.Sprintf("%t %s", permit, reason))
}

type set struct {
	*guard.Guard
	script  *script
	sink    *audittest.Memory
	counted *counted
}

func newSet(t *testing.T, sampler *audit.Sampler) set {
	t.Helper()
	refs, err := audit.NewRefs([]byte("salt"), audit.RefHex16)
	if err != nil {
		t.Fatal(err)
	}
	s := set{script: &script{}, sink: &audittest.Memory{}, counted: &counted{}}
	s.Guard = guard.New(guard.Config{
		Tenant: "dev", Decider: s.script, Audit: s.sink, Refs: refs, Sampler: sampler, Observer: s.counted,
		Now: func() time.Time { return time.Unix(1, 0) }, Code: func(err error) string { return "CODE-" + fault.KindOf(err).Error() },
		Attributes: func(guard.Target) func(context.Context) (policy.Attributes, error) { return nil },
	})
	return s
}

func ask(purpose policy.Purpose) guard.Ask {
	return guard.Ask{
		Target:  guard.Target{URI: secret.URI{Provider: "coffer", Engine: "kv2", Mount: "secret", Path: "a"}, Back: secret.Backend{Name: "embedded", Kind: "kind"}},
		Purpose: purpose, Event: "EVENT", Known: true, Whole: true, NamesOnly: true,
	}
}

func nobody() identity.Principal { return identity.Principal{Tenant: "dev", Subject: "s"} }

// The zero decision denies, and a refusal says no more than callers know.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		say          policy.Decision
		kind         fault.Kind
		code, reason string
	}{
		{policy.Decision{}, fault.Forbidden, "SECRET_AUTHZ_FAILED", "policy"},
		{policy.Decision{Reason: policy.ReasonPolicy}, fault.Forbidden, "SECRET_AUTHZ_FAILED", "policy"},
		{policy.Decision{Reason: policy.ReasonAudience}, fault.Forbidden, "SECRET_AUTHZ_FAILED", "audience"},
		{policy.Decision{Reason: policy.ReasonReplay}, fault.Forbidden, "SECRET_AUTHZ_FAILED", "replay"},
		{policy.Decision{Reason: policy.ReasonBinding}, fault.Forbidden, "BINDING_DRIFT", "policy"},
		{policy.Decision{Reason: policy.ReasonUnavailable}, fault.Unavailable, "PDP_UNAVAILABLE", ""},
	} {
		s := newSet(t, nil)
		c.say.ID = "d1"
		s.script.say = c.say
		tk, err := s.Admit(t.Context(), nobody(), guard.Call{CorrelationID: "c"}, ask(policy.Read))
		if tk != nil || !errors.Is(err, c.kind) || fault.CodeOf(err) != c.code {
			t.Errorf("%+v: %v %v", c.say, tk, err)
		}
		var r *guard.Refusal
		if errors.As(err, &r) != (c.reason != "") || r != nil && (r.Reason != c.reason || r.DecisionID != "d1" || r.Purpose != "read" || len(r.Ref) != 16) {
			t.Errorf("%+v: refusal %+v", c.say, r)
		}
		records := s.sink.Records()
		if len(records) != 1 || records[0].Effect != audit.Deny || records[0].Phase != audit.Final || records[0].ErrorCode != c.code || records[0].Success {
			t.Errorf("%+v: records %+v", c.say, records)
		}
		if got := fmt.Sprint(*s.counted); got != fmt.Sprintf("[false %s]", c.say.Reason) {
			t.Errorf("counted %s", got)
		}
	}
}

func TestRefusalThatCannotBeKept(t *testing.T) {
	s := newSet(t, nil)
	s.sink.Fail(true)
	_, err := s.Admit(t.Context(), nobody(), guard.Call{}, ask(policy.Read))
	var r *guard.Refusal
	if fault.CodeOf(err) != audit.CodeUnavailable || errors.As(err, &r) {
		t.Errorf("%v", err)
	}
}

func TestTheDeciderIsToldEverything(t *testing.T) {
	s := newSet(t, nil)
	s.script.say.Permit = true
	call := guard.Call{CorrelationID: "c", Origin: policy.Origin{NodeID: "n"}}
	verdicts := s.AdmitAll(t.Context(), nobody(), call, []guard.Ask{ask(policy.Read), ask(policy.Write)})
	if len(verdicts) != 2 || s.script.calls != 1 || verdicts[1].Ticket.Record.Purpose != "write" {
		t.Errorf("%+v, %d calls", verdicts, s.script.calls)
	}
	r := s.script.asked[0]
	if r.Backend != "embedded" || r.Kind != "kind" || !r.Known || !r.Whole || !r.NamesOnly || r.CorrelationID != "c" || r.Origin.NodeID != "n" || r.Principal.Subject != "s" {
		t.Errorf("%+v", r)
	}
	if len(s.sink.Records()) != 0 {
		t.Error("a permit is on record before anything is tried")
	}
	if got := s.Decide(t.Context(), nobody(), call, nil); got != nil || s.script.calls != 1 {
		t.Errorf("nothing was asked, %v was answered in %d calls", got, s.script.calls)
	}
}

func TestBeginAndEnd(t *testing.T) {
	s := newSet(t, nil)
	s.script.say = policy.Decision{Permit: true, ID: "d"}
	v := s.AdmitAll(t.Context(), nobody(), guard.Call{}, []guard.Ask{ask(policy.Write), ask(policy.Delete)})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := guard.Begin(gone, v[0].Ticket, v[1].Ticket); err != nil { // whoever began must end
		t.Fatal(err)
	}
	v[0].Ticket.End(7, nil)
	v[1].Ticket.End(0, fault.New(fault.Conflict, "x"))
	var got []string
	for _, r := range s.sink.Records() {
		got = append(got, fmt.Sprintf("%s %t %d %s %t", r.Phase, r.Success, r.KVVersion, r.ErrorCode, r.ID == v[0].Ticket.Record.ID))
	}
	if want := "[attempt false 0  true attempt false 0  false outcome true 7  true outcome false 0 CODE-conflict false]"; fmt.Sprint(got) != want {
		t.Errorf("%v", got)
	}
	s.sink.Fail(true)
	if err := guard.Begin(t.Context(), v[0].Ticket); fault.CodeOf(err) != audit.CodeUnavailable {
		t.Errorf("%v", err)
	}
}

func TestFinal(t *testing.T) {
	s := newSet(t, audit.NewSampler(3))
	s.script.say = policy.Decision{Permit: true, Cached: true}
	no := fault.New(fault.NotFound, "x")
	for i, then := range []error{nil, nil, no, nil} {
		tk, err := s.Admit(t.Context(), nobody(), guard.Call{}, ask(policy.Execute))
		if err != nil {
			t.Fatal(err)
		}
		if err := tk.Final(t.Context(), 1, then); !errors.Is(err, then) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if n := len(s.sink.Records()); n != 2 { // the first of three cached reads, and the failure
		t.Errorf("%d records", n)
	}
	s.sink.Fail(true)
	tk, err := s.Admit(t.Context(), nobody(), guard.Call{}, ask(policy.ReadMetadata))
	if err != nil {
		t.Fatal(err)
	}
	for _, then := range []error{nil, no} { // the answer is withheld, whatever it is
		if err := tk.Final(t.Context(), 1, then); fault.CodeOf(err) != audit.CodeUnavailable {
			t.Errorf("%v", err)
		}
	}
}
