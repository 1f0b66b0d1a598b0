package tenants

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/ledger"
)

// Limits of one tenant, as published.
const (
	MaxPolicies      = 10_000
	MaxGroups        = 10_000
	MaxGroupPolicies = 256
)

// Config is what the use case needs.
type Config struct {
	// Tenant is the one whose records these are; principals of another are refused.
	Tenant string
	// Ledger keeps policies, groups and the events of their changes.
	Ledger *ledger.Ledger
	// Audit takes the record of every change and refusal before it is answered.
	Audit audit.Sink
	// Refs names policies and groups in audit records and events.
	Refs audit.Refs
	// Nested says how a claim such as /org/team names a group; "" is NestedEncode.
	Nested Nested
	// Template is the policy that a new tenant gets.
	Template Template
	// AnonymousAll permits the anonymous caller everything: development only.
	AnonymousAll bool
	// MayAdminister says who administers; nil asks for the role admin.
	MayAdminister func(identity.Principal) bool
	// Now is the clock of records; nil is time.Now.
	Now func() time.Time
	// NewID makes UUIDs of records and decisions; nil makes random ones.
	NewID func() string
}

// RoleAdmin is the role that administers policies and groups by default. It grants
// no access to any value.
const RoleAdmin = "admin"

// Service does the operations. All methods may be called concurrently.
type Service struct {
	c       Config
	rules   atomic.Pointer[snapshot] // the newest rules in memory; nil at first
	loading sync.Mutex               // one load at a time
}

// New makes the service. It reads nothing until it is asked.
func New(c Config) *Service {
	if c.Nested == "" {
		c.Nested = NestedEncode
	}
	if c.MayAdminister == nil {
		c.MayAdminister = func(p identity.Principal) bool { return p.HasRole(RoleAdmin) }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.NewID == nil {
		c.NewID = uuid.NewString
	}
	return &Service{c: c}
}

// Call is what comes with every mutation beside its input.
type Call struct{ CorrelationID string }

// Mode says what a write expects to find.
type Mode uint8

// The modes of a write.
const (
	Upsert  Mode = iota // create or replace
	Create              // an existing object is Exists
	Replace             // an absent object is NotFound
)

// subjectSystem is no subject that an authenticator can make: those of people and
// services have a prefix.
const subjectSystem = "system"

// System is the caller of what the deployment itself does: bootstrap. It may also
// write the default policy, which no door lets anybody do.
func System(tenant string) identity.Principal {
	return identity.Principal{Tenant: tenant, Subject: subjectSystem, Roles: []string{RoleAdmin}}
}

func isSystem(p identity.Principal) bool { return p.Subject == subjectSystem }
