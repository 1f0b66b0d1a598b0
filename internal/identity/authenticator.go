package identity

import (
	"context"
	"crypto/x509"
)

// Credentials are what a door found on the wire, unverified. They print as nothing
// but their presence.
type Credentials struct {
	Bearer     string            // of Authorization: Bearer or DPoP
	Session    string            // value of the session cookie
	CSRFHeader string            // X-CSRF-Token
	CSRFCookie string            // _eid_csrf_v1
	Mutation   bool              // the request changes state: sessions then need the CSRF pair
	Proof      string            // DPoP header
	Method     string            // of the request, for DPoP's htm
	URL        string            // scheme://host/path of the request, for DPoP's htu
	Client     *x509.Certificate // verified client certificate, direct or from a trusted proxy
}

// HasProof says whether a proof of possession came along, which can be shown once only.
func (c Credentials) HasProof() bool { return c.Proof != "" }

// String hides the credentials.
func (Credentials) String() string { return "[credentials]" }

// GoString hides the credentials from %#v.
func (Credentials) GoString() string { return "[credentials]" }

// Codes of the faults that an Authenticator makes, each Unauthenticated or Forbidden.
const (
	CodeUnauthenticated = "UNAUTHENTICATED"
	CodeBinding         = "SENDER_BINDING_MISMATCH"
	CodeCSRF            = "CSRF_FAILED"
	CodeAudience        = "AUDIENCE" // Forbidden: the token is for somebody else
	CodeReplay          = "REPLAY"   // Forbidden: the proof was used before
)

// Authenticator verifies credentials. Failures are faults of kind Unauthenticated
// or Forbidden with one of the codes above, Unavailable when the issuer's keys or
// another thing needed cannot be had, or Timeout when ctx ends first. It is called once
// for a request, because it uses a DPoP proof up, and may be called concurrently. The
// lists of the Principal are to be read, not changed.
type Authenticator interface {
	Authenticate(ctx context.Context, c Credentials) (Principal, error)
}
