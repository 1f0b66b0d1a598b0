package config

import "time"

// Secrets is the canonical door.
type Secrets struct {
	RequireAuth    bool              `yaml:"require_auth" env:"SECRETS_API_REQUIRE_AUTH" default:"false" doc:"Require a bearer token or a session. prod refuses to start without it."`
	EnforceScopes  bool              `yaml:"enforce_scopes" env:"SECRETS_ENFORCE_SCOPES" default:"false" doc:"Require the OAuth scope of each operation."`
	Audience       string            `yaml:"audience" env:"SECRETS_AUDIENCE" default:"crud.secrets" doc:"Audience that a token must name when it names any."`
	DevEndpoints   string            `yaml:"dev_endpoints" env:"SECRETS_DEV_ENDPOINTS" oneof:"admin" doc:"admin opens the event and audit endpoints to role admin outside dev and test."`
	ResourceRef    string            `yaml:"resource_ref_format" env:"RESOURCE_REF_FORMAT" default:"base64url" oneof:"base64url hex16" doc:"How a secret is named in logs, events and audit records: 43 characters, or the first 16 hexadecimal digits."`
	PurposeMap     map[string]string `yaml:"purpose_map" env:"SECRETS_PURPOSE_MAP" default:"read=read,value=execute,copy=read" doc:"Purpose (read or execute) of GET /api/secrets (read), GET /api/secrets/value (value) and the source of a copy (copy)."`
	SchemeFallback bool              `yaml:"scheme_fallback" env:"SECRETS_SCHEME_FALLBACK" default:"true" doc:"openbao+kv2 and hashicorp+kv2 reach the embedded engine where no server is configured for them."`
}

// Identity says who may call.
type Identity struct {
	Issuers        []Issuer      `yaml:"issuers" doc:"Issuers whose JWTs are accepted. coffer dev adds its own."`
	RolesClaim     string        `yaml:"roles_claim" default:"realm_access.roles" doc:"Claim that lists roles; a dot descends."`
	GroupsClaim    string        `yaml:"groups_claim" default:"groups" doc:"Claim that lists groups; a dot descends."`
	SessionCookie  string        `yaml:"session_cookie" default:"bff_session" doc:"Cookie whose value is introspected as a session."`
	Introspection  Introspection `yaml:"introspection" doc:"RFC 7662 introspection of sessions and opaque tokens; off without an endpoint."`
	TrustedProxies []string      `yaml:"trusted_proxies" doc:"Addresses or networks (CIDR) whose X-Forwarded-Tls-Client-Cert is believed."`
}

// Issuer is one issuer of JWTs.
type Issuer struct {
	URL          string   `yaml:"url" doc:"Exact value of the iss claim; discovery starts here without jwks_url."`
	Alias        string   `yaml:"alias" doc:"Name of the issuer in subjects, auth:account:<alias>:<sub>."`
	JWKSURL      string   `yaml:"jwks_url" doc:"Where the keys are; found by discovery without it."`
	Audiences    []string `yaml:"audiences" doc:"Audiences accepted besides secrets.audience."`
	Algorithms   []string `yaml:"algorithms" default:"RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,ES512" doc:"Accepted signature algorithms; never none or HMAC."`
	AllowPrivate bool     `yaml:"allow_private" doc:"The issuer may be plain HTTP and at a private or loopback address."`
}

// Introspection is an RFC 7662 endpoint.
type Introspection struct {
	Endpoint   string `yaml:"endpoint" doc:"URL of the endpoint."`
	ClientID   string `yaml:"client_id" doc:"Client id of Coffer there."`
	SecretFile string `yaml:"secret_file" doc:"File with the client secret."`
}

// Policy says what callers may do.
type Policy struct {
	Bootstrap  Bootstrap  `yaml:"bootstrap" doc:"Created at start when absent, never overwritten or removed."`
	PDP        PDP        `yaml:"pdp" env:"PDP" doc:"External AuthZEN decision point; without a url the built-in decider decides."`
	Grants     Grants     `yaml:"grants" doc:"Grants of the external decision point."`
	AntiReplay AntiReplay `yaml:"anti_replay" env:"ANTI_REPLAY" doc:"Refusal of repeated proofs."`
}

// Bootstrap is what a new deployment starts with.
type Bootstrap struct {
	Policies []NamedPolicy `yaml:"policies" doc:"Policies. coffer dev adds the policy dev: everything on mount secret."`
	Groups   []Group       `yaml:"groups" doc:"External groups. coffer dev adds the group dev with the policy dev."`
}

// NamedPolicy is one ACL policy.
type NamedPolicy struct {
	Name string `yaml:"name" doc:"Name, in any case; neither root nor default."`
	HCL  string `yaml:"hcl" doc:"Rules in HCL or JSON."`
}

// Group is one external group.
type Group struct {
	Name     string   `yaml:"name" doc:"Name of the group."`
	Alias    string   `yaml:"alias" doc:"Exact text in the groups claim that makes a caller a member."`
	Policies []string `yaml:"policies" doc:"Names of the policies its members hold."`
}

// PDP is the external decision point.
type PDP struct {
	URL       string        `yaml:"url" doc:"Base URL of the decision point."`
	TokenFile string        `yaml:"token_file" doc:"File with the bearer token that Coffer shows there."`
	TLS       ClientTLS     `yaml:"tls" doc:"TLS towards the decision point."`
	Timeout   time.Duration `yaml:"timeout" default:"2s" min:"10ms" max:"30s" doc:"A decision that takes longer counts as unavailable."`
}

// Grants are permits that are remembered.
type Grants struct {
	TTL         time.Duration `yaml:"ttl" env:"GRANT_TTL_DEFAULT" default:"300s" min:"0s" doc:"Life of a grant when the decision point names none."`
	MaxUses     int           `yaml:"max_uses" env:"GRANT_MAX_USES_DEFAULT" default:"1" min:"1" doc:"Uses of a grant when the decision point names none."`
	NegativeTTL time.Duration `yaml:"negative_ttl" env:"NEGATIVE_CACHE_TTL_S" default:"5s" min:"0s" doc:"How long a refusal is repeated without asking again."`
}

// AntiReplay refuses repeated proofs.
type AntiReplay struct {
	Mode string        `yaml:"mode" default:"dpop" oneof:"dpop jti off" doc:"What may not repeat: the jti of a DPoP proof, or the jti of a token for one URI and purpose."`
	TTL  time.Duration `yaml:"ttl" env:"ANTI_REPLAY_TTL_S" default:"300s" min:"1s" doc:"How long a proof is remembered."`
}
