package secrets

import (
	"context"
	"errors"
	"time"

	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/guard"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/once"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/secrets/codes"
)

// Custom metadata that the first write stamps.
const (
	customOwner     = "owner"
	customCreatedBy = "created_by"
	customCreatedAt = "created_at"
)

// Write is the input of Put and Rotate.
type Write struct {
	Call
	URI   string
	Value secret.Value // any JSON; what the fragment makes of it is a rule
	Match Match
}

// rounds bounds how often a write is tried against concurrent writers.
const rounds = 5

// errMoved says that the key came or went between the decision and the write.
var errMoved = errors.New("the key came or went meanwhile")

// Put creates or updates: without a fragment the whole map, with one its member.
func (s *Service) Put(ctx context.Context, p identity.Principal, in Write) (Written, error) {
	return s.write(ctx, p, in, policy.Write, event.SecretUpdated, ScopeWrite)
}

// Rotate is Put under its own purpose and event.
func (s *Service) Rotate(ctx context.Context, p identity.Principal, in Write) (Written, error) {
	return s.write(ctx, p, in, policy.Rotate, event.SecretRotated, ScopeRotate)
}

func (s *Service) write(ctx context.Context, p identity.Principal, in Write, purpose policy.Purpose, name, scope string) (Written, error) {
	a, value, err := s.planWrite(p, in, purpose, name, scope)
	if err != nil {
		return Written{}, err
	}
	for range rounds {
		unknown := s.know(ctx, &a)
		tk, err := s.guard.Admit(ctx, p, in.Call.guard(), a)
		if err != nil {
			return Written{}, err
		}
		if unknown != nil {
			return Written{}, tk.Final(ctx, 0, unknown)
		}
		out, err := s.writeOnce(ctx, p, in, tk, a, value)
		if !errors.Is(err, errMoved) {
			return out, err
		}
	}
	return Written{}, fault.Coded(fault.Conflict, "WRITE_CONFLICT", "too many concurrent changes")
}

// planWrite checks everything about a write that needs neither store nor decision.
func (s *Service) planWrite(p identity.Principal, in Write, purpose policy.Purpose, name, scope string) (guard.Ask, secret.Value, error) {
	a := guard.Ask{Purpose: purpose, Event: name}
	u, err := s.parse(in.URI, form{fragment: true})
	if err != nil {
		return a, secret.Value{}, err
	}
	value, err := shape(u.Fragment, in.Value)
	if err != nil {
		return a, value, err
	}
	if err := s.scope(p, scope); err != nil {
		return a, value, err
	}
	if a.Target, err = s.resolve(u); err != nil {
		return a, value, err
	}
	return a, value, errors.Join(s.writable(a.Target), needMatch(a.Target, in.Match, true))
}

// know finds out what a decision depends on: a write to a key that exists is an
// update, to one that does not a create.
func (s *Service) know(ctx context.Context, a *guard.Ask) (err error) {
	if a.Purpose == policy.Write {
		a.Known, err = s.known(ctx, a.Target)
	}
	return err
}

// writeOnce writes under one decision; it is errMoved when what the decision
// depended on has changed.
func (s *Service) writeOnce(ctx context.Context, p identity.Principal, in Write, tk *guard.Ticket, a guard.Ask, value secret.Value) (Written, error) {
	if err := guard.Begin(ctx, tk); err != nil {
		return Written{}, err
	}
	t := a.Target
	var decided *bool
	if a.Purpose == policy.Write {
		decided = &a.Known
	}
	var out Written
	var replayed bool
	var err error
	if txs, ok := t.Back.Store.(Transactional); ok {
		out, replayed, err = once.Transact(ctx, s.once, p.Subject, in.Once, func(tx *ledger.Tx) (Written, error) {
			w := putting{s: s, store: txs.In(tx), t: t, value: value, match: in.Match, decided: decided}
			if err := w.run(ctx, p); err != nil {
				return Written{}, err
			}
			return w.result(tk), s.emit(tx, s.change(tk, t, w.info.Version, w.before, w.after))
		})
	} else {
		out, replayed, err = once.Guard(ctx, s.once, p.Subject, in.Once, func() (Written, error) {
			defer s.takeTurn(t.Back)()
			w := putting{s: s, store: t.Back.Store, t: t, value: value, match: in.Match, decided: decided}
			if err := w.retry(ctx, p); err != nil {
				return Written{}, err
			}
			s.tell(ctx, s.change(tk, t, w.info.Version, w.before, w.after))
			return w.result(tk), nil
		})
	}
	out.Replayed = replayed
	if errors.Is(err, errMoved) {
		tk.End(0, fault.New(fault.Conflict, "decided anew"))
		return out, err
	}
	err = codes.Coded(err, true)
	tk.End(out.Version, err)
	return out, err
}

// shape applies the rules of values on write: what is to be stored under the
// fragment, or the whole map.
func shape(fragment string, v secret.Value) (secret.Value, error) {
	if v.IsZero() {
		return v, fault.Coded(fault.Invalid, "BAD_REQUEST", "value is required")
	}
	if fragment == "" {
		if !v.IsObject() {
			return v, fault.Coded(fault.Invalid, "OBJECT_REQUIRED", "without a fragment the value must be an object")
		}
		return v, nil
	}
	inner, ok := v.Field(fragment)
	switch {
	case !ok:
		return v, nil
	case len(v.Names()) > 1:
		return v, fault.Coded(fault.Invalid, "AMBIGUOUS_VALUE", "the value holds the fragment's member and others")
	}
	return inner, nil
}

// putting is one write on one view of a store.
type putting struct {
	s       *Service
	store   secret.Store
	t       guard.Target
	value   secret.Value
	match   Match
	decided *bool  // whether the key existed when it was decided; nil: does not matter
	absent  bool   // refuse a live target (for a fragment, a live member)
	drop    string // a member to take away in the same version
	id      string // object id to take over; empty keeps

	info          secret.VersionInfo
	before, after *secret.Metadata
}

// run reads, checks and writes; in a transaction that is one step.
func (w *putting) run(ctx context.Context, p identity.Principal) error {
	before, err := metaOf(ctx, w.store, w.t)
	if err != nil {
		return err
	}
	w.before = before
	if w.decided != nil && *w.decided != (before != nil) && w.t.Back.Can.Metadata {
		return errMoved
	}
	if err := w.match.check(before); err != nil {
		return err
	}
	if before != nil && before.CASRequired && w.match.IsZero() {
		return fault.New(fault.CASRequired, "the secret demands If-Match")
	}
	whole, current, err := w.whole(ctx)
	if err != nil {
		return err
	}
	if w.info, err = w.store.Put(ctx, w.t.Ref, whole, w.cas(current)); err != nil {
		return err
	}
	return w.stamp(ctx, p)
}

// retry is run against a store of its own transactions: lost races are run again.
func (w *putting) retry(ctx context.Context, p identity.Principal) error {
	for round := range rounds {
		err := w.run(ctx, p)
		if !errors.Is(err, fault.CASMismatch) || !w.match.IsZero() {
			return err
		}
		if round == rounds-1 {
			return fault.Coded(fault.Conflict, "WRITE_CONFLICT", "too many concurrent changes")
		}
		if err := wait(ctx, time.Duration(round+1)*5*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// whole is the map to store: the value itself, or the latest with one member set. A
// latest version that is missing, deleted or destroyed counts as empty.
func (w *putting) whole(ctx context.Context) (v secret.Value, current int64, err error) {
	if w.before != nil {
		current = w.before.Current
	}
	if w.t.URI.Fragment == "" && !w.absent {
		return w.value, current, nil
	}
	latest, err := w.store.Get(ctx, w.t.Ref, 0)
	switch fault.KindOf(err) {
	case fault.NotFound, fault.VersionNotFound, fault.Deleted, fault.Destroyed:
		latest.Value = secret.Value{}
	default:
		if err != nil {
			return v, 0, err
		}
	}
	_, taken := latest.Value.Field(w.t.URI.Fragment)
	if taken = taken || w.t.URI.Fragment == "" && !latest.Value.IsZero(); taken && w.absent {
		return v, 0, fault.Coded(fault.Exists, "ALREADY_EXISTS", "the target exists")
	}
	if w.t.URI.Fragment == "" {
		return w.value, current, nil
	}
	if v, err = latest.Value.With(w.t.URI.Fragment, w.value); err == nil && w.drop != "" {
		v, err = v.Without(w.drop)
	}
	return v, current, err
}

// cas is the check-and-set number of the write. Inside our transaction the read is
// guarded anyway, so it is given only where the caller stated a condition: a key
// that demands one is not to be satisfied behind the caller's back. Elsewhere it
// guards the read of a fragment write, a target that must be absent, and what was
// decided as a creation.
func (w *putting) cas(current int64) *int64 {
	stated := !w.match.IsZero()
	read := w.t.URI.Fragment != "" || w.absent || w.decided != nil && !*w.decided
	if stated || read && w.t.Back.Can.CAS && !w.t.Back.Can.Transactional {
		return &current
	}
	return nil
}

// stamp marks the first write of a key with who and when. On an outside back end a
// failure is logged, the write stands.
func (w *putting) stamp(ctx context.Context, p identity.Principal) (err error) {
	if w.t.Back.Can.Metadata && (w.before == nil || w.before.Custom[customCreatedBy] == "") {
		at := w.s.c.Now().UTC().Format("2006-01-02T15:04:05Z")
		merge := map[string]*string{customCreatedBy: &p.Subject, customCreatedAt: &at}
		if !p.IsAnonymous() {
			merge[customOwner] = &p.Subject
		}
		_, err = w.store.SetMeta(ctx, w.t.Ref, secret.MetaChange{Merge: merge, CAS: w.metaCAS(), ID: w.id})
	} else if w.id != "" {
		_, err = w.store.SetMeta(ctx, w.t.Ref, secret.MetaChange{CAS: w.metaCAS(), ID: w.id})
	}
	if err == nil {
		w.after, err = metaOf(ctx, w.store, w.t)
	}
	if err != nil && !w.t.Back.Can.Transactional {
		w.s.c.Log.Warn("custom metadata was not stamped or read", "backend", w.t.Back.Name, "error", err)
		w.after, err = w.written(), nil
	}
	return err
}

// written is the metadata after the write as far as it is known without asking.
func (w *putting) written() *secret.Metadata {
	m := secret.Metadata{Created: w.info.Created}
	if w.before != nil {
		m = *w.before
	}
	m.Current, m.Updated, m.Versions = w.info.Version, w.info.Created, []secret.VersionInfo{w.info}
	return &m
}

// metaCAS satisfies a mount that demands metadata check-and-set; only our own
// transaction knows the number for sure.
func (w *putting) metaCAS() *int64 {
	if !w.t.Back.Can.Transactional {
		return nil
	}
	var n int64
	if w.before != nil {
		n = w.before.MetaVersion
	}
	return &n
}

func (w *putting) result(tk *guard.Ticket) Written {
	out := Written{URI: w.t.URI.String(), Version: w.info.Version, Ref: tk.Record.ResourceRef}
	if w.before != nil {
		out.Old = w.before.Current
	}
	return out
}

// check holds the precondition against the current version.
func (m Match) check(meta *secret.Metadata) error {
	var current int64
	if meta != nil {
		current = meta.Current
	}
	if m.Any && current == 0 || m.Version != nil && *m.Version != current {
		return fault.Coded(fault.Precondition, "PRECONDITION_FAILED", "the current version is another one")
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return fault.Wrap(fault.Timeout, ctx.Err(), "the request was abandoned")
	case <-t.C:
		return nil
	}
}
