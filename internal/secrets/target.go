package secrets

import (
	"context"
	"errors"
	"slices"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secret"
)

// target is one record that an operation touches, resolved.
type target struct {
	uri  secret.URI
	back secret.Backend
	ref  secret.Ref
}

func (t target) isFile() bool { return t.uri.Provider == secret.ProviderYAML }

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
func (s *Service) resolve(u secret.URI) (target, error) {
	if u.Engine == "" && u.Provider != secret.ProviderYAML {
		return target{}, unsupported("engine kv2 is required")
	}
	b, err := s.c.Router.Route(u)
	return target{uri: u, back: b, ref: u.Ref(s.c.Tenant)}, err
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
func (s *Service) reach(p identity.Principal, raw string, f form, scopes ...string) (target, error) {
	u, err := s.parse(raw, f)
	if err != nil {
		return target{}, err
	}
	if err := s.scope(p, scopes...); err != nil {
		return target{}, err
	}
	return s.resolve(u)
}

// writable refuses writes to the file outside dev and test.
func (s *Service) writable(t target) error {
	if t.isFile() && !s.c.FileWrites {
		return fault.Coded(fault.Forbidden, "YAML_WRITES_DISABLED", "the file is read-only in this environment")
	}
	return nil
}

// needVersions and needMetadata refuse what the back end does not declare.
func needVersions(t target) error {
	if !t.back.Can.Versions {
		return unsupported("the back end keeps no versions")
	}
	return nil
}

func needMetadata(t target) error {
	if !t.back.Can.Metadata {
		return unsupported("the back end keeps no metadata")
	}
	return nil
}

func needList(t target) error {
	if !t.back.Can.List {
		return unsupported("the back end cannot list")
	}
	return nil
}

// needMatch refuses a precondition that the back end could not check in the write:
// put says whether the operation is a single Put.
func needMatch(t target, m Match, put bool) error {
	if m.IsZero() || t.back.Can.Transactional || (put && t.back.Can.CAS) {
		return nil
	}
	return unsupported("the back end cannot check a precondition here")
}

// known says whether the key exists for the decision: a write to it is an update.
func (s *Service) known(ctx context.Context, t target) (bool, error) {
	var err error
	if t.back.Can.Metadata {
		_, err = t.back.Store.Meta(ctx, t.ref)
	} else {
		_, err = t.back.Store.Get(ctx, t.ref, 0)
	}
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fault.NotFound):
		return false, nil
	}
	return false, s.coded(err, false)
}

// attributes reads what an external decider wants to know of the record.
func attributes(t target) func(context.Context) (policy.Attributes, error) {
	if !t.back.Can.Metadata {
		return nil
	}
	return func(ctx context.Context) (policy.Attributes, error) {
		m, err := t.back.Store.Meta(ctx, t.ref)
		return policy.Attributes{
			Owner: m.Custom[customOwner], CreatedBy: m.Custom[customCreatedBy], CreatedAt: m.Custom[customCreatedAt],
		}, err
	}
}
