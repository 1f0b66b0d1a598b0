package vaulttest

import (
	"context"
	"io"
	"time"

	"github.com/coffer-dev/coffer/internal/secret"
)

// Config says what a Handler serves.
type Config struct {
	// Store keeps the secrets; required.
	Store secret.Store
	// Tenant is the tenant of every record that the handler touches; required.
	Tenant string
	// Mounts are the KV v2 mounts, one segment each; none means "secret".
	Mounts []string
	// Settings reads and changes mount settings; nil: all mounts have defaults and
	// a change answers 405.
	Settings Settings
	// Tokens are the tokens that exist from the start, by their text.
	Tokens map[string]Token
	// AppRoles may log in at auth/approle.
	AppRoles []AppRole
	// Policies answers policy endpoints and decides for tokens that are not root;
	// nil: those endpoints are unknown and only root tokens may do anything.
	Policies Policies
	// Groups answers identity endpoints; nil: they are unknown.
	Groups Groups
	// HashiCorp leaves out what HashiCorp Vault lacks: SCAN, detailed metadata,
	// metadata_cas and paged listings.
	HashiCorp bool
	// Float64 keeps numbers as float64, as the servers do; unset, a number keeps the
	// literal it came with, as stores of ours do.
	Float64 bool
	// Clock tells the time; nil means time.Now.
	Clock func() time.Time
	// Random feeds ids and tokens and must be safe for concurrent use; nil means
	// crypto/rand.
	Random io.Reader
}

// RootPolicy is the policy of a token that may do everything.
const RootPolicy = "root"

// Token is what a token may do and for how long.
type Token struct {
	Policies  []string      // without "default", which every token has
	TTL       time.Duration // 0: never expires
	Renewable bool
}

// AppRole is one pair of credentials and the token that a login with it gives.
type AppRole struct {
	RoleID, SecretID string
	Token            Token
}

// Settings keeps the settings of mounts. Both methods may be called concurrently.
type Settings interface {
	Mount(ctx context.Context, tenant, mount string) (secret.MountSettings, error)
	SetMount(ctx context.Context, tenant, mount string, s secret.MountSettings) error
}

// Policy is one ACL policy as it was written.
type Policy struct {
	Name     string
	Text     string // HCL or JSON
	Version  int64  // counts writes, from 1
	Modified time.Time
}

// Policies keeps and evaluates ACL policies. Names come trimmed and in lower case,
// and never "root". All methods may be called concurrently.
type Policies interface {
	// PutPolicy writes a policy; a text that cannot be enforced whole is Invalid
	// with the detail "failed to parse policy: …".
	PutPolicy(ctx context.Context, name, text string) error
	// Policy reads one; NotFound when there is none.
	Policy(ctx context.Context, name string) (Policy, error)
	// PolicyNames lists all, in any order.
	PolicyNames(ctx context.Context) ([]string, error)
	// DeletePolicy removes one; an unknown one is no error.
	DeletePolicy(ctx context.Context, name string) error
	// Capabilities says what the named policies together allow on an API path
	// without "/v1/"; none is an empty list or ["deny"].
	Capabilities(ctx context.Context, policies []string, path string) ([]string, error)
}

// Alias ties an external group to a claim of a login mount.
type Alias struct {
	ID            string
	Name          string // the exact claim text
	MountAccessor string
	GroupID       string
	Created       time.Time
	Updated       time.Time
}

// Group is one identity group.
type Group struct {
	ID       string
	Name     string
	Type     string // "internal" or "external"
	Policies []string
	Metadata map[string]string
	Entities []string // member entity ids, internal groups only
	Children []string // member group ids, internal groups only
	Parents  []string // ids of groups that hold this one
	Alias    *Alias   // external groups only
	Created  time.Time
	Updated  time.Time
	Revision int64 // counts changes, from 1
}

// GroupKey finds one group by id, or by name when ID is empty.
type GroupKey struct{ ID, Name string }

// Groups keeps identity groups. All methods may be called concurrently.
type Groups interface {
	// PutGroup creates the group, or replaces the one of that ID, or of that name
	// when ID is empty. It returns the stored group and whether it is new. Invalid
	// refuses a field, NotFound says that a member does not exist.
	PutGroup(ctx context.Context, g Group) (stored Group, created bool, err error)
	// Group reads one; NotFound when there is none.
	Group(ctx context.Context, key GroupKey) (Group, error)
	// AllGroups lists all, in any order.
	AllGroups(ctx context.Context) ([]Group, error)
	// DeleteGroup removes one; an unknown one is no error.
	DeleteGroup(ctx context.Context, key GroupKey) error
	// PutAlias gives an external group its one alias; Invalid or Exists refuses it
	// with the text that the caller sees.
	PutAlias(ctx context.Context, a Alias) (Alias, error)
}
