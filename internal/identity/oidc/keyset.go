package oidc

import (
	"encoding/json"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const maxKeys = 100 // keys of one set that are read

// errNoKeys says that a configured set holds no key that could verify a token.
var errNoKeys = errors.New("the key set holds no usable key")

// key is one public key of an issuer. A key that a refresh finds again stays the same
// pointer, so that whatever was verified by it can ask whether it is still there.
type key struct {
	kid        string
	alg        string // "" when the set leaves it to the key's type
	thumbprint string
	public     any
	gone       atomic.Bool
}

func (k *key) equal(other *key) bool {
	return k.kid == other.kid && k.alg == other.alg && k.thumbprint == other.thumbprint
}

// keySet is what an issuer's document said at one time.
type keySet struct {
	keys    []*key
	staleAt time.Time
}

// find gives the key that a token names, or the only one that fits when it names none.
func (s *keySet) find(kid string, alg jose.SignatureAlgorithm) *key {
	var found []*key
	for _, k := range s.keys {
		if (kid == "" || k.kid == kid) && (k.alg == "" || k.alg == string(alg)) && fits(k.public, alg) {
			found = append(found, k)
		}
	}
	if len(found) != 1 {
		return nil
	}
	return found[0]
}

// knows says whether a key of that name is there, usable for the token or not.
func (s *keySet) knows(kid string) bool {
	return slices.ContainsFunc(s.keys, func(k *key) bool { return kid == "" || k.kid == kid })
}

// parseKeys reads a JWKS document. As RFC 7517 section 5 asks, keys that cannot be used
// are passed over. A document without any is believed too: it is how an issuer withdraws
// all its keys.
func parseKeys(body []byte) ([]*key, error) {
	document := decodeObject(body)
	var raw []json.RawMessage
	if document == nil || json.Unmarshal(document["keys"], &raw) != nil {
		return nil, errors.New("the key set is malformed")
	}
	var keys []*key
	for _, member := range raw[:min(len(raw), maxKeys)] {
		if verifies(member) {
			var jwk jose.JSONWebKey
			if json.Unmarshal(member, &jwk) == nil {
				keys = appendKey(keys, jwk)
			}
		}
	}
	return keys, nil
}

// verifies says whether a JWK is for verification by its `key_ops`, which go-jose does
// not read; RFC 7517 section 4.3.
func verifies(member json.RawMessage) bool {
	var o object
	if json.Unmarshal(member, &o) != nil {
		return false
	}
	raw, present := o["key_ops"]
	if !present {
		return true
	}
	var ops []string
	return json.Unmarshal(raw, &ops) == nil && slices.Contains(ops, "verify")
}

// fromJWKS takes the keys that a configuration gives directly.
func fromJWKS(set *jose.JSONWebKeySet) ([]*key, error) {
	var keys []*key
	for _, jwk := range set.Keys {
		keys = appendKey(keys, jwk)
	}
	if len(keys) == 0 {
		return nil, errNoKeys
	}
	return keys, nil
}

func appendKey(keys []*key, jwk jose.JSONWebKey) []*key {
	if !jwk.Valid() || !jwk.IsPublic() || jwk.Use != "" && jwk.Use != "sig" || algorithmsOf(jwk.Key) == nil {
		return keys
	}
	thumbprint, ok := thumbprintOf(jwk)
	if !ok {
		return keys
	}
	k := &key{kid: jwk.KeyID, alg: jwk.Algorithm, thumbprint: thumbprint, public: jwk.Key}
	if slices.ContainsFunc(keys, k.equal) {
		return keys // given twice, it is still the only one of its name
	}
	return append(keys, k)
}

// replace gives the set that follows s: keys that are in both stay the pointers they
// were, keys that are no longer there are marked gone.
func (s *keySet) replace(fresh []*key, staleAt time.Time) *keySet {
	next := &keySet{keys: fresh, staleAt: staleAt}
	if s == nil {
		return next
	}
	for _, old := range s.keys {
		i := slices.IndexFunc(fresh, old.equal)
		if i < 0 {
			old.gone.Store(true)
			continue
		}
		fresh[i] = old
	}
	return next
}
