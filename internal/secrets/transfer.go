package secrets

import (
	"context"
	"errors"
	"strings"

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

// Transfer is the input of Copy and Move.
type Transfer struct {
	Call
	From, To  string
	Overwrite bool
	Match     Match // on the target
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
	value    secret.Value  // as read from the source
	version  int64         // of the source, as read
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
		ended, again := codes.Coded(err, true), errors.Is(err, errMoved)
		if again {
			ended = fault.New(fault.Conflict, "decided anew")
		}
		for _, t := range c.tickets() {
			version := c.version
			if t == c.dest {
				version = out.Version
			}
			t.End(version, ended)
		}
		if !again {
			return out, ended
		}
	}
	return Transferred{}, fault.Coded(fault.Conflict, "WRITE_CONFLICT", "too many concurrent changes")
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
	if c.overlap() {
		return fault.Coded(fault.Invalid, "SAME_SOURCE_AND_TARGET", "source and target are one secret, or one lies within the other")
	}
	wrong := []error{s.writable(c.to), needMatch(c.to, c.in.Match, true)}
	if from.Version != 0 {
		wrong = append(wrong, needVersions(c.from))
	}
	if c.move {
		wrong = append(wrong, s.writable(c.from))
	}
	return errors.Join(wrong...)
}

// sameKey says whether both sides are one record, whatever the fragments.
func (c *carriage) sameKey() bool {
	return c.from.Back.Name == c.to.Back.Name && c.from.Ref == c.to.Ref
}

// overlap says whether both sides are one place, or the source of a move holds the
// target or lies in it: taking it away would take away what was just written.
func (c *carriage) overlap() bool {
	a, b := c.from.URI.Fragment, c.to.URI.Fragment
	if !c.from.IsFile() || !c.to.IsFile() {
		return c.sameKey() && (a == b || c.move && (a == "" || b == ""))
	}
	// The file is a tree: a member of a map is a node as the maps are.
	from, to := strings.TrimSuffix(c.from.Ref.Key()+"/"+a, "/")+"/", strings.TrimSuffix(c.to.Ref.Key()+"/"+b, "/")+"/"
	return from == to || c.move && (strings.HasPrefix(from, to) || strings.HasPrefix(to, from))
}

// admit decides over all sides before anything is read.
func (c *carriage) admit(ctx context.Context) error {
	known, unknown := c.s.known(ctx, c.to)
	c.known = known
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
	if unknown != nil {
		for _, t := range tickets {
			if kept := t.Final(ctx, 0, unknown); fault.CodeOf(kept) == codes.NoAudit {
				return kept
			}
		}
	}
	return unknown
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
			if err := c.fetch(ctx, c.from.Back.Store); err != nil {
				return Transferred{}, err
			}
			w, err := c.put(ctx, txs.In(tx), "")
			if err != nil {
				return Transferred{}, err
			}
			return c.result(w), c.s.emit(tx, c.s.change(c.dest, c.to, w.info.Version, w.before, w.after))
		})
	default:
		out, replayed, err = once.Guard(ctx, c.s.once, c.p.Subject, c.in.Once, func() (Transferred, error) {
			defer c.s.takeTurn(secret.Backend{Can: secret.Capabilities{CAS: c.from.Back.Can.CAS && c.to.Back.Can.CAS}})()
			return c.across(ctx)
		})
	}
	out.Replayed = replayed
	return out, err
}

// fetch reads the source's value: the whole map, or what its fragment names.
func (c *carriage) fetch(ctx context.Context, store secret.Store) error {
	got, err := store.Get(ctx, c.from.Ref, c.from.URI.Version)
	if err != nil {
		return codes.Coded(err, c.from.URI.Version != 0)
	}
	c.value, c.version = got.Value, got.Version.Version
	if f := c.from.URI.Fragment; f != "" {
		var ok bool
		if c.value, ok = got.Value.Field(f); !ok {
			return fault.Coded(fault.NotFound, "SECRET_NOT_FOUND", "no such secret")
		}
	}
	if c.to.URI.Fragment == "" && !c.value.IsObject() {
		return fault.Coded(fault.Invalid, "OBJECT_REQUIRED", "without a fragment the target takes an object")
	}
	return nil
}

func (c *carriage) put(ctx context.Context, store secret.Store, id string) (*putting, error) {
	w := &putting{
		s: c.s, store: store, t: c.to, value: c.value, match: c.in.Match,
		decided: &c.known, absent: !c.in.Overwrite, id: id,
	}
	if c.move && c.sameKey() {
		w.drop = c.from.URI.Fragment
	}
	if c.to.Back.Can.Transactional {
		return w, w.run(ctx, c.p)
	}
	return w, w.retry(ctx, c.p)
}

// inside is the transfer within one engine: one transaction, one event of a move.
// The moved object keeps its id; what remains of the source is another one.
func (c *carriage) inside(ctx context.Context, tx *ledger.Tx, store secret.Store) (Transferred, error) {
	if err := c.fetch(ctx, store); err != nil {
		return Transferred{}, err
	}
	before, err := metaOf(ctx, store, c.from)
	if err != nil {
		return Transferred{}, err
	}
	id := ""
	wholePath := c.move && c.from.URI.Fragment == "" && c.to.URI.Fragment == ""
	if wholePath {
		id = before.ID
	}
	w, err := c.put(ctx, store, id)
	if err != nil {
		return Transferred{}, err
	}
	e := c.s.change(c.dest, c.to, w.info.Version, w.before, w.after)
	if !c.move {
		return c.result(w), c.s.emit(tx, e)
	}
	e.SourceRef = c.source.Record.ResourceRef
	if c.sameKey() {
		return c.result(w), c.s.emit(tx, e)
	}
	if err := c.takeAway(ctx, store); err != nil {
		return Transferred{}, err
	}
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
	if err != nil {
		return Transferred{}, err
	}
	return c.result(w), c.s.emit(tx, c.removed(before, after))
}

// removed is the event of what a move did to its source, other than to move it whole.
func (c *carriage) removed(before, after *secret.Metadata) event.Event {
	var version int64
	if after != nil {
		version = after.Current
	}
	e := c.s.change(c.removal, c.from, version, before, after)
	if c.from.URI.Fragment != "" {
		e.Name = event.SecretUpdated
	}
	return e
}

// takeAway removes the source of a move, and nothing that came after what was copied.
func (c *carriage) takeAway(ctx context.Context, store secret.Store) error {
	can, fragment := c.from.Back.Can, c.from.URI.Fragment
	if fragment == "" && can.Versions {
		return store.Delete(ctx, c.from.Ref, []int64{c.version})
	}
	if fragment == "" {
		return store.Delete(ctx, c.from.Ref, nil)
	}
	for range rounds {
		now, err := store.Get(ctx, c.from.Ref, 0)
		if err != nil {
			return err
		}
		if member, ok := now.Value.Field(fragment); !ok || !member.Equal(c.value) {
			return fault.New(fault.Conflict, "the source has changed")
		}
		rest, err := now.Value.Without(fragment)
		if err != nil {
			return err
		}
		var cas *int64
		if can.CAS && !can.Transactional {
			cas = &now.Version.Version
		}
		if _, err = store.Put(ctx, c.from.Ref, rest, cas); !errors.Is(err, fault.CASMismatch) {
			return err
		}
	}
	return fault.New(fault.Conflict, "too many concurrent changes")
}

// across is the transfer between back ends, or within one that has no transactions:
// the copy first, so that nothing is lost whatever fails.
func (c *carriage) across(ctx context.Context) (Transferred, error) {
	if err := c.fetch(ctx, c.from.Back.Store); err != nil {
		return Transferred{}, err
	}
	w, err := c.put(ctx, c.to.Back.Store, "")
	if err != nil {
		return Transferred{}, err
	}
	e := c.s.change(c.dest, c.to, w.info.Version, w.before, w.after)
	if c.move {
		e.SourceRef = c.source.Record.ResourceRef
	}
	c.s.tell(ctx, e)
	if !c.move || c.sameKey() {
		return c.result(w), nil
	}
	before, _ := metaOf(ctx, c.from.Back.Store, c.from) // for the event alone
	if err := c.takeAway(ctx, c.from.Back.Store); err != nil {
		return Transferred{}, &Copied{&fault.Error{
			Kind: fault.ProviderFailed, Code: "VAULT_OPERATION_ERROR", Detail: "copied, but the source was not removed", Cause: err,
		}}
	}
	after, _ := metaOf(ctx, c.from.Back.Store, c.from)
	c.s.tell(ctx, c.removed(before, after))
	return c.result(w), nil
}

func (c *carriage) result(w *putting) Transferred {
	return Transferred{From: c.from.URI.String(), To: c.to.URI.String(), Version: w.info.Version}
}
