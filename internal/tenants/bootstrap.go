package tenants

import (
	"context"
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
// may do it at once.
func (s *Service) Bootstrap(ctx context.Context, p identity.Principal, policies []BootstrapPolicy, groups []BootstrapGroup) error {
	for _, b := range policies {
		_, _, err := s.PutPolicy(ctx, p, Call{}, b.Name, b.Text, Create)
		if err := unlessKind(err, fault.Exists); err != nil {
			return fmt.Errorf("bootstrap a policy: %w", err)
		}
	}
	for _, b := range groups {
		alias := b.Alias
		if alias == "" {
			alias = b.Name
		}
		c := GroupChange{Name: b.Name, Type: External, Policies: b.Policies, Alias: &alias}
		_, _, err := s.PutGroup(ctx, p, Call{}, c, Create)
		if err := unlessKind(err, fault.Exists); err != nil {
			return fmt.Errorf("bootstrap a group: %w", err)
		}
	}
	return nil
}
