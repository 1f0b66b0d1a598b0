package oidc

import (
	"context"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// verifySigned verifies a JWT that claims to be of an issuer. What the token says of
// itself picks the issuer and the key, and nothing more is believed before the signature
// holds.
func (a *Authenticator) verifySigned(ctx context.Context, c compact, from *issuer) (*verified, error) {
	// A token of another purpose (RFC 8725 section 3.11), such as a DPoP proof or a
	// logout token, says so in its header.
	if !slices.Contains([]string{"", "jwt", "at+jwt"}, c.typ) {
		return nil, refuse("token is no access token by its typ")
	}
	if !slices.Contains(from.algorithms, c.alg) {
		return nil, refuse("token has an algorithm that is not allowed")
	}
	k, err := from.keys.find(ctx, c.kid, c.alg)
	if err != nil {
		return nil, err
	}
	if k == nil || !c.signedBy(k.public) {
		return nil, refuse("token is not signed by a key of its issuer")
	}
	return a.readSigned(c, from, k)
}

// readSigned reads what a token of good signature says.
func (a *Authenticator) readSigned(c compact, from *issuer, k *key) (*verified, error) {
	now := a.config.Clock()
	exp, reason := checkTimes(c.claims, now, a.config.Leeway, true)
	if reason != "" {
		return nil, refuse(reason)
	}
	principal, bound, reason := a.readPrincipal(c.claims, from.alias)
	if reason != "" {
		return nil, refuse(reason)
	}
	principal.Expires = exp
	return &verified{
		principal: principal, binding: bound, audiences: from.audiences, key: k,
		until: earliest(now.Add(maxCached), exp.Add(a.config.Leeway), exp),
	}, nil
}

// signedBy verifies the signature by a key that fits the algorithm.
func (c compact) signedBy(public any) bool {
	parsed, err := jose.ParseSignedCompact(c.raw, []jose.SignatureAlgorithm{c.alg})
	if err != nil {
		return false
	}
	_, err = parsed.Verify(public)
	return err == nil
}
