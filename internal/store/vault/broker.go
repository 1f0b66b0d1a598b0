package vault

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
)

// broker holds the token that requests are sent under: the configured one, or that
// of the last login. It may be used concurrently.
type broker struct {
	cfg      *Config
	exchange func(context.Context, query) (answer, error)

	lock    chan struct{} // of what follows; a channel, so that waiting can end
	current string        // from a login; empty: none yet
	expires time.Time     // zero: unknown or never
}

func newBroker(cfg *Config, exchange func(context.Context, query) (answer, error)) *broker {
	return &broker{cfg: cfg, exchange: exchange, lock: make(chan struct{}, 1)}
}

func (b *broker) take(ctx context.Context) error {
	select {
	case b.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fault.Wrap(fault.Timeout, ctx.Err(), "no login in time")
	}
}

// token gives the token to use now; with an AppRole it logs in when there is none
// or its time is over. Callers meanwhile wait for that one login.
func (b *broker) token(ctx context.Context) (string, error) {
	if b.cfg.AppRole == nil {
		return string(b.cfg.Token), nil
	}
	if err := b.take(ctx); err != nil {
		return "", err
	}
	defer func() { <-b.lock }()
	if b.current != "" && (b.expires.IsZero() || b.cfg.Clock().Before(b.expires)) {
		return b.current, nil
	}
	return b.login(ctx)
}

// died says whether a refused token is gone, so that a new login helps. A token
// that is alive is refused for what it may not do.
func (b *broker) died(ctx context.Context, token string) bool {
	if b.cfg.AppRole == nil || b.take(ctx) != nil {
		return false
	}
	defer func() { <-b.lock }()
	if b.current != token {
		return true // somebody else has logged in since
	}
	a, err := b.exchange(ctx, query{method: http.MethodGet, path: lookupPath, token: token})
	if err != nil || a.status != http.StatusForbidden {
		return false
	}
	b.current = ""
	return true
}

// authWire is what a login or a renewal grants.
type authWire struct {
	Auth *struct {
		Token string `json:"client_token"`
		TTL   int64  `json:"lease_duration"` // seconds
	} `json:"auth"`
}

// login is called under the lock.
func (b *broker) login(ctx context.Context) (string, error) {
	start := b.cfg.Clock()
	token, ttl, err := b.tryLogin(ctx)
	b.cfg.Observe("login", b.cfg.Clock().Sub(start), err)
	if err != nil {
		return "", err
	}
	b.current, b.expires = token, time.Time{}
	if ttl > 0 {
		b.expires = start.Add(ttl)
	}
	return token, nil
}

func (b *broker) tryLogin(ctx context.Context) (string, time.Duration, error) {
	role := b.cfg.AppRole
	body, _ := json.Marshal(map[string]string{"role_id": role.RoleID, "secret_id": string(role.SecretID)}) // texts always encode
	a, err := b.exchange(ctx, query{method: http.MethodPost, path: "auth/" + role.Mount + "/login", body: body})
	if err != nil {
		return "", 0, err
	}
	if a.status == http.StatusBadRequest || a.status == http.StatusNotFound {
		return "", 0, fault.New(fault.ProviderDenied, "the back end refuses the broker's login")
	}
	if err := a.refusal(); err != nil {
		return "", 0, err
	}
	var w authWire
	if json.Unmarshal(a.body, &w) != nil || w.Auth == nil || w.Auth.Token == "" {
		return "", 0, unreadable()
	}
	return w.Auth.Token, time.Duration(w.Auth.TTL) * time.Second, nil
}

const (
	lookupPath = "auth/token/lookup-self"
	renewPath  = "auth/token/renew-self"
)

// Run looks at the token until ctx ends, at once and then every RenewalEvery: at or
// below the threshold it is renewed. A failure is logged and observed as
// "token_renew"; operations go on under the token as it is.
func (s *Store) Run(ctx context.Context) error {
	for {
		s.maintain(ctx)
		select {
		case <-s.cfg.After(s.cfg.RenewalEvery):
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Store) maintain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.AttemptTimeout)
	defer cancel()
	start := s.cfg.Clock()
	err := s.broker.maintain(ctx)
	s.cfg.Observe("token_renew", s.cfg.Clock().Sub(start), err)
	if err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		s.cfg.Log.WarnContext(ctx, "the token of a secret back end was not renewed", "kind", string(s.cfg.Kind), "error", err)
	}
}

func (b *broker) maintain(ctx context.Context) error {
	token, err := b.token(ctx)
	if err != nil {
		return err
	}
	left, mortal, err := b.life(ctx, token)
	if err == nil && (!mortal || left > b.cfg.Renewal) {
		return nil
	}
	if err == nil {
		err = b.renew(ctx, token)
	}
	if err == nil || b.cfg.AppRole == nil {
		return err
	}
	return b.replace(ctx, token)
}

// life asks how long the token lives on; mortal is false for one that never ends.
func (b *broker) life(ctx context.Context, token string) (left time.Duration, mortal bool, err error) {
	a, err := b.exchange(ctx, query{method: http.MethodGet, path: lookupPath, token: token})
	if err != nil {
		return 0, false, err
	}
	var w struct {
		TTL     int64   `json:"ttl"` // seconds
		Expires *string `json:"expire_time"`
	}
	if err := a.into(&w); err != nil {
		return 0, false, err
	}
	return time.Duration(w.TTL) * time.Second, w.TTL > 0 || w.Expires != nil, nil
}

func (b *broker) renew(ctx context.Context, token string) error {
	start := b.cfg.Clock()
	a, err := b.exchange(ctx, query{method: http.MethodPost, path: renewPath, body: []byte(`{}`), token: token})
	if err != nil {
		return err
	}
	if err := a.refusal(); err != nil {
		return err
	}
	var w authWire
	if json.Unmarshal(a.body, &w) != nil || w.Auth == nil {
		return unreadable()
	}
	if err := b.take(ctx); err != nil {
		return err
	}
	defer func() { <-b.lock }()
	if b.current == token && w.Auth.TTL > 0 {
		b.expires = start.Add(time.Duration(w.Auth.TTL) * time.Second)
	}
	return nil
}

// replace logs in anew when a token cannot be renewed. While the login fails the
// old token stays in use for as long as it lives.
func (b *broker) replace(ctx context.Context, token string) error {
	if err := b.take(ctx); err != nil {
		return err
	}
	defer func() { <-b.lock }()
	if b.current != token {
		return nil
	}
	_, err := b.login(ctx)
	return err
}
