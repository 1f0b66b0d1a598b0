package secrets

import (
	"context"
	"errors"

	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/guard"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/secrets/codes"
)

// Query names what is to be read.
type Query struct {
	Call
	URI     string
	Version int64 // 0: none given beside the URI's own
}

// Read reads a value from whichever back end: the whole map, or a fragment's value.
func (s *Service) Read(ctx context.Context, p identity.Principal, in Query) (Reading, error) {
	t, err := s.toRead(p, in)
	if err != nil {
		return Reading{}, err
	}
	return s.read(ctx, p, in.Call, t, s.c.ValuePurpose)
}

// ReadFile is Read for the YAML file alone.
func (s *Service) ReadFile(ctx context.Context, p identity.Principal, in Query) (Reading, error) {
	t, err := s.toRead(p, in)
	if err != nil {
		return Reading{}, err
	}
	if !t.IsFile() {
		return Reading{}, unsupported("only file back ends are read here")
	}
	return s.read(ctx, p, in.Call, t, s.c.ReadPurpose)
}

func (s *Service) toRead(p identity.Principal, in Query) (guard.Target, error) {
	u, err := s.parse(in.URI, form{fragment: true, version: true})
	if err != nil {
		return guard.Target{}, err
	}
	if in.Version != 0 {
		if u.Version != 0 && u.Version != in.Version {
			return guard.Target{}, fault.Coded(fault.Invalid, secret.AmbiguousQuery, "the version is given twice, differently")
		}
		u = u.At(in.Version)
	}
	if err := s.scope(p, ScopeRead); err != nil {
		return guard.Target{}, err
	}
	t, err := s.resolve(u)
	if err != nil {
		return guard.Target{}, err
	}
	if u.Version != 0 {
		return t, needVersions(t)
	}
	return t, nil
}

func (s *Service) read(ctx context.Context, p identity.Principal, call Call, t guard.Target, purpose policy.Purpose) (Reading, error) {
	tk, err := s.guard.Admit(ctx, p, call.guard(), guard.Ask{Target: t, Purpose: purpose, Event: event.SecretRead})
	if err != nil {
		return Reading{}, err
	}
	if tk.Decision.WrapTTL > 0 {
		ctx = secret.WithWrapTTL(ctx, tk.Decision.WrapTTL)
	}
	out, err := s.fetch(ctx, t)
	if err := tk.Final(ctx, out.Version, err); err != nil {
		return Reading{}, err
	}
	s.toldRead(tk, t, out.Version)
	return out, nil
}

// fetch reads one version and picks the fragment.
func (s *Service) fetch(ctx context.Context, t guard.Target) (Reading, error) {
	got, err := t.Back.Store.Get(ctx, t.Ref, t.URI.Version)
	if err != nil {
		if errors.Is(err, fault.Corrupt) {
			s.c.Log.Error("a secret fails authentication", "kind", "version", "resource_ref", s.c.Guard.Refs.Of(t.URI.String()))
		}
		return Reading{}, codes.Coded(err, t.URI.Version != 0)
	}
	out := Reading{URI: t.URI, Value: got.Value, Version: got.Version.Version}
	if t.URI.Fragment == "" {
		return out, nil
	}
	field, ok := got.Value.Field(t.URI.Fragment)
	if !ok {
		return Reading{}, fault.Coded(fault.NotFound, "SECRET_NOT_FOUND", "no such secret")
	}
	out.Value, out.Fragment = field, true
	return out, nil
}
