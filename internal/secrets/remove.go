package secrets

import (
	"context"
	"errors"

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

// Removal is the input of Delete.
type Removal struct {
	Call
	URI           string
	Destroy       bool   // the key, its metadata and all versions, for good
	FragmentScope string // "path" states that a fragment in the URI means the whole path
	Match         Match
}

// Versions is the input of Undelete and DestroyVersions.
type Versions struct {
	Call
	URI      string
	Versions []int64
	Match    Match
}

// Delete soft-deletes the latest version, or destroys the key whole. In the YAML
// file it removes the node or, with a fragment, the member. An unknown key of a
// versioned back end is no error.
func (s *Service) Delete(ctx context.Context, p identity.Principal, in Removal) (Deleted, error) {
	a, err := s.planRemoval(p, in)
	if err != nil {
		return Deleted{}, err
	}
	tk, err := s.guard.Admit(ctx, p, in.Call.guard(), a)
	if err != nil {
		return Deleted{}, err
	}
	return s.removeOnce(ctx, p, in, tk, a)
}

func (s *Service) planRemoval(p identity.Principal, in Removal) (guard.Ask, error) {
	a, scope := guard.Ask{Purpose: policy.Delete, Event: event.SecretDeleted}, ScopeDelete
	if in.Destroy {
		a, scope = guard.Ask{Purpose: policy.Destroy, Event: event.SecretDestroyed, Whole: true}, ScopeDestroy
	}
	u, err := s.parse(in.URI, form{fragment: true})
	if err != nil {
		return a, err
	}
	if u, err = fragmentScope(u, in.FragmentScope); err != nil {
		return a, err
	}
	if err := s.scope(p, scope); err != nil {
		return a, err
	}
	if a.Target, err = s.resolve(u); err != nil {
		return a, err
	}
	return a, errors.Join(s.writable(a.Target), needMatch(a.Target, in.Match, false))
}

func (s *Service) removeOnce(ctx context.Context, p identity.Principal, in Removal, tk *guard.Ticket, a guard.Ask) (Deleted, error) {
	return mutate(ctx, s, p, in.Call, tk, a, func(ctx context.Context, store secret.Store, m *mutation) (Deleted, error) {
		out := Deleted{URI: a.Target.URI.String(), Destroyed: in.Destroy && !a.Target.IsFile()}
		return out, s.remove(ctx, store, a.Target, in, m)
	})
}

// fragmentScope refuses a fragment where it would take more away than it names.
func fragmentScope(u secret.URI, scope string) (secret.URI, error) {
	switch {
	case scope != "" && scope != "path":
		return u, fault.Coded(fault.Invalid, "BAD_REQUEST", "fragmentScope must be path")
	case u.Provider == secret.ProviderYAML || u.Fragment == "":
		return u, nil
	case scope == "":
		return u, fault.Coded(fault.Invalid, "FRAGMENT_NOT_ALLOWED", "the operation concerns the whole path")
	}
	return u.Whole(), nil
}

func (s *Service) remove(ctx context.Context, store secret.Store, t guard.Target, in Removal, m *mutation) error {
	if err := in.Match.check(m.before); err != nil {
		return err
	}
	switch {
	case t.IsFile() && t.URI.Fragment != "":
		return removeField(ctx, store, t)
	case in.Destroy && !t.IsFile():
		_, err := store.Destroy(ctx, t.Ref, secret.Selection{All: true})
		return err
	}
	if m.before != nil {
		m.version = m.before.Current
	}
	return store.Delete(ctx, t.Ref, nil)
}

// removeField takes one member out of a map.
func removeField(ctx context.Context, store secret.Store, t guard.Target) error {
	got, err := store.Get(ctx, t.Ref, 0)
	if err != nil {
		return err
	}
	if _, ok := got.Value.Field(t.URI.Fragment); !ok {
		return fault.New(fault.NotFound, "no such secret")
	}
	rest, err := got.Value.Without(t.URI.Fragment)
	if err != nil {
		return err
	}
	_, err = store.Put(ctx, t.Ref, rest, nil)
	return err
}

// Undelete restores soft-deleted versions.
func (s *Service) Undelete(ctx context.Context, p identity.Principal, in Versions) (Versioned, error) {
	return s.versions(ctx, p, in, guard.Ask{Purpose: policy.Undelete, Event: event.SecretUndeleted}, ScopeDelete)
}

// DestroyVersions erases versions for good.
func (s *Service) DestroyVersions(ctx context.Context, p identity.Principal, in Versions) (Versioned, error) {
	return s.versions(ctx, p, in, guard.Ask{Purpose: policy.Destroy, Event: event.SecretVersionDestroyed}, ScopeDestroy)
}

func (s *Service) versions(ctx context.Context, p identity.Principal, in Versions, a guard.Ask, scope string) (Versioned, error) {
	a, err := s.planVersions(p, in, a, scope)
	if err != nil {
		return Versioned{}, err
	}
	tk, err := s.guard.Admit(ctx, p, in.Call.guard(), a)
	if err != nil {
		return Versioned{}, err
	}
	return s.versionsOnce(ctx, p, in, tk, a)
}

func (s *Service) planVersions(p identity.Principal, in Versions, a guard.Ask, scope string) (guard.Ask, error) {
	u, err := s.parse(in.URI, form{})
	if err != nil {
		return a, err
	}
	if err := secret.CheckVersions(in.Versions); err != nil {
		return a, err
	}
	if err := s.scope(p, scope); err != nil {
		return a, err
	}
	if a.Target, err = s.resolve(u); err != nil {
		return a, err
	}
	return a, errors.Join(needVersions(a.Target), needMatch(a.Target, in.Match, false))
}

func (s *Service) versionsOnce(ctx context.Context, p identity.Principal, in Versions, tk *guard.Ticket, a guard.Ask) (Versioned, error) {
	return mutate(ctx, s, p, in.Call, tk, a, func(ctx context.Context, store secret.Store, m *mutation) (Versioned, error) {
		out := Versioned{URI: a.Target.URI.String(), Versions: secret.Distinct(in.Versions), Ignored: []int64{}}
		if m.before == nil {
			return out, fault.New(fault.NotFound, "no such secret")
		}
		if err := in.Match.check(m.before); err != nil {
			return out, err
		}
		var ignored []int64
		var err error
		if a.Purpose == policy.Undelete {
			ignored, err = store.Undelete(ctx, a.Target.Ref, in.Versions)
		} else {
			ignored, err = store.Destroy(ctx, a.Target.Ref, secret.Selection{Versions: in.Versions})
		}
		out.Ignored = append(out.Ignored, ignored...)
		return out, err
	})
}

// mutation is what one mutation found, for its event and its audit outcome.
type mutation struct {
	before, after *secret.Metadata
	version       int64
}

// mutate runs one mutation of one key between its audit records: in one transaction
// with event and idempotency record where the back end can, else one after the other.
func mutate[R any](ctx context.Context, s *Service, p identity.Principal, call Call, tk *guard.Ticket, a guard.Ask,
	do func(context.Context, secret.Store, *mutation) (R, error),
) (R, error) {
	var m mutation
	t := a.Target
	// Where the change is not ours to take back, it stands although it could not be
	// looked at afterwards.
	run := func(store secret.Store) (out R, err error) {
		m = mutation{}
		if m.before, err = metaOf(ctx, store, t); err != nil {
			return out, err
		}
		if out, err = do(ctx, store, &m); err != nil {
			return out, err
		}
		if m.after, err = metaOf(ctx, store, t); err != nil && !t.Back.Can.Transactional {
			s.c.Log.Warn("a changed secret could not be looked at", "backend", t.Back.Name, "error", err)
			if err = nil; a.Purpose == policy.Undelete || a.Purpose == policy.OwnerUpdate {
				m.after = m.before
			}
		}
		return out, err
	}
	var out R
	var replayed bool
	if err := guard.Begin(ctx, tk); err != nil {
		return out, err
	}
	txs, ok := t.Back.Store.(Transactional)
	var err error
	if ok {
		out, replayed, err = once.Transact(ctx, s.once, p.Subject, call.Once, func(tx *ledger.Tx) (R, error) {
			out, err := run(txs.In(tx))
			if err != nil || m.before == nil && m.after == nil {
				return out, err // nothing was there: nothing to tell
			}
			return out, s.emit(tx, s.change(tk, t, m.version, m.before, m.after))
		})
	} else {
		out, replayed, err = once.Guard(ctx, s.once, p.Subject, call.Once, func() (R, error) {
			defer s.takeTurn(t.Back)()
			out, err := run(t.Back.Store)
			if err == nil && (m.before != nil || m.after != nil || !t.Back.Can.Metadata) {
				s.tell(ctx, s.change(tk, t, m.version, m.before, m.after))
			}
			return out, err
		})
	}
	if r, ok := any(&out).(interface{ setReplayed(bool) }); ok {
		r.setReplayed(replayed)
	}
	err = codes.Coded(err, true)
	tk.End(m.version, err)
	return out, err
}

func (d *Deleted) setReplayed(r bool)   { d.Replayed = r }
func (v *Versioned) setReplayed(r bool) { v.Replayed = r }
func (o *Owned) setReplayed(r bool)     { o.Replayed = r }
