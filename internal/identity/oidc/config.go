package oidc

import (
	"crypto/tls"
	"io"
	"log/slog"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Defaults of Config.
const (
	DefaultAudience    = "crud.secrets"
	DefaultRolesClaim  = "realm_access.roles"
	DefaultGroupsClaim = "groups"
	DefaultLeeway      = 60 * time.Second
	DefaultProofWindow = 300 * time.Second
	DefaultCacheSize   = 100_000
	DefaultReplaySize  = 500_000
)

// Config is what an Authenticator trusts. Fields that are left empty take the
// defaults above; the zero Config trusts nobody.
type Config struct {
	// Issuers are the issuers whose JWTs are believed.
	Issuers []Issuer
	// Introspection asks an authorization server about opaque tokens; nil refuses them.
	Introspection *Introspection
	// Tenant is the tenant of every Principal made here.
	Tenant string
	// Audience must be among the `aud` of every token that has one.
	Audience string
	// RolesClaim is the dotted path of the claim that lists roles.
	RolesClaim string
	// GroupsClaim is the dotted path of the claim that lists groups.
	GroupsClaim string
	// Leeway is how far the issuer's clock may be off, for exp, nbf and iat.
	Leeway time.Duration
	// AcceptCertificates lets a client certificate without any token be a caller.
	AcceptCertificates bool
	// ReuseProofs lets a DPoP proof be used again within its window, for deployments
	// that look for replays elsewhere or not at all.
	ReuseProofs bool
	// ProofWindow is how long a DPoP proof is fresh and remembered as used.
	ProofWindow time.Duration
	// Replay remembers used proofs; nil remembers them in this process alone.
	Replay ReplayMemory
	// ReplaySize bounds the number of proofs remembered when Replay is nil.
	ReplaySize int
	// CacheSize bounds the number of verified tokens remembered.
	CacheSize int
	// Clock tells the time; nil is time.Now.
	Clock func() time.Time
	// Random feeds the key of the token memory; nil is crypto/rand.
	Random io.Reader
	// Log hears of key sets that could not be refreshed while older keys still serve;
	// nil hears nothing.
	Log *slog.Logger
}

// Issuer is one OpenID Connect issuer that is believed.
type Issuer struct {
	// URL is compared exactly with the `iss` of tokens, and is where the discovery
	// document is looked for when neither JWKSURL nor Keys is given.
	URL string
	// Alias names the issuer inside subjects: lower-case letters, digits, dot, dash
	// and underscore, unique, and not x509.
	Alias string
	// JWKSURL is where the keys are, when discovery is not wanted.
	JWKSURL string
	// Keys are the issuer's keys, when they are known without asking; nothing is
	// fetched then.
	Keys *jose.JSONWebKeySet
	// Audiences replace Config.Audience for the tokens of this issuer.
	Audiences []string
	// Algorithms are the signature algorithms accepted; empty accepts RS, PS and ES
	// with 256, 384 and 512, and EdDSA.
	Algorithms []string
	// Reach says how the issuer is called.
	Reach Reach
}

// Reach says how a server outside is called. Redirects are never followed and proxies
// never used, because either would lead around the check of the dialled address.
type Reach struct {
	// AllowPrivate admits plain http, and addresses that are loopback, private,
	// link-local or otherwise not of the public Internet.
	AllowPrivate bool
	// TLS gives further roots and client certificates; nil takes the system's roots.
	TLS *tls.Config
	// Timeout bounds one call; 0 is 5 s.
	Timeout time.Duration
}

// Introspection is an RFC 7662 endpoint.
type Introspection struct {
	// Endpoint is the URL that tokens are posted to.
	Endpoint string
	// Alias names the server inside subjects. It may be the alias of an issuer, and then
	// says that both know the same accounts.
	Alias string
	// Issuer is what `iss` of an answer must be, if it is there; empty takes any.
	Issuer string
	// ClientID and SecretFile authenticate us by HTTP Basic; the file is read at each
	// call, so that a rotated secret is found. Without ClientID, Reach.TLS must carry
	// a client certificate.
	ClientID   string
	SecretFile string
	// Audiences replace Config.Audience for tokens that this server vouches for.
	Audiences []string
	// Reach says how the server is called.
	Reach Reach
}

// Rules are what one door asks of a token beyond being genuine.
type Rules struct {
	// Audiences are those of which a token with `aud` must name one. They replace
	// those of the configuration; empty refuses every token with an `aud`.
	Audiences []string
	// AnyAudience accepts whatever `aud` says, for doors whose contract knows none.
	AnyAudience bool
	// ExpiryLeeway is how long after `exp` a token is still accepted, up to the leeway
	// of the configuration.
	ExpiryLeeway time.Duration
}
