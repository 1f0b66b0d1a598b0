package oidc

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
)

const maxProofID = 256 // bytes of the jti of a proof

// checkBinding holds the caller to every key that the token is bound to. It runs for
// each request, whether or not the token is remembered.
func (a *Authenticator) checkBinding(ctx context.Context, c identity.Credentials, token string, b binding) error {
	if b.x5t != "" && (c.Client == nil || !same(identity.Thumbprint(c.Client), b.x5t)) {
		return refuseBinding("client certificate is not the one of the token")
	}
	if b.jkt == "" {
		return nil
	}
	id, until, reason := a.checkProof(c, token, b.jkt)
	if reason != "" {
		return refuseBinding(reason)
	}
	if a.config.ReuseProofs {
		return nil
	}
	first, err := a.config.Replay.Use(ctx, id, until)
	var known *fault.Error
	switch {
	case errors.As(err, &known):
		return err
	case err != nil:
		return fault.Wrap(fault.Unavailable, err, "used proofs cannot be looked up")
	case !first:
		return fault.Coded(fault.Forbidden, identity.CodeReplay, "the proof was used before")
	}
	return nil
}

// checkProof verifies a DPoP proof (RFC 9449 section 4.3) and gives its name and the
// time until when it could be used again.
func (a *Authenticator) checkProof(c identity.Credentials, token, jkt string) (id [32]byte, until time.Time, reason string) {
	proof, reason := parseCompact(c.Proof, maxProof)
	if reason != "" {
		return id, until, "proof: " + reason
	}
	if reason := verifyProof(proof, jkt); reason != "" {
		return id, until, reason
	}
	htm, _ := proof.claims.text("htm")
	htu, _ := proof.claims.text("htu")
	ath, _ := proof.claims.text("ath")
	jti, _ := proof.claims.text("jti")
	sum := sha256.Sum256([]byte(token))
	iat, present, ok := proof.claims.instant("iat")
	now := a.config.Clock()
	switch {
	case htm == "" || htm != c.Method:
		return id, until, "proof is for another method"
	case !sameTarget(htu, c.URL):
		return id, until, "proof is for another address"
	case !same(ath, base64.RawURLEncoding.EncodeToString(sum[:])):
		return id, until, "proof is for another token"
	case jti == "" || len(jti) > maxProofID:
		return id, until, "proof has no usable jti"
	case !present || !ok || now.Sub(iat) >= a.config.ProofWindow || iat.Sub(now) > a.config.Leeway:
		return id, until, "proof is not fresh"
	}
	return sha256.Sum256([]byte(jkt + "." + jti)), iat.Add(a.config.ProofWindow), ""
}

// verifyProof checks that the proof is one and is signed by the key of that thumbprint.
func verifyProof(proof compact, jkt string) (reason string) {
	if proof.typ != "dpop+jwt" {
		return "proof is no proof by its typ"
	}
	raw, present := proof.header["jwk"]
	var jwk jose.JSONWebKey
	if !present || jwk.UnmarshalJSON(raw) != nil || !jwk.Valid() || !jwk.IsPublic() {
		return "proof has no usable key"
	}
	if !fits(jwk.Key, proof.alg) || jwk.Algorithm != "" && jwk.Algorithm != string(proof.alg) {
		return "proof has an algorithm that does not fit its key"
	}
	if thumbprint, ok := thumbprintOf(jwk); !ok || !same(thumbprint, jkt) {
		return "proof is by another key"
	}
	// This also refuses a key that came with its private part.
	if !proof.signedBy(jwk.Key) {
		return "proof has a wrong signature"
	}
	return ""
}

// sameTarget compares addresses without query and fragment, after the normalization of
// scheme, host and empty path (RFC 9449 section 4.3, RFC 3986 section 6.2).
func sameTarget(claimed, actual string) bool {
	one, ok := target(claimed)
	other, also := target(actual)
	return ok && also && one == other
}

func target(text string) (string, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil {
		return "", false
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname())
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return scheme + "://" + host + ":" + port + path, true
}

// thumbprintOf is the RFC 7638 thumbprint of a key.
func thumbprintOf(jwk jose.JSONWebKey) (string, bool) {
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", false
	}
	return base64.RawURLEncoding.EncodeToString(sum), true
}

// same compares in a time that does not tell how much of a guess was right.
func same(one, other string) bool {
	return subtle.ConstantTimeCompare([]byte(one), []byte(other)) == 1
}
