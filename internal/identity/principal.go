package identity

import (
	"slices"
	"time"
)

// Principal is a caller, verified. The zero Principal is nobody and may nothing.
type Principal struct {
	Tenant   string
	Subject  string   // auth:account:<idp alias>:<sub>, auth:account:x509:sha256:<thumbprint>, service:<name> or "anonymous"
	ID       string   // the issuer's own sub
	Name     string   // preferred_username, else name, else ID
	Groups   []string // claim texts, verbatim and in order; "" in the place of what is no text
	Roles    []string
	Scopes   []string
	Issuer   string
	ClientID string
	Audience []string  // nil only when the token names none at all
	TokenID  string    // jti
	Expires  time.Time // zero: never
	Binding  Binding   // what the token is bound to and was proven
	Act      string    // the actor of a delegated token (RFC 8693), or ""
}

// Binding is the proof of possession that came with a token (RFC 9449, RFC 8705).
type Binding struct {
	JKT        string // DPoP key thumbprint
	Thumbprint string // x5t#S256 of the client certificate
}

// String is the binding as grants compare it: empty when unbound.
func (b Binding) String() string {
	switch {
	case b.JKT != "":
		return "jkt:" + b.JKT
	case b.Thumbprint != "":
		return "x5t#S256:" + b.Thumbprint
	}
	return ""
}

// AnonymousSubject is the subject of a caller when authentication is off.
const AnonymousSubject = "anonymous"

// Anonymous is the caller when authentication is off.
func Anonymous(tenant string) Principal {
	return Principal{Tenant: tenant, Subject: AnonymousSubject, Groups: []string{AnonymousSubject}}
}

// IsAnonymous says whether nobody authenticated.
func (p Principal) IsAnonymous() bool { return p.Subject == AnonymousSubject }

// HasRole says whether the caller's token carries the role.
func (p Principal) HasRole(role string) bool { return slices.Contains(p.Roles, role) }

// HasScope says whether the caller's token carries the scope.
func (p Principal) HasScope(scope string) bool { return slices.Contains(p.Scopes, scope) }
