package authzen

import (
	"context"
	"errors"
	"time"

	"github.com/coffer-dev/coffer/internal/policy"
)

// Decider asks an AuthZEN decision point. It may be used concurrently.
type Decider struct {
	cfg       Config
	caller    *caller
	directory *directory
	table     *table
	replays   *replays
	era       era
}

var _ policy.Decider = (*Decider)(nil)

// New checks cfg and reads the decision point's discovery document once. A decision
// point that does not answer yet is no error: until it does, nothing is permitted.
// A configuration that cannot work is an Invalid fault.
func New(ctx context.Context, cfg Config) (*Decider, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c, err := newCaller(cfg)
	if err != nil {
		return nil, err
	}
	d := &Decider{
		cfg: cfg, caller: c,
		directory: newDirectory(c, cfg.Now),
		table:     newTable(cfg.MaxEntries),
		replays:   newReplays(cfg.ReplayTTL, cfg.MaxEntries),
	}
	d.directory.endpoints(ctx)
	return d, nil
}

// Decide answers one request. An Execute goes through grants and refusals, and its
// use is counted before Decide returns, so before the secret is read; every other
// purpose asks the decision point.
func (d *Decider) Decide(ctx context.Context, r policy.Request) policy.Decision {
	if r.Purpose == policy.Execute {
		return d.decideRead(ctx, r)
	}
	a, _, err := d.ask(ctx, r)
	if err != nil {
		return d.refuse(policy.ReasonUnavailable)
	}
	return hold(d.decision(a), a.terms.binding, r)
}

// ask puts one question and says in which era a grant of its answer stands.
func (d *Decider) ask(ctx context.Context, r policy.Request) (answer, uint64, error) {
	q, err := d.inquire(ctx, r)
	if err != nil {
		return answer{}, 0, err
	}
	asked := d.era.current()
	a, err := d.askOne(ctx, q, r.CorrelationID)
	if err != nil {
		return answer{}, 0, err
	}
	return a, d.era.settle(asked, a.policyVersion), nil
}

func (d *Decider) askOne(ctx context.Context, q question, requestID string) (answer, error) {
	var a answer
	err := d.call(ctx, oneEndpoint, requestID, q.body, func(data []byte) (err error) {
		a, err = readOne(data, q)
		return err
	})
	return a, err
}

// endpointKind says which of the two endpoints a call is for.
type endpointKind bool

const (
	oneEndpoint  endpointKind = false
	manyEndpoint endpointKind = true
)

// call is one timed call of an endpoint; an answer that read refuses has failed too.
// Two errors are no failures of the decision point: errNoBatch, which says that
// manyEndpoint does not exist, and a caller who left.
func (d *Decider) call(
	waiting context.Context, kind endpointKind, requestID string, body []byte, read func([]byte) error,
) error {
	ctx, cancel := context.WithTimeout(waiting, d.cfg.Timeout)
	defer cancel()
	if requestID == "" {
		requestID = d.cfg.NewID()
	}
	known := d.directory.endpoints(ctx)
	endpoint := known.one
	if kind == manyEndpoint {
		endpoint = known.many
	}
	if endpoint == "" {
		return errNoBatch
	}
	begin := d.cfg.Now()
	data, err := d.caller.ask(ctx, endpoint, requestID, body)
	if err == nil {
		err = read(data)
	}
	if d.cfg.Observe.Called != nil {
		d.cfg.Observe.Called(d.cfg.Now().Sub(begin))
	}
	if kind == manyEndpoint && refusesBatch(err) {
		d.directory.refuseBatch()
		return errNoBatch
	}
	if err != nil && d.cfg.Observe.Failed != nil && !errors.Is(waiting.Err(), context.Canceled) {
		d.cfg.Observe.Failed(err)
	}
	return err
}

// decision turns an answer into a decision, before its binding is looked at.
func (d *Decider) decision(a answer) policy.Decision {
	dec := policy.Decision{
		Permit: a.permit, ID: a.id, PolicyVersion: a.policyVersion,
		Classification: a.terms.classification, WrapTTL: a.terms.wrapTTL,
	}
	if dec.ID == "" {
		dec.ID = d.cfg.NewID()
	}
	if dec.PolicyVersion == "" {
		dec.PolicyVersion = unknownVersion
	}
	if !a.permit {
		dec.Reason = policy.ReasonPolicy
	}
	return dec
}

// hold keeps a permit that is bound to a proof of possession from a caller who did
// not bring that proof.
func hold(dec policy.Decision, binding string, r policy.Request) policy.Decision {
	if dec.Permit && binding != "" && binding != r.Principal.Binding.String() {
		dec.Permit, dec.Reason, dec.WrapTTL = false, policy.ReasonBinding, 0
	}
	return dec
}

// unknownVersion stands for the policy version of an answer that names none.
const unknownVersion = "unknown"

// refuse is a denial that no answer stands behind.
func (d *Decider) refuse(why policy.Reason) policy.Decision {
	return policy.Decision{ID: d.cfg.NewID(), PolicyVersion: unknownVersion, Reason: why}
}

// count calls a hook that may be unset.
func count(hook func()) {
	if hook != nil {
		hook()
	}
}

func (d *Decider) decided(begin time.Time, dec policy.Decision) {
	if d.cfg.Observe.Decided != nil {
		d.cfg.Observe.Decided(d.cfg.Now().Sub(begin), dec.Cached)
	}
}
