package devissuer

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
)

// Defaults of Claims.
const (
	DefaultAudience = "crud.secrets"
	DefaultTTL      = time.Hour
)

// clientID is the azp and client_id of every token made here.
const clientID = "coffer-dev"

// Claims are what a token shall say.
type Claims struct {
	// Subject is `sub`; it must not be empty.
	Subject string
	// Name becomes `preferred_username` and `name`; empty leaves both out.
	Name string
	// Groups becomes `groups`; empty leaves it out.
	Groups []string
	// Roles becomes `realm_access.roles`; empty leaves it out.
	Roles []string
	// Scopes becomes `scope`, joined by spaces; empty leaves it out.
	Scopes []string
	// Audience becomes `aud`: nil is the default audience, empty is an empty list.
	Audience []string
	// TTL is the life from now; 0 is the default, a negative one mints a token that
	// expired that long ago.
	TTL time.Duration
	// Extra claims are added last and replace whatever is above; one that is null is
	// left out.
	Extra map[string]any
}

// ParseExtra reads one `name=value` of the command line. A value that is JSON is taken
// as JSON, any other as text. Errors are of kind Invalid.
func ParseExtra(text string) (name string, value any, err error) {
	name, raw, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return "", nil, fault.New(fault.Invalid, "a claim is given as name=value")
	}
	if json.Valid([]byte(raw)) {
		return name, json.RawMessage(raw), nil
	}
	return name, raw, nil
}

// members renders the claims as the members of the token's payload.
func (c Claims) members(issuer, id string, now time.Time) map[string]any {
	ttl := c.TTL
	if ttl == 0 {
		ttl = DefaultTTL
	}
	expires := now.Add(ttl)
	issued := now
	if expires.Before(now) {
		issued = expires
	}
	m := map[string]any{
		"iss": issuer, "sub": c.Subject, "jti": id, "azp": clientID, "client_id": clientID,
		"iat": issued.Unix(), "exp": expires.Unix(),
	}
	if aud := audience(c.Audience); aud != nil {
		m["aud"] = aud
	}
	if c.Name != "" {
		m["preferred_username"], m["name"] = c.Name, c.Name
	}
	if len(c.Groups) > 0 {
		m["groups"] = c.Groups
	}
	if len(c.Roles) > 0 {
		m["realm_access"] = map[string]any{"roles": c.Roles}
	}
	if len(c.Scopes) > 0 {
		m["scope"] = strings.Join(c.Scopes, " ")
	}
	for name, value := range c.Extra {
		if raw, ok := value.(json.RawMessage); ok && string(raw) == "null" {
			delete(m, name)
			continue
		}
		m[name] = value
	}
	return m
}

// audience renders one audience as text and several as a list, as issuers do; none is
// no claim at all.
func audience(list []string) any {
	switch {
	case list == nil:
		return DefaultAudience
	case len(list) == 0:
		return nil
	case len(list) == 1:
		return list[0]
	}
	return list
}
