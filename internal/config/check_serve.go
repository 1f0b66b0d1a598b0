package config

import "strings"

// checkServe refuses to start without what coffer dev makes by itself.
func (c *Config) checkServe(k checker) {
	if c.DataDir == "" && len(c.Ledger.Endpoints) == 0 {
		k.wrong("data_dir", "is missing; set it to the directory of the embedded ledger (COFFER_DATA_DIR), or set ledger.endpoints")
	}
	if c.KEK.Active.IsZero() {
		k.wrong("kek.active", "is missing; set kek.active.file to a file of 32 random bytes, mode 0600 (COFFER_KEK_ACTIVE_FILE), or kek.active.kms_socket")
	}
	if c.Audit.File == "" && c.Audit.Required {
		k.wrong("audit.file", "is missing; set the file that decisions are recorded in (COFFER_AUDIT_FILE)")
	}
	if c.Secrets.RequireAuth && len(c.Identity.Issuers) == 0 && c.Identity.Introspection.Endpoint == "" {
		k.wrong("identity.issuers", "is empty though authentication is on; add an issuer with url and alias")
	}
}

// checkProduction refuses switches that only dev and test may set.
func (c *Config) checkProduction(k checker) {
	if !c.Secrets.RequireAuth && c.Mode == Serve {
		k.wrong("secrets.require_auth", "is off; set it to true (SECRETS_API_REQUIRE_AUTH), or environment to dev or test (ENVIRONMENT)")
	}
	if !c.Audit.Required {
		k.wrong("audit.required", "must be true unless environment is dev or test")
	}
	if !c.Vault.VerifySSL {
		k.wrong("vault.verify_ssl", "must be true unless environment is dev or test (VAULT_VERIFY_SSL); to trust a private authority add it to the system's")
	}
	for _, name := range sortedKeys(c.Providers) {
		if !c.Providers[name].VerifySSL {
			k.wrong(join("vault_providers", name)+".verify_ssl", "must be true unless environment is dev or test")
		}
	}
	c.checkCluster(k)
}

// checkCluster wants mutual TLS towards a cluster: etcd's own users cannot protect
// the records from another client on the network.
func (c *Config) checkCluster(k checker) {
	remote := false
	for i, e := range c.Ledger.Endpoints {
		if loopbackURL(e) {
			continue
		}
		remote = true
		if !strings.HasPrefix(e, "https:") {
			k.wrong(element("ledger.endpoints", i), "must be https unless it is on loopback")
		}
	}
	if remote && c.Ledger.TLS.CertFile == "" {
		k.wrong("ledger.tls.cert_file", "is missing; a cluster that is not on loopback needs a client certificate (cert_file and key_file)")
	}
}
