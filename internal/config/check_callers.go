package config

import (
	"net/netip"
	"strings"
)

func (c *Config) checkIdentity(k checker) {
	id := c.Identity
	urls, aliases := map[string]bool{}, map[string]bool{}
	for i, is := range id.Issuers {
		path := element("identity.issuers", i)
		k.issuer(path, is)
		if urls[is.URL] {
			k.wrong(path+".url", "is the url of an earlier issuer; give each issuer once")
		}
		if aliases[is.Alias] {
			k.wrong(path+".alias", "is the alias of an earlier issuer; subjects of two issuers would be one")
		}
		urls[is.URL], aliases[is.Alias] = true, true
	}
	k.given("identity.roles_claim", id.RolesClaim)
	k.given("identity.groups_claim", id.GroupsClaim)
	k.given("identity.session_cookie", id.SessionCookie)
	in := id.Introspection
	k.web("identity.introspection.endpoint", in.Endpoint)
	if in.Endpoint != "" && in.ClientID == "" {
		k.wrong("identity.introspection.client_id", "is missing though the endpoint is set")
	}
	if in.Endpoint != "" && in.SecretFile == "" {
		k.wrong("identity.introspection.secret_file", "is missing though the endpoint is set; name the file with the client secret")
	}
	for i, p := range id.TrustedProxies {
		_, netErr := netip.ParsePrefix(p)
		if _, err := netip.ParseAddr(p); err != nil && netErr != nil {
			k.wrong(element("identity.trusted_proxies", i), "must be an address or a network such as 10.0.0.0/8")
		}
	}
}

func (k checker) issuer(path string, is Issuer) {
	if is.URL == "" {
		k.wrong(path+".url", "is missing; give the exact iss claim of its tokens")
	}
	k.issuerURL(path+".url", is.URL, is.AllowPrivate)
	k.issuerURL(path+".jwks_url", is.JWKSURL, is.AllowPrivate)
	if is.Alias == "" || strings.ContainsAny(is.Alias, ": \t\n") {
		k.wrong(path+".alias", "must be a name without colons or spaces, such as keycloak")
	}
	if is.Alias == "x509" {
		k.wrong(path+".alias", "must not be x509, which names subjects known by certificate")
	}
	if len(is.Algorithms) == 0 {
		k.wrong(path+".algorithms", "must not be empty; remove the line for the default")
	}
	for _, a := range is.Algorithms {
		if !asymmetric(a) {
			k.wrong(path+".algorithms", "may hold RS, PS or ES with 256, 384 or 512, and EdDSA; never none or HMAC")
		}
	}
}

// issuerURL wants https: keys that come over plain HTTP are anybody's.
func (k checker) issuerURL(path, text string, private bool) {
	k.web(path, text)
	if strings.HasPrefix(text, "http:") && !private {
		k.wrong(path, "must be https, or set allow_private for an issuer on a private network")
	}
}

func asymmetric(alg string) bool {
	if alg == "EdDSA" {
		return true
	}
	if len(alg) != 5 {
		return false
	}
	family, size := alg[:2], alg[2:]
	return (family == "RS" || family == "PS" || family == "ES") && (size == "256" || size == "384" || size == "512")
}

func (c *Config) checkPolicy(k checker) {
	names := map[string]bool{}
	for i, p := range c.Policy.Bootstrap.Policies {
		path := element("policy.bootstrap.policies", i)
		name := strings.ToLower(strings.TrimSpace(p.Name))
		switch {
		case name == "":
			k.wrong(path+".name", "is missing")
		case name == "root" || name == "default":
			k.wrong(path+".name", "is reserved; choose another name")
		case names[name]:
			k.wrong(path+".name", "is the name of an earlier policy; names fold case")
		}
		names[name] = true
		if strings.TrimSpace(p.HCL) == "" {
			k.wrong(path+".hcl", "is missing; give the rules")
		}
	}
	groups, aliases := map[string]bool{}, map[string]bool{}
	for i, g := range c.Policy.Bootstrap.Groups {
		path := element("policy.bootstrap.groups", i)
		name, alias := strings.ToLower(strings.TrimSpace(g.Name)), strings.ToLower(g.Alias)
		if name == "" || groups[name] {
			k.wrong(path+".name", "must be given, and differ from those of earlier groups")
		}
		if alias == "" || aliases[alias] {
			k.wrong(path+".alias", "must be given, and differ from those of earlier groups; a group without alias gives nothing")
		}
		groups[name], aliases[alias] = true, true
		for _, p := range g.Policies {
			if strings.EqualFold(strings.TrimSpace(p), "root") {
				k.wrong(path+".policies", "names root, which is never assignable")
			}
		}
	}
	k.web("policy.pdp.url", c.Policy.PDP.URL)
	k.pair("policy.pdp.tls", c.Policy.PDP.TLS.CertFile, c.Policy.PDP.TLS.KeyFile)
}
