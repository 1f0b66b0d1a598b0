package secrets

import (
	"context"
	"errors"

	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/guard"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/ledger/once"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/secrets/codes"
)

// MaxBulk is how many operations one bulk may hold.
const MaxBulk = 100

// Op is one operation of a bulk.
type Op struct {
	Op            string // set, delete, undelete, destroy or rotate
	URI           string
	Value         secret.Value // set, rotate
	Versions      []int64      // undelete; destroy, where nil means the whole path
	FragmentScope string
	Match         Match
	Wrong         error // with its members as they came; the error of this operation alone
}

// Bulk is the input of Bulk.
type Bulk struct {
	Call
	Ops         []Op
	StopOnError bool
}

// Statuses of a bulk item.
const (
	StatusOK      = "ok"
	StatusError   = "error"
	StatusSkipped = "skipped"
)

// BulkItem is what came of one operation.
type BulkItem struct {
	Op      string     `json:"op"`
	URI     string     `json:"uri"`
	Status  string     `json:"status"`
	Version int64      `json:"version,omitempty"`
	Kind    fault.Kind `json:"kind,omitempty"` // of an error
	Code    string     `json:"code,omitempty"`
	Detail  string     `json:"detail,omitempty"`
}

// BulkDone is what came of a bulk: one item per operation, in order.
type BulkDone struct {
	Items    []BulkItem `json:"items"`
	Replayed bool       `json:"-"`
}

// step is one operation of a bulk, planned and decided.
type step struct {
	op    Op
	ask   guard.Ask
	value secret.Value
	tk    *guard.Ticket
	err   error
	run   func(context.Context, *step) (int64, error)
}

// Bulk runs operations in order, without roll-back. All are decided in one batch
// before the first has an effect.
func (s *Service) Bulk(ctx context.Context, p identity.Principal, in Bulk) (BulkDone, error) {
	if len(in.Ops) == 0 || len(in.Ops) > MaxBulk {
		return BulkDone{}, fault.Coded(fault.Invalid, "BAD_REQUEST", "operations must be 1 to %d", MaxBulk)
	}
	steps := make([]*step, len(in.Ops))
	for i, op := range in.Ops {
		st, err := s.plan(p, in.Call, op)
		if err != nil {
			return BulkDone{}, err
		}
		steps[i] = st
	}
	if err := s.decideAll(ctx, p, in.Call, steps); err != nil {
		return BulkDone{}, err
	}
	out, replayed, err := once.Guard(ctx, s.once, p.Subject, in.Once, func() (BulkDone, error) {
		return s.runAll(ctx, steps, in.StopOnError), nil
	})
	out.Replayed = replayed
	err = codes.Coded(err, true)
	if replayed || err != nil {
		return out, s.recordAll(ctx, steps, out, err)
	}
	return out, nil
}

// recordAll keeps the records of a bulk whose operations did not run this time: it is
// a repetition, or was refused as one.
func (s *Service) recordAll(ctx context.Context, steps []*step, out BulkDone, err error) error {
	for i, st := range steps {
		if st.tk == nil || st.err != nil {
			continue
		}
		var item BulkItem
		then := err
		if err == nil && i < len(out.Items) {
			item = out.Items[i]
		}
		if item.Status == StatusError {
			then = fault.Coded(item.Kind, item.Code, "%s", item.Detail)
		}
		if kept := st.tk.Final(ctx, item.Version, then); fault.CodeOf(kept) == codes.NoAudit {
			return kept
		}
	}
	return err
}

// plan checks one operation; what is wrong with it alone is its own error. Only an
// unknown operation ends the bulk.
func (s *Service) plan(p identity.Principal, call Call, op Op) (*step, error) {
	call.Once = nil // the bulk as a whole is what happens once
	st := &step{op: op}
	switch op.Op {
	case "set", "rotate":
		in := Write{Call: call, URI: op.URI, Value: op.Value, Match: op.Match}
		purpose, name, scope := policy.Write, event.SecretUpdated, ScopeWrite
		if op.Op == "rotate" {
			purpose, name, scope = policy.Rotate, event.SecretRotated, ScopeRotate
		}
		st.ask, st.value, st.err = s.planWrite(p, in, purpose, name, scope)
		st.run = func(ctx context.Context, st *step) (int64, error) {
			out, err := s.writeOnce(ctx, p, in, st.tk, st.ask, st.value)
			if errors.Is(err, errMoved) { // an earlier item made the key: decide this one anew
				out, err = s.write(ctx, p, in, purpose, name, scope)
			}
			return out.Version, err
		}
	case "delete", "destroy":
		if op.Op == "destroy" && op.Versions != nil {
			s.planVersionsStep(p, call, st, guard.Ask{Purpose: policy.Destroy, Event: event.SecretVersionDestroyed}, ScopeDestroy)
			break
		}
		in := Removal{Call: call, URI: op.URI, Destroy: op.Op == "destroy", FragmentScope: op.FragmentScope, Match: op.Match}
		st.ask, st.err = s.planRemoval(p, in)
		st.run = func(ctx context.Context, st *step) (int64, error) {
			_, err := s.removeOnce(ctx, p, in, st.tk, st.ask)
			return 0, err
		}
	case "undelete":
		s.planVersionsStep(p, call, st, guard.Ask{Purpose: policy.Undelete, Event: event.SecretUndeleted}, ScopeDelete)
	default:
		return nil, fault.Coded(fault.Invalid, "BAD_REQUEST", "op must be set, delete, undelete, destroy or rotate")
	}
	if op.Wrong != nil {
		st.err = op.Wrong
	}
	return st, nil
}

func (s *Service) planVersionsStep(p identity.Principal, call Call, st *step, a guard.Ask, scope string) {
	in := Versions{Call: call, URI: st.op.URI, Versions: st.op.Versions, Match: st.op.Match}
	st.ask, st.err = s.planVersions(p, in, a, scope)
	st.run = func(ctx context.Context, st *step) (int64, error) {
		_, err := s.versionsOnce(ctx, p, in, st.tk, st.ask)
		return 0, err
	}
}

// decideAll asks for all decisions at once. An audit that cannot keep a refusal
// ends the bulk; a refusal is the item's own error.
func (s *Service) decideAll(ctx context.Context, p identity.Principal, call Call, steps []*step) error {
	var open []*step
	var asks []guard.Ask
	var unknown []error
	for _, st := range steps {
		if st.err == nil {
			unknown = append(unknown, s.know(ctx, &st.ask))
			open, asks = append(open, st), append(asks, st.ask)
		}
	}
	for i, v := range s.guard.AdmitAll(ctx, p, call.guard(), asks) {
		open[i].tk, open[i].err = v.Ticket, v.Err
		if v.Err == nil && unknown[i] != nil {
			open[i].err = v.Ticket.Final(ctx, 0, unknown[i])
		}
		if fault.CodeOf(open[i].err) == codes.NoAudit {
			return open[i].err
		}
	}
	return nil
}

func (s *Service) runAll(ctx context.Context, steps []*step, stop bool) BulkDone {
	out := BulkDone{Items: make([]BulkItem, len(steps))}
	failed := false
	for i, st := range steps {
		item := BulkItem{Op: st.op.Op, URI: st.op.URI, Status: StatusSkipped}
		if !st.ask.Target.URI.IsZero() {
			item.URI = st.ask.Target.URI.String()
		}
		if !failed || !stop {
			item.Status = StatusOK
			if st.err == nil {
				item.Version, st.err = st.run(ctx, st)
			}
			if st.err != nil {
				failed = true
				item.Status, item.Kind, item.Code = StatusError, fault.KindOf(st.err), codes.Of(st.err)
				item.Detail = codes.Detail(st.err)
			}
		}
		out.Items[i] = item
	}
	return out
}
