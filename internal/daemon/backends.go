package daemon

import (
	"context"
	"slices"
	"time"

	"github.com/coffer-dev/coffer/internal/config"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/embedded"
	"github.com/coffer-dev/coffer/internal/store/route"
	"github.com/coffer-dev/coffer/internal/store/timed"
	"github.com/coffer-dev/coffer/internal/store/vault"
	"github.com/coffer-dev/coffer/internal/store/yamlfile"
)

// backends builds every store and the router over them, and names the configured
// instances.
func (d *Daemon) backends() (*route.Router, []string, error) {
	mounts := d.cfg.Tenant.AllowedMounts
	engine := embedded.New(d.ledger, func(tenant, mount string) bool {
		return tenant == d.cfg.Tenant.ID && slices.Contains(mounts, mount)
	})
	c := route.Config{
		Embedded: secret.Backend{Name: "embedded", Kind: "embedded", Can: embedded.Can(), Store: d.timed("embedded", engine)},
		Servers:  map[string]secret.Backend{}, Fallback: d.cfg.Secrets.SchemeFallback,
	}
	var instances []string
	for name, p := range d.cfg.Backends() {
		s, err := d.server(name, p)
		if err != nil {
			return nil, nil, err
		}
		c.Servers[name] = secret.Backend{Name: name, Kind: p.Type, Can: vault.Can(), Store: s}
		if name != config.TypeOpenBao && name != config.TypeHashicorp {
			instances = append(instances, name)
		}
	}
	if path := d.cfg.YAMLVault.Path; path != "" {
		s, err := yamlfile.Open(path, yamlfile.Config{Tenant: d.cfg.Tenant.ID, Now: d.now})
		if err != nil {
			return nil, nil, err
		}
		c.File = &secret.Backend{Name: "yaml", Kind: "yaml", Can: yamlfile.Capabilities(), Store: d.timed("yaml", s)}
	}
	return route.New(c), instances, nil
}

// timed tells the metrics how long a store takes; outside servers tell themselves.
func (d *Daemon) timed(name string, s secret.Store) secret.Store {
	return timed.Wrap(s, func(op string, took time.Duration) { d.metrics.Provider(name, op, took) })
}

func (d *Daemon) server(name string, p config.Provider) (*vault.Store, error) {
	c := vault.Config{
		Kind: vault.Kind(p.Type), Address: p.URL, Namespace: p.Namespace, Tenant: d.cfg.Tenant.ID,
		SkipVerify: !p.VerifySSL, PoolSize: p.PoolSize,
		// Three attempts fit into the time of an operation, whatever it is.
		Timeout: p.Timeout, AttemptTimeout: attemptTimeout(p.Timeout),
		Concurrent: d.cfg.Vault.MaxConcurrent, Renewal: d.cfg.Vault.RenewalThreshold,
		BreakerThreshold: p.Breaker.Threshold, BreakerOpen: p.Breaker.Timeout,
		Observe:       func(op string, took time.Duration, _ error) { d.metrics.Provider(name, op, took) },
		OnCircuitOpen: d.metrics.CircuitOpened, Log: d.log, Clock: d.now,
	}
	if p.Auth.Method == config.AuthAppRole {
		c.AppRole = &vault.AppRole{RoleID: p.Auth.Role, SecretID: vault.Credential(p.Auth.SecretID.Reveal())}
	} else {
		c.Token = vault.Credential(p.Auth.Token.Reveal())
	}
	s, err := vault.New(c)
	if err != nil {
		return nil, err
	}
	d.background(context.Background(), "back end "+name, func(ctx context.Context) {
		if err := s.Run(ctx); err != nil && ctx.Err() == nil {
			d.log.Error("token renewal ended", "backend", name, "error", err)
		}
	})
	return s, nil
}

// attemptTimeout leaves room for three attempts of a read and the pauses between
// them within the time of the whole operation.
func attemptTimeout(whole time.Duration) time.Duration {
	const most, pauses = 10 * time.Second, 1250 * time.Millisecond
	return min(most, max((whole-pauses)/3, whole/6))
}
