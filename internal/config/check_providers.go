package config

import "strings"

func (c *Config) checkProviders(k checker) {
	for _, s := range []struct {
		path string
		own  Server
	}{{"openbao", c.OpenBao}, {"hashicorp", c.Hashicorp}} {
		c.checkServer(k, s.path, s.own)
	}
	k.web("vault.url", c.Vault.URL)
	seen := map[string]string{}
	for _, name := range sortedKeys(c.Providers) {
		path := join("vault_providers", name)
		canonical := canonicalName(name)
		if first, ok := seen[canonical]; ok {
			k.wrong(path, "is the same instance as %s: letter case is ignored and vault- reads hashicorp-; rename one", first)
		}
		seen[canonical] = path
		k.provider(path, name, c.Providers[name])
	}
}

func (c *Config) checkServer(k checker, path string, own Server) {
	upper := strings.ToUpper(path)
	k.web(path+".url", own.URL)
	switch {
	case own.RoleID != "" && own.SecretID.IsZero():
		k.wrong(path+".secret_id", "is missing though role_id is set (%s_SECRET_ID)", upper)
	case own.RoleID == "" && !own.SecretID.IsZero():
		k.wrong(path+".role_id", "is missing though secret_id is set (%s_ROLE_ID)", upper)
	case own.RoleID != "" && !own.Token.IsZero():
		k.wrong(path+".token", "is set besides role_id; keep one way to authenticate")
	}
	p, used := c.Vault.provider(path, own)
	switch {
	case used && p.Auth.Token.IsZero() && p.Auth.Role == "":
		k.wrong(path+".token", "is missing though a server is configured; set %s_TOKEN or VAULT_TOKEN, or %s_ROLE_ID and %s_SECRET_ID", upper, upper, upper)
	case !used && own != Server{}:
		k.wrong(path+".url", "is missing though credentials are set; set %s_URL or VAULT_URL", upper)
	}
}

func (k checker) provider(path, name string, p Provider) {
	kind, rest, _ := strings.Cut(canonicalName(name), "-")
	bad := rest == "" || name != strings.ToLower(name) ||
		strings.ContainsFunc(name, func(r rune) bool { return !lowerAlnum(r) && r != '-' })
	if bad || kind != TypeOpenBao && kind != TypeHashicorp {
		k.wrong(path, "must be named openbao-, hashicorp- or vault- and lower-case letters, digits and dashes, such as openbao-prod")
	}
	if p.Type != "" && canonicalName(p.Type+"-x") != kind+"-x" {
		k.wrong(path+".type", "must agree with the first part of the name")
	}
	if p.URL == "" {
		k.wrong(path+".url", "is missing")
	}
	k.web(path+".url", p.URL)
	k.auth(path+".auth", p.Auth)
}

func (k checker) auth(path string, a ProviderAuth) {
	switch {
	case a.Method == AuthToken && a.Token.IsZero():
		k.wrong(path+".token", "is missing; set it, best as ${{ENV:NAME}} or ${{FILE:/path}}")
	case a.Method == AuthToken && (a.Role != "" || !a.SecretID.IsZero()):
		k.wrong(path+".method", "must be approle when role or secret_id are set")
	case a.Method == AuthAppRole && !a.Token.IsZero():
		k.wrong(path+".method", "must be token when token is set")
	case a.Method == AuthAppRole && a.Role == "":
		k.wrong(path+".role", "is missing; give the AppRole role id")
	case a.Method == AuthAppRole && a.SecretID.IsZero():
		k.wrong(path+".secret_id", "is missing; set it, best as ${{ENV:NAME}} or ${{FILE:/path}}")
	}
}
