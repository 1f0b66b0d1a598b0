package tenants

import (
	"context"
	"fmt"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger"
)

// unit is one transaction on policies and groups. What it changes it also tells, and
// it keeps indexes and counts in step.
type unit struct {
	s       *Service
	ctx     context.Context //nolint:containedctx // a unit lives as long as one transaction
	tx      *ledger.Tx
	record  audit.Record // of the operation that it is part of
	head    head
	changed bool
}

// transact runs do as one transaction of the ledger. Every change goes through the
// head, so changes of one tenant follow each other.
func (s *Service) transact(ctx context.Context, record audit.Record, do func(*unit) error) error {
	_, err := s.c.Ledger.Txn(ctx, func(tx *ledger.Tx) error {
		u := &unit{s: s, ctx: ctx, tx: tx, record: record}
		h, err := find[head](u, kindHead, "")
		if err != nil {
			return err
		}
		if h != nil {
			u.head = *h
		}
		if err := do(u); err != nil || !u.changed {
			return err
		}
		u.head.Version++
		return u.put(kindHead, "", u.head)
	})
	return err
}

// find reads one record; nil when there is none.
func find[T any](u *unit, kind ledger.Kind, path string) (*T, error) {
	r, ok, err := u.tx.Get(u.ctx, u.s.key(kind, path))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", kind, err)
	}
	if !ok {
		return nil, nil // no record is an answer
	}
	return decode[T](r)
}

func (u *unit) put(kind ledger.Kind, path string, v any) error {
	body, err := encode(v)
	if err != nil {
		return err
	}
	u.changed = true
	return u.tx.Put(u.s.key(kind, path), body)
}

func (u *unit) drop(kind ledger.Kind, path string) error {
	u.changed = true
	return u.tx.Delete(u.s.key(kind, path))
}

// setPolicy writes a policy; before is nil for a new one.
func (u *unit) setPolicy(before *Policy, after Policy) (Policy, error) {
	after.Modified, after.Version = u.record.Time, 1
	if before != nil {
		after.ID, after.Owner, after.Created, after.Version = before.ID, before.Owner, before.Created, before.Version+1
	} else {
		if u.head.Policies++; u.head.Policies > MaxPolicies {
			return after, fault.New(fault.TooLarge, "more than %d policies", MaxPolicies)
		}
		after.ID, after.Owner, after.Created = u.s.c.NewID(), u.record.Subject, after.Modified
	}
	if err := u.put(kindPolicy, after.Name, after); err != nil {
		return after, err
	}
	return after, u.tell(PolicyUpdated, before.object(), after.object())
}

func (u *unit) dropPolicy(before *Policy) error {
	u.head.Policies--
	if err := u.drop(kindPolicy, before.Name); err != nil {
		return err
	}
	return u.tell(PolicyDeleted, before.object(), nil)
}

// groupBy finds a group through one of its indexes.
func (u *unit) groupBy(index ledger.Kind, path string) (*Group, error) {
	id, err := find[string](u, index, path)
	if err != nil || id == nil {
		return nil, err
	}
	return find[Group](u, kindGroup, *id)
}

// setGroup writes a group with its indexes; before is nil for a new one. A name or
// alias that another group has is refused.
func (u *unit) setGroup(before *Group, after Group) (Group, error) {
	after.Modified, after.ModifyIndex = u.record.Time, 1
	if before != nil {
		after.ModifyIndex = before.ModifyIndex + 1
	} else {
		if u.head.Groups++; u.head.Groups > MaxGroups {
			return after, fault.New(fault.TooLarge, "more than %d groups", MaxGroups)
		}
		after.ID, after.Owner, after.Created = u.s.c.NewID(), u.record.Subject, after.Modified
	}
	if err := u.index(kindGroupName, before.nameKey(), after.nameKey(), after.ID); err != nil {
		return after, err
	}
	if err := u.index(kindGroupAlias, before.aliasKey(), after.aliasKey(), after.ID); err != nil {
		return after, err
	}
	if err := u.put(kindGroup, after.ID, after); err != nil {
		return after, err
	}
	return after, u.tell(GroupUpdated, before.object(), after.object())
}

// index moves one entry of an index from an old path to a new one; "" is none.
func (u *unit) index(kind ledger.Kind, from, to, id string) error {
	if to != "" {
		holder, err := find[string](u, kind, to)
		switch {
		case err != nil:
			return err
		case holder == nil:
			if err := u.put(kind, to, id); err != nil {
				return err
			}
		case *holder != id && kind == kindGroupAlias:
			return fault.Coded(fault.Invalid, CodeAliasInUse, "combination of mount and group alias name is already in use")
		case *holder != id:
			return fault.New(fault.Exists, "a group of that name exists")
		}
	}
	if from != "" && from != to {
		return u.drop(kind, from)
	}
	return nil
}

func (u *unit) dropGroup(before *Group) error {
	u.head.Groups--
	for kind, path := range map[ledger.Kind]string{
		kindGroup: before.ID, kindGroupName: before.nameKey(), kindGroupAlias: before.aliasKey(),
	} {
		if path == "" {
			continue
		}
		if err := u.drop(kind, path); err != nil {
			return err
		}
	}
	return u.tell(GroupDeleted, before.object(), nil)
}

// nameKey and aliasKey are the places of a group in its indexes; "" is none.
func (g *Group) nameKey() string {
	if g == nil {
		return ""
	}
	return fold(g.Name)
}

func (g *Group) aliasKey() string {
	if g == nil || g.Alias == nil {
		return ""
	}
	return fold(g.Alias.Name)
}
