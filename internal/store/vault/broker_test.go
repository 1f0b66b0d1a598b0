package vault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/store/vault"
)

// tokenServer answers reads of secrets and plays the part of a server's token store.
type tokenServer struct {
	ttl    int  // seconds left
	mortal bool // the token has an end
	refuse bool // renewals fail
	logins int
	dead   map[string]bool
}

func (s *tokenServer) respond(q asked) said {
	denied := said{status: 403, body: `{"errors":["permission denied"]}`}
	switch {
	case strings.HasSuffix(q.target, "/auth/approle/login"):
		if !strings.Contains(q.body, `"secret_id":"role-secret"`) {
			return said{status: 400, body: `{"errors":["invalid role or secret ID"]}`}
		}
		s.logins++
		return said{status: 200, body: fmt.Sprintf(`{"auth":{"client_token":"login-%d","lease_duration":%d}}`, s.logins, s.ttl)}
	case s.dead[q.token]:
		return denied
	case strings.HasSuffix(q.target, "lookup-self"):
		expires := "null"
		if s.mortal {
			expires = `"2026-01-02T03:04:05Z"`
		}
		return said{status: 200, body: fmt.Sprintf(`{"data":{"ttl":%d,"expire_time":%s}}`, s.ttl, expires)}
	case strings.HasSuffix(q.target, "renew-self"):
		if s.refuse {
			return said{status: 400, body: `{"errors":["lease is not renewable"]}`}
		}
		return said{status: 200, body: `{"auth":{"client_token":"x","lease_duration":3600}}`}
	case strings.Contains(q.target, "/forbidden"):
		return denied
	}
	return said{status: 200, body: alive}
}

// upkeep runs two rounds of the token's upkeep.
func (b *bench) upkeep() {
	b.Helper()
	b.tick = make(chan time.Time)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Store.Run(ctx) }()
	for round := range 2 {
		if d := <-b.pauses; d != time.Minute {
			b.Errorf("looks every %v", d)
		}
		if round == 0 {
			b.tick <- time.Time{}
		}
	}
	cancel()
	if err := <-done; err != nil {
		b.Error(err)
	}
	b.tick = nil
}

func count(targets []string, part string) (n int) {
	for _, s := range targets {
		if strings.Contains(s, part) {
			n++
		}
	}
	return n
}

// E19: at the threshold the token is renewed; a failure is logged and counted, and
// reads go on.
func TestE19_Renewal(t *testing.T) {
	for name, c := range map[string]struct {
		server tokenServer
		renews bool
	}{
		"far from its end":   {tokenServer{ttl: 601, mortal: true}, false},
		"at the threshold":   {tokenServer{ttl: 600, mortal: true}, true},
		"nearly over":        {tokenServer{ttl: 1, mortal: true}, true},
		"without end":        {tokenServer{ttl: 0}, false},
		"renewal is refused": {tokenServer{ttl: 5, mortal: true, refuse: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, c.server.respond, nil)
			b.upkeep()
			if got := count(b.script.targets(), "renew-self") > 0; got != c.renews {
				t.Fatalf("renewed: %t", got)
			}
			if count(b.script.targets(), "lookup-self") != 2 {
				t.Fatal("the token was not looked up in each round")
			}
			failed := c.server.refuse
			if logged := strings.Contains(b.log.String(), "was not renewed"); logged != failed {
				t.Errorf("logged: %q", b.log.String())
			}
			if counted := count(b.seen, "token_renew invalid") > 0; counted != failed {
				t.Errorf("observed %q", b.seen)
			}
			if strings.Contains(b.log.String(), "broker-token") {
				t.Error("the token is in the log")
			}
			if _, err := b.get(0); err != nil {
				t.Errorf("read: %v", err)
			}
		})
	}
}

func withRole(c *vault.Config) {
	c.Token, c.AppRole = "", &vault.AppRole{RoleID: "role", SecretID: "role-secret"}
}

func TestAppRoleLogsInOnceAndAgainAfterExpiry(t *testing.T) {
	server := &tokenServer{ttl: 60, mortal: true}
	b := newBench(t, server.respond, withRole)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := b.get(0); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if server.logins != 1 {
		t.Fatalf("%d logins", server.logins)
	}
	b.clock.Advance(61 * time.Second)
	if _, err := b.get(0); err != nil || server.logins != 2 {
		t.Errorf("%d logins after expiry: %v", server.logins, err)
	}
}

// A token that died early is replaced and the refused request sent again; one that
// lives is refused for good.
func TestAppRoleReplacesADeadToken(t *testing.T) {
	server := &tokenServer{ttl: 3600, mortal: true, dead: map[string]bool{}}
	b := newBench(t, server.respond, withRole)
	if _, err := b.get(0); err != nil {
		t.Fatal(err)
	}
	server.dead["login-1"] = true
	if _, err := b.get(0); err != nil || server.logins != 2 {
		t.Fatalf("after %d logins: %v", server.logins, err)
	}
	_, err := b.Get(context.Background(), ref("forbidden"), 0)
	b.fails(err, fault.ProviderDenied)
	if server.logins != 2 {
		t.Error("a refusal of the path led to a login")
	}
}

func TestStaticTokenIsRefusedForGood(t *testing.T) {
	server := &tokenServer{dead: map[string]bool{"broker-token": true}}
	b := newBench(t, server.respond, nil)
	_, err := b.get(0)
	b.fails(err, fault.ProviderDenied)
	if b.script.count() != 1 {
		t.Errorf("asked %q", b.script.targets())
	}
}

func TestAppRoleIsRefused(t *testing.T) {
	b := newBench(t, (&tokenServer{}).respond, func(c *vault.Config) {
		c.Token, c.AppRole = "", &vault.AppRole{RoleID: "role", SecretID: "wrong"}
	})
	_, err := b.get(0)
	b.fails(err, fault.ProviderDenied)
	b = newBench(t, func(asked) said { return said{status: 503} }, withRole)
	_, err = b.get(0)
	b.fails(err, fault.Unavailable)
	b = newBench(t, always(200, `{"auth":null}`), withRole)
	_, err = b.get(0)
	b.fails(err, fault.ProviderFailed)
}

// E19 with a login: what cannot be renewed is replaced before it ends.
func TestE19_AppRoleReplacesWhatCannotBeRenewed(t *testing.T) {
	server := &tokenServer{ttl: 300, mortal: true, refuse: true}
	b := newBench(t, server.respond, withRole)
	b.upkeep()
	if server.logins != 3 { // the first, and one for each round
		t.Errorf("%d logins", server.logins)
	}
	server.refuse = false
	b.upkeep()
	if server.logins != 3 {
		t.Errorf("%d logins although renewal works", server.logins)
	}
	b.clock.Advance(3500 * time.Second) // beyond the first life, within the renewed one
	if _, err := b.get(0); err != nil || server.logins != 3 {
		t.Errorf("after %d logins: %v", server.logins, err)
	}
}

func TestCredentialsNeverShow(t *testing.T) {
	role := vault.AppRole{RoleID: "role", SecretID: "role-secret"}
	cfg := vault.Config{Token: "broker-token", AppRole: &role}
	encoded, err := json.Marshal(struct{ Token vault.Credential }{cfg.Token})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("config", "token", cfg.Token)
	for _, text := range []string{
		fmt.Sprintf("%v %+v %#v %s %q", cfg.Token, role, role, role.SecretID, role.SecretID), fmt.Sprint(cfg.Token), string(encoded), log.String(),
	} {
		if strings.Contains(text, "broker-token") || strings.Contains(text, "role-secret") {
			t.Errorf("shown in %s", text)
		}
	}
}
