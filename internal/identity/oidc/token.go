package oidc

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/coffer-dev/coffer/internal/secret"
)

const (
	maxToken = 16 << 10 // bytes of a token
	maxProof = 8 << 10  // bytes of a DPoP proof
)

// object is a JSON object whose members are matched exactly, letter case included.
type object map[string]json.RawMessage

// compact is a compact JWS, taken apart and bounded, but not verified.
type compact struct {
	raw    string
	alg    jose.SignatureAlgorithm
	kid    string
	typ    string // lower case
	header object
	claims object
}

// parseCompact takes a compact JWS apart. Its reason says what is wrong, or is "".
func parseCompact(token string, limit int) (c compact, reason string) {
	if len(token) > limit {
		return c, "token is too large"
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(decodePart(parts[2])) == 0 {
		return c, "token has not three parts"
	}
	c.raw = token
	if c.header = decodeObject(decodePart(parts[0])); c.header == nil {
		return c, "token header is malformed"
	}
	if c.claims = decodeObject(decodePart(parts[1])); c.claims == nil {
		return c, "token claims are malformed"
	}
	// An extension that must be understood is not: there is none that we understand.
	for _, name := range []string{"crit", "b64", "zip"} {
		if _, present := c.header[name]; present {
			return c, "token header has an extension"
		}
	}
	alg, _ := c.header.text("alg")
	c.alg = jose.SignatureAlgorithm(alg)
	var ok bool
	if c.kid, ok = c.header.optionalText("kid"); !ok {
		return c, "token kid is not text"
	}
	if c.typ, ok = c.header.optionalText("typ"); !ok {
		return c, "token typ is not text"
	}
	c.typ = strings.TrimPrefix(strings.ToLower(c.typ), "application/")
	return c, ""
}

// decodePart decodes one part of a JWS, or gives nil. It is strict where go-jose is
// not, so that one token has one spelling: the decoder of encoding/base64 skips line
// ends and, unless told otherwise, unused bits.
func decodePart(part string) []byte {
	if strings.ContainsAny(part, "\r\n") {
		return nil
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil
	}
	return data
}

// decodeObject decodes a JSON object of bounded depth without duplicate members, or
// gives nil.
func decodeObject(data []byte) object {
	if secret.CheckJSON(data, secret.MaxDepth) != nil {
		return nil
	}
	var o object
	if json.Unmarshal(data, &o) != nil {
		return nil
	}
	return o
}

// text gives a member that is present and text.
func (c object) text(name string) (string, bool) {
	raw, present := c[name]
	if !present {
		return "", false
	}
	return asText(raw)
}

// optionalText gives "" for a member that is absent, and false for one that is there
// and not text.
func (c object) optionalText(name string) (string, bool) {
	if _, present := c[name]; !present {
		return "", true
	}
	return c.text(name)
}

// object gives a member that is present and an object.
func (c object) object(name string) (object, bool) {
	var inner object
	if json.Unmarshal(c[name], &inner) != nil || inner == nil {
		return nil, false
	}
	return inner, true
}

// at gives the value at a claim path: the member of that very name, else the path
// taken apart at its dots.
func (c object) at(path string) (json.RawMessage, bool) {
	if raw, present := c[path]; present {
		return raw, true
	}
	first, rest, nested := strings.Cut(path, ".")
	if !nested {
		return nil, false
	}
	inner, ok := c.object(first)
	if !ok {
		return nil, false
	}
	return inner.at(rest)
}

func asText(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	return s, true
}
