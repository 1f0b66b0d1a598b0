package tenants

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/policy/acl"
)

// Names of the built-in policies. Root is never assignable; Default applies to every
// caller and grants nothing until somebody writes it.
const (
	Root    = "root"
	Default = "default"
)

const defaultText = "# Every caller holds this policy. It grants no access to any secret.\n"

// PutPolicy writes a policy under its name, trimmed and lower-cased, and says whether
// it is new. Only administrators may. Invalid: an illegal name, an empty text, a text
// that does not parse, the name root, and default for everybody but System.
func (s *Service) PutPolicy(ctx context.Context, p identity.Principal, call Call, name, text string, mode Mode) (Policy, bool, error) {
	name, legal := PolicyName(name)
	r, err := s.administer(ctx, p, call, deed{PolicyUpdated, policy.Write, uriOf(TopicPolicies, name)})
	if err != nil {
		return Policy{}, false, err
	}
	if err := checkPolicy(p, name, text, legal); err != nil {
		return Policy{}, false, err
	}
	var after Policy
	var created bool
	err = s.change(ctx, r, func(u *unit) error {
		before, err := find[Policy](u, kindPolicy, name)
		if err != nil {
			return err
		}
		created = before == nil
		if err := expect(mode, !created, "policy"); err != nil {
			return err
		}
		after, err = u.setPolicy(before, Policy{Name: name, Text: text})
		return err
	})
	return after, created, err
}

func checkPolicy(p identity.Principal, name, text string, legal bool) error {
	switch {
	case !legal:
		return fault.New(fault.Invalid, "policy name is not legal")
	case name == Root, name == Default && !isSystem(p):
		return fault.New(fault.Invalid, "cannot update %q policy", name)
	case strings.TrimSpace(text) == "":
		return fault.New(fault.Invalid, "'policy' parameter not supplied or empty")
	}
	_, err := acl.Parse(name, text)
	return err
}

// expect holds a write to its mode.
func expect(mode Mode, exists bool, what string) error {
	switch {
	case mode == Create && exists:
		return fault.New(fault.Exists, "a %s of that name exists", what)
	case mode == Replace && !exists:
		return fault.New(fault.NotFound, "no such %s", what)
	}
	return nil
}

// GetPolicy reads one policy; the built-in ones are always there. Only
// administrators may. NotFound also for names that no policy can have.
func (s *Service) GetPolicy(ctx context.Context, p identity.Principal, name string) (Policy, error) {
	name, legal := PolicyName(name)
	if _, err := s.administer(ctx, p, Call{}, deed{PolicyRead, policy.ReadMetadata, uriOf(TopicPolicies, name)}); err != nil {
		return Policy{}, err
	}
	if !legal {
		return Policy{}, fault.New(fault.NotFound, "no such policy")
	}
	r, ok, err := s.c.Ledger.Get(ctx, s.key(kindPolicy, name))
	switch {
	case err != nil:
		return Policy{}, err
	case ok:
		stored, err := decode[Policy](r)
		if err != nil {
			return Policy{}, err
		}
		return *stored, nil
	case name == Root:
		return Policy{Name: Root}, nil
	case name == Default:
		return Policy{Name: Default, Text: defaultText}, nil
	}
	return Policy{}, fault.New(fault.NotFound, "no such policy")
}

// ListPolicies names all policies, the built-in ones included, sorted. Only
// administrators may.
func (s *Service) ListPolicies(ctx context.Context, p identity.Principal) ([]string, error) {
	if _, err := s.administer(ctx, p, Call{}, deed{PolicyRead, policy.ReadMetadata, uriOf(TopicPolicies, "")}); err != nil {
		return nil, err
	}
	rules, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	names := slices.AppendSeq([]string{Root, Default}, maps.Keys(rules.policies))
	slices.Sort(names)
	return slices.Compact(names), nil
}

// DeletePolicy removes a policy; an absent one is no error. Groups that list it keep
// a name that grants nothing. Only administrators may. The built-in ones are Invalid.
func (s *Service) DeletePolicy(ctx context.Context, p identity.Principal, call Call, name string) error {
	name, legal := PolicyName(name)
	r, err := s.administer(ctx, p, call, deed{PolicyDeleted, policy.Delete, uriOf(TopicPolicies, name)})
	switch {
	case err != nil || !legal:
		return err
	case name == Default:
		return fault.New(fault.Invalid, "cannot delete default policy")
	case name == Root:
		return fault.New(fault.Invalid, "cannot delete %q policy", name)
	}
	return s.change(ctx, r, func(u *unit) error {
		before, err := find[Policy](u, kindPolicy, name)
		if err != nil || before == nil {
			return err
		}
		return u.dropPolicy(before)
	})
}
