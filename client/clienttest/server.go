package clienttest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/client"
	"github.com/coffer-dev/coffer/internal/config"
	"github.com/coffer-dev/coffer/internal/daemon"
	"github.com/coffer-dev/coffer/internal/identity/devissuer"
	"github.com/coffer-dev/coffer/internal/telemetry/logtest"
)

// startTime bounds the wait for readiness; a loaded machine needs a second or two.
const startTime = 30 * time.Second

// Server is a running Coffer. It is safe for concurrent use.
type Server struct {
	// URL is the address of the shared listener, such as http://127.0.0.1:40123.
	URL string

	t testing.TB
	d *daemon.Daemon
}

// Start runs a Coffer until the test ends and waits until it is ready. It is set up
// as coffer dev: anybody may do anything on mount secret unless the environment says
// otherwise, given as NAME=value, such as SECRETS_API_REQUIRE_AUTH=true. The
// variables of the process play no part. Its log is shown when the test fails.
func Start(t testing.TB, environment ...string) *Server {
	t.Helper()
	env := map[string]string{}
	for _, entry := range environment {
		name, value, _ := strings.Cut(entry, "=")
		env[name] = value
	}
	cfg, err := config.Load(config.Options{
		Mode:  config.Dev,
		Env:   func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Flags: map[string]string{"listen": "127.0.0.1:0", "data_dir": t.TempDir(), "kafka.dev_listen": "off"},
	})
	if err != nil {
		t.Fatalf("configure Coffer: %v", err)
	}
	log := &logtest.Log{}
	d, err := daemon.Start(t.Context(), daemon.Options{Config: cfg, Log: log})
	if err != nil {
		t.Fatalf("start Coffer: %v", err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("stop Coffer: %v", err)
		}
		if t.Failed() {
			t.Logf("log of Coffer:\n%s", log)
		}
	})
	for end := time.Now().Add(startTime); !d.Ready(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("Coffer is not ready after %s", startTime)
		}
	}
	return &Server{URL: d.URL(), t: t, d: d}
}

// Caller is whom a token speaks for.
type Caller struct {
	// Subject names the caller; empty is "tester".
	Subject string
	// Groups are the groups claim; nil is dev, which may do anything on mount secret.
	Groups []string
	// Roles are the realm roles.
	Roles []string
	// Scopes are the OAuth scopes; nil is every scope of the door.
	Scopes []string
	// Life of the token; 0 is an hour, below 0 it has expired.
	Life time.Duration
}

// Token mints a token of the server's issuer.
func (s *Server) Token(c Caller) string {
	s.t.Helper()
	if c.Subject == "" {
		c.Subject = "tester"
	}
	if c.Groups == nil {
		c.Groups = []string{"dev"}
	}
	if c.Scopes == nil {
		c.Scopes = strings.Fields("secrets.read secrets.write secrets.delete secrets.destroy secrets.rotate secrets.read_metadata secrets.set_owner")
	}
	token, err := s.d.Issuer().Mint(devissuer.Claims{
		Subject: c.Subject, Groups: c.Groups, Roles: c.Roles, Scopes: c.Scopes, TTL: c.Life,
	})
	if err != nil {
		s.t.Fatalf("mint a token: %v", err)
	}
	return token
}

// Client is a client that calls as c.
func (s *Server) Client(c Caller) *client.Client {
	s.t.Helper()
	token := s.Token(c)
	out, err := client.New(client.Config{
		URL: s.URL, Token: func(context.Context) (string, error) { return token, nil },
	})
	if err != nil {
		s.t.Fatalf("make a client: %v", err)
	}
	return out
}
