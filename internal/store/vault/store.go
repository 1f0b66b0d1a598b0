package vault

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/openbao/openbao/api/v2"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

// Store is one server. All methods may be called concurrently. Make it with New;
// Run keeps its token alive.
type Store struct {
	cfg     Config
	client  *api.Client
	broker  *broker
	breaker breaker
	slots   chan struct{}
	noScan  atomic.Bool // the server, or our policy there, has no SCAN
}

var _ secret.Store = (*Store)(nil)

// Can is what the servers declare: check-and-set on Put alone, and no events in
// the write.
func Can() secret.Capabilities {
	return secret.Capabilities{Versions: true, Metadata: true, List: true, CAS: true}
}

// New makes a Store without talking to the server. A malformed Config is Invalid.
func New(cfg Config) (*Store, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	cfg.fill()
	client, err := newClient(&cfg)
	if err != nil {
		return nil, err
	}
	s := &Store{
		cfg: cfg, client: client, slots: make(chan struct{}, cfg.Concurrent),
		breaker: breaker{threshold: cfg.BreakerThreshold, rest: cfg.BreakerOpen, clock: cfg.Clock},
	}
	s.broker = newBroker(&s.cfg, s.exchange)
	return s, nil
}

// Get reads one version. Under secret.WithWrapTTL the server wraps the answer and
// this method unwraps it; a server that does not wrap is ProviderFailed.
func (s *Store) Get(ctx context.Context, ref secret.Ref, version int64) (out secret.Secret, err error) {
	if err := s.admit(ref, ref.Validate()); err != nil {
		return out, err
	}
	err = s.perform(ctx, "get", func(ctx context.Context) error {
		out, err = s.get(ctx, ref, version)
		return err
	})
	return out, err
}

func (s *Store) get(ctx context.Context, ref secret.Ref, version int64) (secret.Secret, error) {
	q := query{method: http.MethodGet, path: at(ref, "data"), wrapTTL: secret.WrapTTL(ctx)}
	if version > 0 {
		q.params = number("version", version)
	}
	a, err := s.ask(ctx, q)
	if err == nil && q.wrapTTL > 0 && a.status == http.StatusOK {
		a, err = s.unwrap(ctx, a)
	}
	if err != nil {
		return secret.Secret{}, err
	}
	out, err := readSecret(a)
	if version > 0 && errors.Is(err, fault.NotFound) {
		return out, s.missingVersion(ctx, ref)
	}
	return out, err
}

// missingVersion tells a version that is not there from a key that is not: the
// server's answer is the same for both.
func (s *Store) missingVersion(ctx context.Context, ref secret.Ref) error {
	m, err := s.meta(ctx, ref)
	switch {
	case err != nil:
		return err
	case m.Current == 0:
		return notFound()
	}
	return fault.New(fault.VersionNotFound, "no such version")
}

// Put writes a version. A number that the server would change is Invalid with the
// code NUMBER_NOT_REPRESENTABLE.
func (s *Store) Put(ctx context.Context, ref secret.Ref, value secret.Value, cas *int64) (v secret.VersionInfo, err error) {
	if err := s.admit(ref, ref.Validate()); err != nil {
		return v, err
	}
	body, err := putBody(value, cas)
	if err != nil {
		return v, err
	}
	err = s.perform(ctx, "put", func(ctx context.Context) error {
		a, err := s.tell(ctx, query{method: http.MethodPost, path: at(ref, "data"), body: body})
		if err != nil {
			return err
		}
		if v, err = readVersion(a); errors.Is(err, fault.CASMismatch) {
			return s.mismatch(ctx, ref, err)
		}
		return err
	})
	return v, err
}

// mismatch adds the current version, which the server does not tell, as far as it
// can be read.
func (s *Store) mismatch(ctx context.Context, ref secret.Ref, err error) error {
	m, _ := s.meta(ctx, ref) // best effort: without it the version stays 0
	return &secret.VersionError{Fault: fault.New(fault.CASMismatch, "%s", detail(err)), Current: m.Current}
}

// Delete soft-deletes the latest version, or the listed ones.
func (s *Store) Delete(ctx context.Context, ref secret.Ref, versions []int64) error {
	q := query{method: http.MethodDelete, path: at(ref, "data")}
	if versions != nil {
		if err := secret.CheckVersions(versions); err != nil {
			return err
		}
		q = query{method: http.MethodPost, path: at(ref, "delete"), body: versionsBody(versions)}
	}
	if err := s.admit(ref, ref.Validate()); err != nil {
		return err
	}
	return s.perform(ctx, "delete", func(ctx context.Context) error { return s.change(ctx, q) })
}

// Undelete restores versions. The server does not tell what it ignores, so the
// metadata is read before.
func (s *Store) Undelete(ctx context.Context, ref secret.Ref, versions []int64) (ignored []int64, err error) {
	return s.each(ctx, "undelete", ref, versions)
}

// Destroy erases versions, or the key with all that is known of it.
func (s *Store) Destroy(ctx context.Context, ref secret.Ref, which secret.Selection) (ignored []int64, err error) {
	if !which.All {
		return s.each(ctx, "destroy", ref, which.Versions)
	}
	if err := s.admit(ref, ref.Validate()); err != nil {
		return nil, err
	}
	return nil, s.perform(ctx, "destroy", func(ctx context.Context) error {
		return s.change(ctx, query{method: http.MethodDelete, path: at(ref, "metadata")})
	})
}

// each undeletes or destroys versions, and nothing when all are to be ignored.
func (s *Store) each(ctx context.Context, op string, ref secret.Ref, versions []int64) (ignored []int64, err error) {
	if err := s.admit(ref, cmp.Or(ref.Validate(), secret.CheckVersions(versions))); err != nil {
		return nil, err
	}
	err = s.perform(ctx, op, func(ctx context.Context) error {
		m, err := s.meta(ctx, ref)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
		// Both verbs ignore the same numbers: unknown and destroyed ones.
		if _, ignored = m.Destroy(versions); len(ignored) == len(secret.Distinct(versions)) {
			return nil
		}
		return s.change(ctx, query{method: http.MethodPost, path: at(ref, op), body: versionsBody(versions)})
	})
	return ignored, err
}

// change sends a mutation that has no result.
func (s *Store) change(ctx context.Context, q query) error {
	a, err := s.tell(ctx, q)
	if err != nil {
		return err
	}
	return a.refusal()
}

// Health asks whether the server can serve: nil for an active server and a healthy
// standby, Unavailable when it is sealed or was never set up.
func (s *Store) Health(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.AttemptTimeout)
	defer cancel()
	a, err := s.exchange(ctx, query{method: http.MethodGet, path: "sys/health"})
	switch {
	case err != nil:
		return err
	case a.status == http.StatusOK, a.status == http.StatusTooManyRequests, a.status == 472, a.status == 473:
		return nil
	}
	return fault.New(fault.Unavailable, "the server is sealed or not initialised")
}

// admit refuses bad addresses and tenants that this server does not serve.
func (s *Store) admit(ref secret.Ref, err error) error {
	if err == nil && ref.Tenant != s.cfg.Tenant {
		return notFound()
	}
	return err
}

func notFound() error { return fault.New(fault.NotFound, "no such secret") }
