package secrets

import (
	"context"
	"maps"

	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/guard"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/secrets/codes"
)

// Audit names of operations that make no event.
const (
	metadataRead = "SECRET_METADATA_READ"
	secretListed = "SECRET_LISTED"
)

// Describe reads metadata and versions of one key, never values. A fragment in the
// URI is dropped.
func (s *Service) Describe(ctx context.Context, p identity.Principal, in Query) (Described, error) {
	u, err := s.parse(in.URI, form{fragment: true})
	if err != nil {
		return Described{}, err
	}
	if err := s.scope(p, ScopeReadMetadata); err != nil {
		return Described{}, err
	}
	t, err := s.resolve(u.Whole())
	if err != nil {
		return Described{}, err
	}
	if err := needMetadata(t); err != nil {
		return Described{}, err
	}
	tk, err := s.guard.Admit(ctx, p, in.Call.guard(), guard.Ask{Target: t, Purpose: policy.ReadMetadata, Event: metadataRead})
	if err != nil {
		return Described{}, err
	}
	m, err := t.Back.Store.Meta(ctx, t.Ref)
	if err := tk.Final(ctx, 0, codes.Coded(err, true)); err != nil {
		return Described{}, err
	}
	return Described{URI: t.URI.String(), Meta: m}, nil
}

// Keys lists the members of one map of the YAML file, sorted.
func (s *Service) Keys(ctx context.Context, p identity.Principal, in Query) (uri string, keys []string, err error) {
	t, err := s.reach(p, in.URI, form{root: true}, ScopeReadMetadata)
	if err != nil {
		return "", nil, err
	}
	if !t.IsFile() {
		return "", nil, unsupported("only file back ends list their keys")
	}
	tk, err := s.guard.Admit(ctx, p, in.Call.guard(), guard.Ask{Target: t, Purpose: policy.ReadMetadata, Event: metadataRead})
	if err != nil {
		return "", nil, err
	}
	got, err := t.Back.Store.Get(ctx, t.Ref, 0)
	if err == nil && !got.Value.IsObject() {
		err = fault.New(fault.NotFound, "no such secret")
	}
	if err := tk.Final(ctx, 0, codes.Coded(err, false)); err != nil {
		return "", nil, err
	}
	return t.URI.String(), got.Value.Names(), nil
}

// Ownership is the input of SetOwner.
type Ownership struct {
	Call
	URI   string
	Owner string // a subject or a group, 1 to 512 printable bytes
}

// SetOwner changes the owner and nothing else of the custom metadata.
func (s *Service) SetOwner(ctx context.Context, p identity.Principal, in Ownership) (Owned, error) {
	if in.Owner == "" || len(in.Owner) > secret.MaxCustomValue || !secret.Printable(in.Owner) {
		return Owned{}, fault.Coded(fault.Invalid, "INVALID_OWNER", "owner must be 1 to %d printable bytes", secret.MaxCustomValue)
	}
	t, err := s.reach(p, in.URI, form{}, ScopeSetOwner)
	if err != nil {
		return Owned{}, err
	}
	if err := needMetadata(t); err != nil {
		return Owned{}, err
	}
	a := guard.Ask{Target: t, Purpose: policy.OwnerUpdate, Event: event.SecretOwnerUpdated}
	tk, err := s.guard.Admit(ctx, p, in.Call.guard(), a)
	if err != nil {
		return Owned{}, err
	}
	return mutate(ctx, s, p, in.Call, tk, a, func(ctx context.Context, store secret.Store, m *mutation) (Owned, error) {
		if m.before == nil {
			return Owned{}, fault.New(fault.NotFound, "no such secret")
		}
		change := secret.MetaChange{MustExist: true, Merge: map[string]*string{customOwner: &in.Owner}}
		if t.Back.Can.Transactional {
			change.CAS = &m.before.MetaVersion
		}
		if _, err := store.SetMeta(ctx, t.Ref, change); err != nil {
			return Owned{}, err
		}
		custom := map[string]string{}
		maps.Copy(custom, m.before.Custom)
		custom[customOwner] = in.Owner
		return Owned{URI: t.URI.String(), Owner: in.Owner, Custom: custom}, nil
	})
}
