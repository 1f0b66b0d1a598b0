package vault

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
)

// Kind is the server product.
type Kind string

// The two products. HashiCorp Vault lacks SCAN and metadata check-and-set.
const (
	OpenBao   Kind = "openbao"
	HashiCorp Kind = "hashicorp"
)

// Credential is a token or a secret id. However it is printed or logged it shows
// as [redacted].
type Credential string

const redacted = "[redacted]"

// Format hides the credential from every verb of package fmt.
func (Credential) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue hides the credential from slog.
func (Credential) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the credential from encoders.
func (Credential) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// AppRole is a login by role; a new one follows whenever its token has expired.
type AppRole struct {
	Mount    string // where the method is mounted; empty means "approle"
	RoleID   string
	SecretID Credential
}

// Config says which server a Store talks to, and how. Zero values take the
// defaults that each field states.
type Config struct {
	Kind      Kind   // the product; required
	Address   string // such as https://bao.example:8200; required
	Namespace string // sent with every request; empty is the root namespace
	// Tenant is the one tenant that this server serves: it knows no tenants, so a
	// ref of any other is NotFound. Required.
	Tenant string
	// Token or AppRole, exactly one, is how the broker shows who it is.
	Token   Credential
	AppRole *AppRole

	SkipVerify bool           // accept any server certificate; for tests
	RootCAs    *x509.CertPool // nil: those of the system
	PoolSize   int            // idle connections kept; 0 means 10
	Concurrent int            // operations in work, over it RateLimited; 0 means 50

	Timeout        time.Duration // one operation, all attempts together; 0 means 30 s
	AttemptTimeout time.Duration // one attempt of a read; 0 means 10 s
	// Renewal is the remaining life of the token at which it is renewed; 0 means 600 s.
	Renewal time.Duration
	// RenewalEvery is how often Run looks at the token; 0 means 60 s.
	RenewalEvery time.Duration

	BreakerThreshold int           // failures within a minute that open the circuit; 0 means 5
	BreakerOpen      time.Duration // how long it stays open; 0 means 30 s

	// Observe is told of every operation when it is over; nil tells nobody. It must
	// be safe for concurrent use.
	Observe func(op string, d time.Duration, err error)
	// OnCircuitOpen is told whenever the circuit opens; nil tells nobody.
	OnCircuitOpen func()
	// Log hears of failed token renewals; nil discards.
	Log *slog.Logger

	Clock  func() time.Time                     // nil means time.Now
	After  func(time.Duration) <-chan time.Time // paces attempts and renewals; nil means time.After
	Random func() float64                       // jitter, from 0 to below 1; nil means math/rand
}

func (c *Config) check() error {
	u, err := url.Parse(c.Address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fault.New(fault.Invalid, "vault back end: address must be an http or https URL")
	case c.Kind != OpenBao && c.Kind != HashiCorp:
		return fault.New(fault.Invalid, "vault back end: kind must be %q or %q", OpenBao, HashiCorp)
	case c.Tenant == "":
		return fault.New(fault.Invalid, "vault back end: a tenant is required")
	case (c.Token == "") == (c.AppRole == nil):
		return fault.New(fault.Invalid, "vault back end: either a token or an AppRole is required")
	case c.AppRole != nil && (c.AppRole.RoleID == "" || c.AppRole.SecretID == ""):
		return fault.New(fault.Invalid, "vault back end: an AppRole needs role id and secret id")
	}
	return nil
}

func (c *Config) fill() {
	orElse(&c.PoolSize, 10)
	orElse(&c.Concurrent, 50)
	orElse(&c.Timeout, 30*time.Second)
	orElse(&c.AttemptTimeout, 10*time.Second)
	orElse(&c.Renewal, 600*time.Second)
	orElse(&c.RenewalEvery, 60*time.Second)
	orElse(&c.BreakerThreshold, 5)
	orElse(&c.BreakerOpen, 30*time.Second)
	if c.AppRole != nil {
		role := *c.AppRole
		orElse(&role.Mount, "approle")
		c.AppRole = &role
	}
	if c.Observe == nil {
		c.Observe = func(string, time.Duration, error) {}
	}
	if c.OnCircuitOpen == nil {
		c.OnCircuitOpen = func() {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.After == nil {
		c.After = time.After
	}
	if c.Random == nil {
		c.Random = rand.Float64
	}
}

func orElse[T comparable](dst *T, otherwise T) {
	var zero T
	if *dst == zero {
		*dst = otherwise
	}
}

func (c *Config) transport() http.RoundTripper {
	return &bounded{next: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout:     90 * time.Second,
		MaxIdleConns:        c.PoolSize,
		MaxIdleConnsPerHost: c.PoolSize,
		ForceAttemptHTTP2:   true,
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			RootCAs:            c.RootCAs,
			InsecureSkipVerify: c.SkipVerify, //nolint:gosec // VAULT_VERIFY_SSL=false is a documented choice
		},
	}}
}
