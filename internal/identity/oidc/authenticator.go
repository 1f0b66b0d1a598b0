package oidc

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
)

// reservedToken was a back door of services like this one; it is nobody's token here.
const reservedToken = "internal"

// Authenticator verifies the credentials of callers; it implements
// identity.Authenticator and may be used concurrently. The Principals it gives share
// their lists with its memory: they are to be read, not changed.
type Authenticator struct {
	config       Config
	issuers      map[string]*issuer
	introspector *introspector
	tokens       *tokenCache
}

// issuer is one that is believed.
type issuer struct {
	alias      string
	audiences  []string // empty: the configuration's
	algorithms []jose.SignatureAlgorithm
	keys       keySource
}

// New builds an Authenticator, or says in one fault of kind Invalid all that is wrong
// with the configuration. It calls nobody: an issuer that is away is asked again when
// it is needed.
func New(config Config) (*Authenticator, error) {
	config = config.withDefaults()
	if err := config.check(); err != nil {
		return nil, err
	}
	tokens, err := newTokenCache(config.CacheSize, config.Random)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "preparing the memory of tokens")
	}
	a := &Authenticator{config: config, issuers: map[string]*issuer{}, tokens: tokens}
	if config.Introspection != nil {
		a.introspector = newIntrospector(*config.Introspection)
	}
	for _, i := range config.Issuers {
		keys, err := i.source(config)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "reading the keys of issuer %s", i.Alias)
		}
		a.issuers[i.URL] = &issuer{alias: i.Alias, audiences: i.Audiences, algorithms: i.allowed(), keys: keys}
	}
	return a, nil
}

func (c Config) withDefaults() Config {
	setDefault(&c.Audience, DefaultAudience)
	setDefault(&c.RolesClaim, DefaultRolesClaim)
	setDefault(&c.GroupsClaim, DefaultGroupsClaim)
	setDefault(&c.Leeway, DefaultLeeway)
	setDefault(&c.ProofWindow, DefaultProofWindow)
	setDefault(&c.ReplaySize, DefaultReplaySize)
	setDefault(&c.CacheSize, DefaultCacheSize)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Replay == nil {
		c.Replay = newProcessReplay(c.ReplaySize, c.Clock)
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Ready says whether the keys of every issuer are at hand, and fetches them when they
// are not. The error is Unavailable.
func (a *Authenticator) Ready(ctx context.Context) error {
	for _, i := range a.issuers {
		if err := i.keys.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Authenticate verifies by the configuration's own audience and leeway. A token comes
// before a session, and either before a certificate; one that fails is never made good
// by another. It is to be called once for a request, because it uses its proof up. Errors are those of identity.Authenticator, or of kind Timeout when the
// caller stops waiting.
func (a *Authenticator) Authenticate(ctx context.Context, c identity.Credentials) (identity.Principal, error) {
	return a.authenticate(ctx, c, nil)
}

// For is an authenticator by other rules that shares the keys and the memories of this
// one.
func (a *Authenticator) For(rules Rules) identity.Authenticator { return view{of: a, rules: rules} }

type view struct {
	of    *Authenticator
	rules Rules
}

// Authenticate is Authenticator.Authenticate by the rules of the view.
func (v view) Authenticate(ctx context.Context, c identity.Credentials) (identity.Principal, error) {
	return v.of.authenticate(ctx, c, &v.rules)
}

// authenticate goes by the configuration when rules is nil.
func (a *Authenticator) authenticate(
	ctx context.Context, c identity.Credentials, rules *Rules,
) (identity.Principal, error) {
	token := c.Bearer
	if token == "" {
		token = c.Session
	}
	if token == "" {
		return a.byCertificate(c)
	}
	v, err := a.verify(ctx, token)
	if err != nil {
		return identity.Principal{}, err
	}
	if rules == nil {
		rules = a.ownRules(v)
	}
	if err := rules.check(v.principal, a.config.Clock()); err != nil {
		return identity.Principal{}, err
	}
	if c.Bearer == "" {
		if err := checkCSRF(c); err != nil {
			return identity.Principal{}, err
		}
	}
	if err := a.checkBinding(ctx, c, token, v.binding); err != nil {
		return identity.Principal{}, err
	}
	return v.principal, nil
}

// ownRules are the configuration's for a token, whose issuer may have its own audiences.
func (a *Authenticator) ownRules(v *verified) *Rules {
	audiences := v.audiences
	if len(audiences) == 0 {
		audiences = []string{a.config.Audience}
	}
	return &Rules{Audiences: audiences, ExpiryLeeway: a.config.Leeway}
}

// check holds a genuine token to what the door asks.
func (r *Rules) check(p identity.Principal, now time.Time) error {
	if !p.Expires.IsZero() && !now.Before(p.Expires.Add(r.ExpiryLeeway)) {
		return refuse("token has expired")
	}
	named := func(audience string) bool { return slices.Contains(r.Audiences, audience) }
	if p.Audience != nil && !r.AnyAudience && !slices.ContainsFunc(p.Audience, named) {
		return fault.Coded(fault.Forbidden, identity.CodeAudience, "the token is for another audience")
	}
	return nil
}

// verify says what a token says, from memory or by its signature or by asking. Nothing
// is remembered of a token that fails.
func (a *Authenticator) verify(ctx context.Context, token string) (*verified, error) {
	if token == reservedToken {
		return nil, refuse("token is the reserved word")
	}
	if len(token) > maxToken {
		return nil, refuse("token is too large")
	}
	id := a.tokens.id(token)
	if v := a.tokens.get(id, a.config.Clock()); v != nil {
		return v, nil
	}
	v, err := a.examine(ctx, id, token)
	if err != nil {
		return nil, err
	}
	a.tokens.put(id, v)
	return v, nil
}

// examine verifies the tokens of our issuers here, and asks the authorization server,
// if there is one, about all others, whatever their form.
func (a *Authenticator) examine(ctx context.Context, id [32]byte, token string) (*verified, error) {
	c, reason := parseCompact(token, maxToken)
	if reason == "" {
		iss, _ := c.claims.text("iss")
		if from := a.issuers[iss]; from != nil {
			return a.verifySigned(ctx, c, from)
		}
		reason = "token is of an unknown issuer"
	}
	if a.introspector == nil {
		return nil, refuse(reason)
	}
	return a.introspect(ctx, id, token)
}

// byCertificate makes a caller of a client certificate that came without a token.
func (a *Authenticator) byCertificate(c identity.Credentials) (identity.Principal, error) {
	now := a.config.Clock()
	switch {
	case c.Client == nil:
		return identity.Principal{}, refuse("no credentials")
	case !a.config.AcceptCertificates:
		return identity.Principal{}, refuse("client certificate without a token")
	case now.Before(c.Client.NotBefore) || now.After(c.Client.NotAfter):
		return identity.Principal{}, refuse("client certificate is not valid now")
	}
	thumbprint := identity.Thumbprint(c.Client)
	name := identity.CertificateAlias + ":sha256:" + thumbprint
	return identity.Principal{
		Tenant:  a.config.Tenant,
		Subject: identity.CertificateSubject(thumbprint),
		ID:      name,
		Name:    name,
		Expires: c.Client.NotAfter,
		Binding: identity.Binding{Thumbprint: thumbprint},
	}, nil
}
