package secrets

import (
	"context"
	"errors"

	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secret"
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
	if !t.isFile() {
		return Reading{}, unsupported("only file back ends are read here")
	}
	return s.read(ctx, p, in.Call, t, s.c.ReadPurpose)
}

func (s *Service) toRead(p identity.Principal, in Query) (target, error) {
	u, err := s.parse(in.URI, form{fragment: true, version: true})
	if err != nil {
		return target{}, err
	}
	if in.Version != 0 {
		if u.Version != 0 && u.Version != in.Version {
			return target{}, fault.Coded(fault.Invalid, secret.AmbiguousQuery, "the version is given twice, differently")
		}
		u = u.At(in.Version)
	}
	if err := s.scope(p, ScopeRead); err != nil {
		return target{}, err
	}
	t, err := s.resolve(u)
	if err != nil {
		return target{}, err
	}
	if u.Version != 0 {
		return t, needVersions(t)
	}
	return t, nil
}

func (s *Service) read(ctx context.Context, p identity.Principal, call Call, t target, purpose policy.Purpose) (Reading, error) {
	tk, err := s.admit(ctx, p, call, ask{t: t, purpose: purpose, event: event.SecretRead})
	if err != nil {
		return Reading{}, err
	}
	if tk.decision.WrapTTL > 0 {
		ctx = secret.WithWrapTTL(ctx, tk.decision.WrapTTL)
	}
	out, err := s.fetch(ctx, t)
	if err := tk.final(ctx, out.Version, err); err != nil {
		return Reading{}, err
	}
	s.toldRead(tk, t, out.Version)
	return out, nil
}

// fetch reads one version and picks the fragment.
func (s *Service) fetch(ctx context.Context, t target) (Reading, error) {
	got, err := t.back.Store.Get(ctx, t.ref, t.uri.Version)
	if err != nil {
		if errors.Is(err, fault.Corrupt) {
			s.c.Log.Error("a secret fails authentication", "kind", "version", "resource_ref", s.c.Refs.Of(t.uri.String()))
		}
		return Reading{}, s.coded(err, t.uri.Version != 0)
	}
	out := Reading{URI: t.uri, Value: got.Value, Version: got.Version.Version}
	if t.uri.Fragment == "" {
		return out, nil
	}
	field, ok := got.Value.Field(t.uri.Fragment)
	if !ok {
		return Reading{}, fault.Coded(fault.NotFound, "SECRET_NOT_FOUND", "no such secret")
	}
	out.Value, out.Fragment = field, true
	return out, nil
}
