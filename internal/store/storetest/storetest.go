package storetest

import (
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/secret"
)

// Instance is one fresh, empty store together with what the suite may do to it.
type Instance struct {
	// Store is the back end under test; it holds nothing below Tenant and MountName.
	Store secret.Store
	// Can is what the back end declares; a verb outside it must answer Unsupported.
	Can secret.Capabilities
	// Tenant owns the records of the suite; empty means "a".
	Tenant string
	// MountName is a mount that exists; empty means "secret".
	MountName string
	// AnotherTenant says that the store keeps tenants apart, so that the suite may
	// write as tenant "ab" besides Tenant.
	AnotherTenant bool
	// Float64Numbers says that numbers are kept as float64: a number whose numeric
	// value would change must then be refused as Invalid. Unset, literals survive.
	Float64Numbers bool
	// Mount replaces the settings of the mount; nil skips the cases that need it.
	Mount func(secret.MountSettings)
	// Advance moves the store's clock forward; nil means that it is the wall clock,
	// so that cases about expiry wait.
	Advance func(time.Duration)
	// Keys lists whatever the store has written, in any form; nil skips the check
	// that a refused request stored nothing.
	Keys func() []string
}

// Factory opens a fresh store for one case and registers its clean-up with t.
type Factory func(t *testing.T) Instance

// Run holds the store that open gives to every case that applies to its declared
// capabilities, each on a fresh instance. A case that cannot be run (an undeclared
// capability, a missing hook) is skipped and says why.
func Run(t *testing.T, open Factory) {
	t.Helper()
	for _, group := range [][]conformance{
		versionCases(), casCases(), settingsCases(), metadataCases(),
		listCases(), valueCases(), capabilityCases(), machineCases(),
	} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				e := newEnv(t, open(t))
				if reason := c.needs.unmet(e.Instance); reason != "" {
					t.Skip("does not apply: " + reason)
				}
				c.run(e)
			})
		}
	}
}

// conformance is one case: its name begins with its number.
type conformance struct {
	name  string
	needs need
	run   func(*env)
}

// need is what a case requires of an instance.
type need struct {
	versions, metadata, list, cas bool
	plain                         bool // a store without versions
	mount, advance, tenants       bool
}

func (n need) unmet(i Instance) string {
	for _, r := range []struct {
		wanted, have bool
		reason       string
	}{
		{n.versions, i.Can.Versions, "versions are not declared"},
		{n.plain, !i.Can.Versions, "versions are declared"},
		{n.metadata, i.Can.Metadata, "metadata is not declared"},
		{n.list, i.Can.List, "list is not declared"},
		{n.cas, i.Can.CAS, "check-and-set is not declared"},
		{n.mount, i.Mount != nil, "mount settings cannot be changed"},
		{n.advance, i.Advance != nil, "the clock cannot be moved"},
		{n.tenants, i.AnotherTenant, "the store serves one tenant"},
	} {
		if r.wanted && !r.have {
			return r.reason
		}
	}
	return ""
}
