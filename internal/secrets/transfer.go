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
)

// Transfer is the input of Copy and Move.
type Transfer struct {
	Call
	From, To  string
	Overwrite bool
	Match     Match // on the guard.Target
}

// Copied says that a move across back ends has copied but not removed.
type Copied struct{ Fault *fault.Error }

// Error is for logs.
func (c *Copied) Error() string { return c.Fault.Error() }

// Unwrap shows the fault.
func (c *Copied) Unwrap() error { return c.Fault }

// Copy writes the source's value to the target.
func (s *Service) Copy(ctx context.Context, p identity.Principal, in Transfer) (Transferred, error) {
	return s.transfer(ctx, p, in, false)
}

// Move is Copy and the removal of the source: of its path by a soft delete, of a
// fragment alone by a new version without it. Within one engine it is one transaction.
func (s *Service) Move(ctx context.Context, p identity.Principal, in Transfer) (Transferred, error) {
	return s.transfer(ctx, p, in, true)
}

// carriage is one transfer under way.
type carriage struct {
	s        *Service
	p        identity.Principal
	in       Transfer
	move     bool
	from, to guard.Target
	known    bool
	source   *guard.Ticket
	dest     *guard.Ticket
	removal  *guard.Ticket // of a move
}

func (s *Service) transfer(ctx context.Context, p identity.Principal, in Transfer, move bool) (Transferred, error) {
	c := &carriage{s: s, p: p, in: in, move: move}
	if err := c.reach(); err != nil {
		return Transferred{}, err
	}
	for range rounds {
		if err := c.admit(ctx); err != nil {
			return Transferred{}, err
		}
		if err := guard.Begin(ctx, c.tickets()...); err != nil {
			return Transferred{}, err
		}
		out, err := c.run(ctx)
		ended := err
		if errors.Is(err, errMoved) {
			ended = fault.New(fault.Conflict, "decided anew")
		} else if ended = s.coded(err, true); err != nil && !isCopied(err) {
			err = ended
		}
		for _, t := range c.tickets() {
			t.End(out.Version, ended)
		}
		if !errors.Is(err, errMoved) {
			return out, err
		}
	}
	return Transferred{}, fault.Coded(fault.Conflict, "WRITE_CONFLICT", "too many concurrent changes")
}

func isCopied(err error) bool {
	var c *Copied
	return errors.As(err, &c)
}

// reach resolves both sides and refuses what could not work.
func (c *carriage) reach() error {
	s := c.s
	from, err := s.parse(c.in.From, form{fragment: true, version: !c.move})
	if err != nil {
		return err
	}
	to, err := s.parse(c.in.To, form{fragment: true})
	if err != nil {
		return err
	}
	if err := s.scope(c.p, ScopeRead, ScopeWrite); err != nil {
		return err
	}
	if c.from, err = s.resolve(from); err != nil {
		return err
	}
	if c.to, err = s.resolve(to); err != nil {
		return err
	}
	if c.from.Back.Name == c.to.Back.Name && c.from.Ref == c.to.Ref && from.Fragment == to.Fragment {
		return fault.Coded(fault.Invalid, "SAME_SOURCE_AND_TARGET", "source and guard.Target are one secret")
	}
	if from.Version != 0 {
		if err := needVersions(c.from); err != nil {
			return err
		}
	}
	if err := s.writable(c.to); err != nil {
		return err
	}
	if c.move {
		if err := s.writable(c.from); err != nil {
			return err
		}
	}
	return needMatch(c.to, c.in.Match, true)
}

// admit decides over all sides before anything is read.
func (c *carriage) admit(ctx context.Context) error {
	var err error
	if c.known, err = c.s.known(ctx, c.to); err != nil {
		return err
	}
	name := event.SecretUpdated
	if c.move {
		name = event.SecretMoved
	}
	asks := []guard.Ask{
		{Target: c.from, Purpose: c.s.c.CopyPurpose, Event: event.SecretRead},
		{Target: c.to, Purpose: policy.Write, Event: name, Known: c.known},
	}
	if c.move {
		asks = append(asks, guard.Ask{Target: c.from, Purpose: policy.Delete, Event: event.SecretDeleted})
	}
	tickets := make([]*guard.Ticket, len(asks))
	for i, v := range c.s.guard.AdmitAll(ctx, c.p, c.in.Call.guard(), asks) {
		if v.Err != nil {
			return v.Err
		}
		tickets[i] = v.Ticket
	}
	c.source, c.dest = tickets[0], tickets[1]
	if c.move {
		c.removal = tickets[2]
	}
	return nil
}

func (c *carriage) tickets() []*guard.Ticket {
	if c.move {
		return []*guard.Ticket{c.source, c.dest, c.removal}
	}
	return []*guard.Ticket{c.source, c.dest}
}

func (c *carriage) run(ctx context.Context) (out Transferred, err error) {
	var replayed bool
	txs, ok := c.to.Back.Store.(Transactional)
	switch {
	case ok && c.from.Back.Name == c.to.Back.Name:
		out, replayed, err = once.Transact(ctx, c.s.once, c.p.Subject, c.in.Once, func(tx *ledger.Tx) (Transferred, error) {
			store := txs.In(tx)
			return c.inside(ctx, tx, store)
		})
	case ok && !c.move:
		out, replayed, err = once.Transact(ctx, c.s.once, c.p.Subject, c.in.Once, func(tx *ledger.Tx) (Transferred, error) {
			value, _, err := c.fetch(ctx, c.from.Back.Store)
			if err != nil {
				return Transferred{}, err
			}
			w, err := c.put(ctx, txs.In(tx), value, "")
			if err != nil {
				return Transferred{}, err
			}
			return c.result(w), c.s.emit(tx, c.s.change(c.dest, c.to, w.info.Version, w.before, w.after))
		})
	default:
		out, replayed, err = once.Guard(ctx, c.s.once, c.p.Subject, c.in.Once, func() (Transferred, error) { return c.across(ctx) })
	}
	out.Replayed = replayed
	return out, err
}

// fetch reads the source's value: the whole map, or what its fragment names.
func (c *carriage) fetch(ctx context.Context, store secret.Store) (value, whole secret.Value, err error) {
	got, err := store.Get(ctx, c.from.Ref, c.from.URI.Version)
	if err != nil {
		return value, whole, c.s.coded(err, c.from.URI.Version != 0)
	}
	value = got.Value
	if f := c.from.URI.Fragment; f != "" {
		var ok bool
		if value, ok = got.Value.Field(f); !ok {
			return value, whole, fault.Coded(fault.NotFound, "SECRET_NOT_FOUND", "no such secret")
		}
	}
	if c.to.URI.Fragment == "" && !value.IsObject() {
		return value, whole, fault.Coded(fault.Invalid, "OBJECT_REQUIRED", "without a fragment the guard.Target takes an object")
	}
	return value, got.Value, nil
}

func (c *carriage) put(ctx context.Context, store secret.Store, value secret.Value, id string) (*putting, error) {
	w := &putting{
		s: c.s, store: store, t: c.to, value: value, match: c.in.Match,
		decided: &c.known, absent: !c.in.Overwrite, id: id,
	}
	if c.to.Back.Can.Transactional {
		return w, w.run(ctx, c.p)
	}
	w.decided = nil
	return w, w.retry(ctx, c.p)
}

// inside is the transfer within one engine: one transaction, one event of a move.
// The moved object keeps its id; what remains of the source is another one.
func (c *carriage) inside(ctx context.Context, tx *ledger.Tx, store secret.Store) (Transferred, error) {
	value, whole, err := c.fetch(ctx, store)
	if err != nil {
		return Transferred{}, err
	}
	before, err := metaOf(ctx, store, c.from)
	if err != nil {
		return Transferred{}, err
	}
	id := ""
	wholePath := c.move && c.from.URI.Fragment == "" && c.from.Ref != c.to.Ref
	if wholePath && before != nil {
		id = before.ID
	}
	w, err := c.put(ctx, store, value, id)
	if err != nil {
		return Transferred{}, err
	}
	if !c.move {
		return c.result(w), c.s.emit(tx, c.s.change(c.dest, c.to, w.info.Version, w.before, w.after))
	}
	if err := c.takeAway(ctx, store, whole); err != nil {
		return Transferred{}, err
	}
	e := c.s.change(c.dest, c.to, w.info.Version, w.before, w.after)
	e.SourceRef = c.source.Record.ResourceRef
	if wholePath {
		if _, err := store.SetMeta(ctx, c.from.Ref, secret.MetaChange{ID: ledger.NewID(), CAS: &before.MetaVersion}); err != nil {
			return Transferred{}, err
		}
		e.Old = c.s.side(c.from, before)
		return c.result(w), c.s.emit(tx, e)
	}
	if err := c.s.emit(tx, e); err != nil {
		return Transferred{}, err
	}
	after, err := metaOf(ctx, store, c.from)
	if err != nil || after == nil {
		return Transferred{}, err
	}
	rest := c.s.change(c.removal, c.from, after.Current, before, after)
	rest.Name = event.SecretUpdated
	return c.result(w), c.s.emit(tx, rest)
}

// takeAway removes the source of a move.
func (c *carriage) takeAway(ctx context.Context, store secret.Store, whole secret.Value) error {
	if c.from.URI.Fragment == "" {
		return store.Delete(ctx, c.from.Ref, nil)
	}
	if c.from.Ref == c.to.Ref && c.from.Back.Name == c.to.Back.Name {
		now, err := store.Get(ctx, c.from.Ref, 0) // the target's member is in it by now
		if err != nil {
			return err
		}
		whole = now.Value
	}
	rest, err := whole.Without(c.from.URI.Fragment)
	if err != nil {
		return err
	}
	_, err = store.Put(ctx, c.from.Ref, rest, nil)
	return err
}

// across is the transfer between back ends, or within one that has no transactions:
// the copy first, so that nothing is lost whatever fails.
func (c *carriage) across(ctx context.Context) (Transferred, error) {
	value, whole, err := c.fetch(ctx, c.from.Back.Store)
	if err != nil {
		return Transferred{}, err
	}
	w, err := c.put(ctx, c.to.Back.Store, value, "")
	if err != nil {
		return Transferred{}, err
	}
	e := c.s.change(c.dest, c.to, w.info.Version, w.before, w.after)
	if c.move {
		e.SourceRef = c.source.Record.ResourceRef
	}
	c.s.tell(ctx, e)
	if !c.move {
		return c.result(w), nil
	}
	before, _ := metaOf(ctx, c.from.Back.Store, c.from) // for the event alone
	if err := c.takeAway(ctx, c.from.Back.Store, whole); err != nil {
		return Transferred{}, &Copied{&fault.Error{
			Kind: fault.ProviderFailed, Code: "VAULT_OPERATION_ERROR", Detail: "copied, but the source was not removed", Cause: err,
		}}
	}
	after, _ := metaOf(ctx, c.from.Back.Store, c.from)
	c.s.tell(ctx, c.s.change(c.removal, c.from, 0, before, after))
	return c.result(w), nil
}

func (c *carriage) result(w *putting) Transferred {
	return Transferred{From: c.from.URI.String(), To: c.to.URI.String(), Version: w.info.Version}
}
