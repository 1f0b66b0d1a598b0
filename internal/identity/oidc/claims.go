package oidc

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/coffer-dev/coffer/internal/identity"
)

const (
	maxSubject = 255             // characters of `sub` (OpenID Connect Core, section 2)
	maxSeconds = 253_402_300_799 // the last second of the year 9999
)

// binding is the `cnf` claim: the keys whose possession the caller has to prove.
type binding struct{ jkt, x5t string }

// checkTimes holds exp, nbf and iat against now. exp is required unless the token is
// one that a server just called active.
func checkTimes(c object, now time.Time, leeway time.Duration, needExpiry bool) (exp time.Time, reason string) {
	exp, present, ok := c.instant("exp")
	switch {
	case !ok || needExpiry && !present:
		return exp, "token has no usable exp"
	case present && !now.Before(exp.Add(leeway)):
		return exp, "token has expired"
	}
	for _, name := range []string{"nbf", "iat"} {
		at, present, ok := c.instant(name)
		if !ok {
			return exp, "token has no usable " + name
		}
		if present && at.After(now.Add(leeway)) {
			return exp, "token is from the future by its " + name
		}
	}
	return exp, ""
}

// instant reads a NumericDate (RFC 7519 section 2); ok is false when it is there and
// is none.
func (c object) instant(name string) (at time.Time, present, ok bool) {
	raw, present := c[name]
	if !present {
		return time.Time{}, false, true
	}
	seconds, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || !(seconds > 0 && seconds <= maxSeconds) {
		return time.Time{}, true, false
	}
	return time.Unix(int64(seconds), 0), true, true
}

// readPrincipal makes the caller that the claims describe. Where they came from and
// when they expire has been checked before.
func (a *Authenticator) readPrincipal(c object, alias string) (p identity.Principal, b binding, reason string) {
	sub, ok := c.text("sub")
	if !ok || sub == "" || len(sub) > maxSubject || strings.ContainsFunc(sub, unicode.IsControl) {
		return p, b, "token has no usable sub"
	}
	if b, reason = c.readBinding(); reason != "" {
		return p, b, reason
	}
	// Keycloak's refresh and ID tokens are signed by the same keys as access tokens
	// and differ in this claim alone. A bound token is called DPoP there.
	if typ, ok := c.optionalText("typ"); !ok || typ != "" && typ != "Bearer" && (typ != "DPoP" || b.jkt == "") {
		return p, b, "token is no access token"
	}
	p = identity.Principal{
		Tenant:   a.config.Tenant,
		Subject:  identity.AccountSubject(alias, sub),
		ID:       sub,
		Name:     c.firstText("preferred_username", "name", "sub"),
		ClientID: c.firstText("azp", "client_id"),
		Issuer:   c.firstText("iss"),
		TokenID:  c.firstText("jti"),
		Groups:   c.texts(a.config.GroupsClaim, keepPlace),
		Roles:    c.texts(a.config.RolesClaim, dropOthers),
		Scopes:   c.scopes(),
		Audience: c.audience(),
		Binding:  identity.Binding{JKT: b.jkt, Thumbprint: b.x5t},
	}
	if p.Act, ok = c.actor(alias); !ok {
		return p, b, "token has an actor without sub"
	}
	return p, b, ""
}

// readBinding reads `cnf`. A confirmation of a kind that we cannot check is refused:
// the token would otherwise pass as if it were bound to nothing.
func (c object) readBinding() (b binding, reason string) {
	if _, present := c["cnf"]; !present {
		return b, ""
	}
	cnf, ok := c.object("cnf")
	if !ok {
		return b, "token has an unreadable cnf"
	}
	for name := range cnf {
		text, ok := cnf.text(name)
		if !ok || text == "" {
			return b, "token has an unreadable cnf"
		}
		switch name {
		case "jkt":
			b.jkt = text
		case "x5t#S256":
			b.x5t = text
		default:
			return b, "token has a cnf of an unknown kind"
		}
	}
	if b == (binding{}) {
		return b, "token has an empty cnf"
	}
	return b, ""
}

func (c object) firstText(names ...string) string {
	for _, name := range names {
		if text, ok := c.text(name); ok && text != "" {
			return text
		}
	}
	return ""
}

// What becomes of elements of a list that are not text.
const (
	dropOthers = false
	// keepPlace puts "" in their place: the first group selects a tenant, so one that
	// cannot be read must not give way to the next.
	keepPlace = true
)

// texts reads a claim that is a list of texts, or one text.
func (c object) texts(path string, place bool) []string {
	raw, present := c.at(path)
	if !present || string(raw) == "null" {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		list = []json.RawMessage{raw}
	}
	out := make([]string, 0, len(list))
	for _, element := range list {
		if text, ok := asText(element); ok || place {
			out = append(out, text)
		}
	}
	return slices.Clip(out)
}

func (c object) scopes() []string {
	if text, ok := c.text("scope"); ok {
		return slices.Clip(strings.Fields(text))
	}
	if text, ok := c.text("scp"); ok {
		return slices.Clip(strings.Fields(text))
	}
	return c.texts("scp", dropOthers)
}

// audience is nil only when the token has no `aud`. One that is there and names nobody
// is an empty list, and so names somebody else.
func (c object) audience() []string {
	if _, present := c["aud"]; !present {
		return nil
	}
	return append([]string{}, c.texts("aud", dropOthers)...)
}

// actor reads `act` (RFC 8693 section 4.1); earlier actors of a chain are history.
func (c object) actor(alias string) (string, bool) {
	if _, present := c["act"]; !present {
		return "", true
	}
	act, _ := c.object("act")
	sub, ok := act.text("sub")
	if !ok || sub == "" || len(sub) > maxSubject || strings.ContainsFunc(sub, unicode.IsControl) {
		return "", false
	}
	return identity.AccountSubject(alias, sub), true
}
