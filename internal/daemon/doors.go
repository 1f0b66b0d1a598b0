package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/coffer-dev/coffer/internal/activity"
	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/config"
	"github.com/coffer-dev/coffer/internal/door"
	"github.com/coffer-dev/coffer/internal/door/canonical"
	"github.com/coffer-dev/coffer/internal/guard"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/identity/devissuer"
	"github.com/coffer-dev/coffer/internal/identity/oidc"
	"github.com/coffer-dev/coffer/internal/ledger/once"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/policy/authzen"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/secrets"
	"github.com/coffer-dev/coffer/internal/tenants"
)

// buildDoors makes everything that needs an unsealed store, and opens the doors.
// Unavailable means that the store is not there yet; nothing is left behind then.
func (d *Daemon) buildDoors(ctx context.Context) (err error) {
	if err := d.ledger.Ready(ctx); err != nil {
		return err
	}
	d.mu.Lock()
	before := len(d.stops)
	d.mu.Unlock()
	defer func() {
		if err != nil {
			err = errors.Join(err, d.unwind(context.WithoutCancel(ctx), before))
		}
	}()
	salt, err := d.salt(ctx, "resource-ref", d.cfg.Tenant.Salt)
	if err != nil {
		return err
	}
	idKey, err := d.salt(ctx, "idempotency", config.Secret{})
	if err != nil {
		return err
	}
	refs, err := audit.NewRefs(salt, audit.RefFormat(d.cfg.Secrets.ResourceRef))
	if err != nil {
		return err
	}
	groups, err := d.tenants(ctx, refs)
	if err != nil {
		return err
	}
	service, err := d.secretsService(ctx, groups, refs, idKey)
	if err != nil {
		return err
	}
	auth, err := d.authenticator()
	if err != nil {
		return err
	}
	front, err := d.canonical(service, auth)
	if err != nil {
		return err
	}
	d.doors.Store(&map[string]http.Handler{"canonical": front})
	return nil
}

func (d *Daemon) tenants(ctx context.Context, refs audit.Refs) (*tenants.Service, error) {
	s := tenants.New(tenants.Config{
		Tenant: d.cfg.Tenant.ID, Ledger: d.ledger, Audit: d.sink, Refs: refs, Now: d.now,
		AnonymousAll: d.cfg.Environment == config.EnvDev,
	})
	var policies []tenants.BootstrapPolicy
	for _, p := range d.cfg.Policy.Bootstrap.Policies {
		policies = append(policies, tenants.BootstrapPolicy{Name: p.Name, Text: p.HCL})
	}
	var groups []tenants.BootstrapGroup
	for _, g := range d.cfg.Policy.Bootstrap.Groups {
		groups = append(groups, tenants.BootstrapGroup{Name: g.Name, Alias: g.Alias, Policies: g.Policies})
	}
	return s, s.Bootstrap(ctx, tenants.System(d.cfg.Tenant.ID), policies, groups)
}

func (d *Daemon) decider(ctx context.Context, groups *tenants.Service) (policy.Decider, error) {
	pdp := d.cfg.Policy.PDP
	if pdp.URL == "" {
		return groups.Decider(), nil
	}
	c := authzen.Config{
		URL: pdp.URL, TokenFile: pdp.TokenFile, Timeout: pdp.Timeout,
		CertFile: pdp.TLS.CertFile, KeyFile: pdp.TLS.KeyFile, CAFile: pdp.TLS.CAFile,
		GrantTTL: d.cfg.Policy.Grants.TTL, GrantMaxUses: d.cfg.Policy.Grants.MaxUses,
		NegativeTTL: d.cfg.Policy.Grants.NegativeTTL, Now: d.now,
		Replay: authzen.ReplayMode(d.cfg.Policy.AntiReplay.Mode), ReplayTTL: d.cfg.Policy.AntiReplay.TTL,
		Observe: d.observePDP(),
	}
	if c.NegativeTTL == 0 {
		c.NegativeTTL = -1 // 0 in the configuration means not to remember refusals
	}
	return authzen.New(ctx, c)
}

func (d *Daemon) secretsService(ctx context.Context, groups *tenants.Service, refs audit.Refs, idKey []byte) (*secrets.Service, error) {
	router, instances, err := d.backends()
	if err != nil {
		return nil, err
	}
	decider, err := d.decider(ctx, groups)
	if err != nil {
		return nil, err
	}
	dev := !d.cfg.Production()
	purposes := d.cfg.Secrets.PurposeMap
	keeper := once.New(once.Config{Ledger: d.ledger, Tenant: d.cfg.Tenant.ID, Secret: idKey, Now: d.now, Log: d.log})
	s := secrets.New(secrets.Config{
		Tenant:  d.cfg.Tenant.ID,
		Grammar: secret.Grammar{Instances: instances, Mounts: d.cfg.Tenant.AllowedMounts},
		Router:  router, Ledger: d.ledger, Once: keeper,
		Guard: guard.Config{
			Tenant: d.cfg.Tenant.ID, Decider: decider, Audit: audit.Tee(d.sink, d.ring), Refs: refs,
			Sampler: audit.NewSampler(d.cfg.Audit.SampleEvery), Observer: counters{d.metrics}, Now: d.now,
		},
		Observer: counters{d.metrics}, Log: d.log, Now: d.now,
		EnforceScopes: d.cfg.Secrets.EnforceScopes, FileWrites: dev,
		TellReads:   d.activity() != nil || d.mirrors(),
		ReadPurpose: policy.Purpose(purposes["read"]), ValuePurpose: policy.Purpose(purposes["value"]),
		CopyPurpose: policy.Purpose(purposes["copy"]), PageLimit: d.cfg.Limits.PageLimit,
	})
	d.onStop("secrets", func(context.Context) error {
		s.Close()
		return nil
	})
	d.every("sweep idempotency records", time.Hour, keeper.Sweep)
	return s, nil
}

// every runs a chore at a pace until the daemon stops.
func (d *Daemon) every(name string, pace time.Duration, do func(context.Context) error) {
	d.background(context.Background(), name, func(ctx context.Context) {
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := do(ctx); err != nil && ctx.Err() == nil {
					d.log.Warn("chore", "name", name, "error", err)
				}
			}
		}
	})
}

// authenticator is nil when authentication is off.
func (d *Daemon) authenticator() (identity.Authenticator, error) {
	if !d.cfg.Secrets.RequireAuth {
		return nil, nil //nolint:nilnil // off is an answer
	}
	id := d.cfg.Identity
	c := oidc.Config{
		Tenant: d.cfg.Tenant.ID, Audience: d.cfg.Secrets.Audience, RolesClaim: id.RolesClaim, GroupsClaim: id.GroupsClaim,
		AcceptCertificates: d.cfg.TLS.ClientCAFile != "" || len(id.TrustedProxies) > 0,
		ReuseProofs:        d.cfg.Policy.AntiReplay.Mode != string(authzen.ReplayDPoP),
		ProofWindow:        d.cfg.Policy.AntiReplay.TTL, Clock: d.now, Log: d.log,
	}
	for _, i := range id.Issuers {
		c.Issuers = append(c.Issuers, oidc.Issuer{
			URL: i.URL, Alias: i.Alias, JWKSURL: i.JWKSURL, Algorithms: i.Algorithms,
			Audiences: withDefault(i.Audiences, d.cfg.Secrets.Audience), Reach: oidc.Reach{AllowPrivate: i.AllowPrivate},
		})
	}
	if d.dev != nil {
		url, err := d.dev.URL()
		if err != nil {
			return nil, err
		}
		c.Issuers = append(c.Issuers, oidc.Issuer{URL: url, Alias: devissuer.Alias, Keys: d.dev.KeySet()})
	}
	if in := id.Introspection; in.Endpoint != "" {
		c.Introspection = &oidc.Introspection{
			Endpoint: in.Endpoint, Alias: "session", ClientID: in.ClientID, SecretFile: in.SecretFile,
			Reach: oidc.Reach{AllowPrivate: !d.cfg.Production()},
		}
	}
	return oidc.New(c)
}

// withDefault adds the deployment's audience to an issuer's own, if it has any.
func withDefault(own []string, audience string) []string {
	if len(own) == 0 {
		return nil
	}
	return append([]string{audience}, own...)
}

// activity is nil where the event stream and the audit records are not shown.
func (d *Daemon) activity() *activity.Service {
	admin := d.cfg.Production()
	if admin && d.cfg.Secrets.DevEndpoints != "admin" {
		return nil
	}
	return activity.New(activity.Config{Tenant: d.cfg.Tenant.ID, Log: d.ledger, Ring: d.ring, AdminOnly: admin})
}

func (d *Daemon) canonical(s *secrets.Service, auth identity.Authenticator) (*door.Door, error) {
	proxies, err := prefixes(d.cfg.Identity.TrustedProxies)
	if err != nil {
		return nil, err
	}
	source := door.CredentialSource{
		ExternalURL: d.externalURL(), SessionCookie: d.cfg.Identity.SessionCookie, Proxies: proxies,
	}
	return canonical.New(canonical.Config{
		Secrets: s, Auth: auth, Credentials: source.Read, Tenant: d.cfg.Tenant.ID, Activity: d.activity(),
		Closing: d.closing, InWork: d.cfg.Limits.Requests,
		Observer: d.metrics, Tracer: d.tracer, Log: d.log,
	})
}

func (d *Daemon) externalURL() string {
	if d.dev != nil || d.cfg.ExternalURL == "" {
		return d.url
	}
	return d.cfg.ExternalURL
}

func prefixes(texts []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, t := range texts {
		p, err := netip.ParsePrefix(t)
		if err != nil {
			a, addrErr := netip.ParseAddr(t)
			if addrErr != nil {
				return nil, fmt.Errorf("trusted proxies: %w", errors.Join(err, addrErr))
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		out = append(out, p)
	}
	return out, nil
}
