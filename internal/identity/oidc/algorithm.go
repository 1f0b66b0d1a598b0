package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

const (
	minRSABits = 2048
	maxRSABits = 8192 // larger keys only make a stranger's signature expensive to check
)

// algorithms are all that can ever be allowed: no `none`, nothing symmetric.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
		jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

// fits says whether alg is one of the key's own type; the header of a token alone
// never decides how a key is used (RFC 8725 section 3.1).
func fits(key crypto.PublicKey, alg jose.SignatureAlgorithm) bool {
	return slices.Contains(algorithmsOf(key), alg)
}

// algorithmsOf gives nothing for a key that is too weak or of a type unknown here.
func algorithmsOf(key crypto.PublicKey) []jose.SignatureAlgorithm {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return nil
		}
		return algorithms()[:6]
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return []jose.SignatureAlgorithm{jose.ES256}
		case elliptic.P384():
			return []jose.SignatureAlgorithm{jose.ES384}
		case elliptic.P521():
			return []jose.SignatureAlgorithm{jose.ES512}
		}
	case ed25519.PublicKey:
		return []jose.SignatureAlgorithm{jose.EdDSA}
	}
	return nil
}
