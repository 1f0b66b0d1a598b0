package secrets

import (
	"context"
	"errors"
	"slices"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/guard"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/secrets/codes"
)

// form says which parts of a URI an operation accepts.
type form struct {
	fragment bool
	version  bool
	root     bool // a mount without a path
}

// parse reads a URI as one that an operation may name; it makes no look-up.
func (s *Service) parse(raw string, f form) (secret.URI, error) {
	u, err := s.c.Grammar.Parse(raw)
	switch {
	case fault.CodeOf(err) == secret.TenantMountMismatch:
		s.c.Observer.MountViolation()
		return u, err
	case err != nil:
		return u, err
	case len(u.Others) > 0:
		return u, fault.Coded(fault.Invalid, secret.AmbiguousQuery, "only version is allowed as a query key")
	case u.Path == "" && !f.root && u.Provider != secret.ProviderYAML:
		return u, fault.Coded(fault.Invalid, "PATH_REQUIRED", "the URI names a mount, not a secret")
	case u.Fragment != "" && !f.fragment:
		return u, fault.Coded(fault.Invalid, "FRAGMENT_NOT_ALLOWED", "the operation concerns the whole path")
	case u.Version != 0 && !f.version:
		return u, fault.Coded(fault.Invalid, "VERSION_NOT_ALLOWED", "the operation does not take a version")
	}
	return u, nil
}

// resolve finds the back end of a URI.
func (s *Service) resolve(u secret.URI) (guard.Target, error) {
	if u.Engine == "" && u.Provider != secret.ProviderYAML {
		return guard.Target{}, unsupported("engine kv2 is required")
	}
	b, err := s.c.Router.Route(u)
	return guard.Target{URI: u, Back: b, Ref: u.Ref(s.c.Tenant)}, err
}

func unsupported(detail string) error {
	return fault.Coded(fault.Unsupported, "UNSUPPORTED_OPERATION", "%s", detail)
}

// scope demands all scopes of the caller.
func (s *Service) scope(p identity.Principal, scopes ...string) error {
	if !s.c.EnforceScopes || p.IsAnonymous() {
		return nil
	}
	for _, want := range scopes {
		if !slices.Contains(p.Scopes, want) {
			return fault.Coded(fault.Forbidden, "INSUFFICIENT_SCOPE", "scope %s is required", want)
		}
	}
	return nil
}

// reach is parse, scope and resolve in the contract's order.
func (s *Service) reach(p identity.Principal, raw string, f form, scopes ...string) (guard.Target, error) {
	u, err := s.parse(raw, f)
	if err != nil {
		return guard.Target{}, err
	}
	if err := s.scope(p, scopes...); err != nil {
		return guard.Target{}, err
	}
	return s.resolve(u)
}

// writable refuses writes to the file outside dev and test.
func (s *Service) writable(t guard.Target) error {
	if t.IsFile() && !s.c.FileWrites {
		return fault.Coded(fault.Forbidden, "YAML_WRITES_DISABLED", "the file is read-only in this environment")
	}
	return nil
}

// needVersions and needMetadata refuse what the back end does not declare.
func needVersions(t guard.Target) error {
	if !t.Back.Can.Versions {
		return unsupported("the back end keeps no versions")
	}
	return nil
}

func needMetadata(t guard.Target) error {
	if !t.Back.Can.Metadata {
		return unsupported("the back end keeps no metadata")
	}
	return nil
}

func needList(t guard.Target) error {
	if !t.Back.Can.List {
		return unsupported("the back end cannot list")
	}
	return nil
}

// needMatch refuses a precondition that the back end could not check in the write:
// put says whether the operation is a single Put.
func needMatch(t guard.Target, m Match, put bool) error {
	if m.IsZero() || t.Back.Can.Transactional || (put && t.Back.Can.CAS) {
		return nil
	}
	return unsupported("the back end cannot check a precondition here")
}

// known says whether the key exists for the decision: a write to it is an update.
// Where the store cannot tell, the write is decided as one and the error is for those
// who are permitted: nobody else learns what the store is like.
func (s *Service) known(ctx context.Context, t guard.Target) (bool, error) {
	var err error
	if t.Back.Can.Metadata {
		_, err = t.Back.Store.Meta(ctx, t.Ref)
	} else {
		_, err = t.Back.Store.Get(ctx, t.Ref, 0)
	}
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fault.NotFound):
		return false, nil
	}
	return true, codes.Coded(err, false)
}

// attributes reads what an external decider wants to know of the record.
func attributes(t guard.Target) func(context.Context) (policy.Attributes, error) {
	if !t.Back.Can.Metadata {
		return nil
	}
	return func(ctx context.Context) (policy.Attributes, error) {
		m, err := t.Back.Store.Meta(ctx, t.Ref)
		return policy.Attributes{
			Owner: m.Custom[customOwner], CreatedBy: m.Custom[customCreatedBy], CreatedAt: m.Custom[customCreatedAt],
		}, err
	}
}
