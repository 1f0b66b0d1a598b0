package tenants

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
)

// BootstrapPolicy is a policy of the configuration.
type BootstrapPolicy struct{ Name, Text string }

// BootstrapGroup is an external group of the configuration.
type BootstrapGroup struct {
	Name     string
	Alias    string // the claim text; "" takes the name
	Policies []string
}

// Bootstrap creates what the configuration lists and is absent. It never overwrites
// or removes anything: what administrators changed stays changed. Several members
// may do it at once. What cannot be created does not hinder the rest; the error joins
// all that went wrong.
func (s *Service) Bootstrap(ctx context.Context, p identity.Principal, policies []BootstrapPolicy, groups []BootstrapGroup) error {
	var failed []error
	note := func(what string, i int, err error) {
		if err != nil && !errors.Is(err, fault.Exists) {
			failed = append(failed, fmt.Errorf("bootstrap %s %d: %w", what, i+1, err))
		}
	}
	for i, b := range policies {
		_, _, err := s.PutPolicy(ctx, p, Call{}, b.Name, b.Text, Create)
		note("policy", i, err)
	}
	for i, b := range groups {
		alias := cmp.Or(b.Alias, b.Name)
		c := GroupChange{Name: b.Name, Type: External, Policies: b.Policies, Alias: &alias}
		_, _, err := s.PutGroup(ctx, p, Call{}, c, Create)
		note("group", i, err)
	}
	return errors.Join(failed...)
}
