package guard

import (
	"context"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/policy"
)

// Ticket is a permitted operation under way. It belongs to one request.
type Ticket struct {
	g        *Guard
	Decision policy.Decision
	Record   audit.Record
}

// Refusal is a denied decision as a caller may see it.
type Refusal struct {
	Fault      *fault.Error
	Purpose    string
	DecisionID string
	Ref        string
	Reason     string
}

// Error is for logs.
func (r *Refusal) Error() string { return r.Fault.Error() }

// Unwrap shows the fault.
func (r *Refusal) Unwrap() error { return r.Fault }

// Begin keeps the attempts of one operation, in one write: without them nothing
// happens. A caller that has gone does not cut it off: an attempt that may have been
// written must be followed by its outcome.
func Begin(ctx context.Context, ts ...*Ticket) error {
	records := make([]audit.Record, len(ts))
	for i, t := range ts {
		t.Record.Phase = audit.Attempt
		records[i] = t.Record
	}
	return ts[0].g.c.Audit.Keep(context.WithoutCancel(ctx), records...)
}

// End adds the outcome of a finished mutation.
func (t *Ticket) End(version int64, err error) {
	t.finish(audit.Outcome, version, err)
	t.g.c.Audit.Follow(t.Record)
}

// Final keeps the one record of a read, whose one effect is its answer: when it
// cannot be kept the answer is withheld. It returns err, or why it was not kept. The
// record is kept even when the caller has gone: the secret was read.
func (t *Ticket) Final(ctx context.Context, version int64, err error) error {
	t.finish(audit.Final, version, err)
	if t.g.c.Sampler != nil && !t.g.c.Sampler.Keep(&t.Record) {
		return err
	}
	if kept := t.g.c.Audit.Keep(context.WithoutCancel(ctx), t.Record); kept != nil {
		return kept
	}
	return err
}

func (t *Ticket) finish(phase audit.Phase, version int64, err error) {
	t.Record.Phase, t.Record.Time = phase, t.g.c.Now().UTC()
	t.Record.Success, t.Record.KVVersion = err == nil, version
	if err != nil {
		t.Record.ErrorCode = t.g.c.Code(err)
	}
}
