package vault_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/openbao/openbao/api/v2"

	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/storetest"
	"github.com/coffer-dev/coffer/internal/store/vault"
)

// TestConformanceOnARealServer holds the adapter to a real OpenBao or Vault: the one
// of OPENBAO_ADDR and OPENBAO_TOKEN, else one that it starts in development mode
// from bao or vault on PATH. Every case has a mount of its own.
func TestConformanceOnARealServer(t *testing.T) {
	address, token, kind := realServer(t)
	cases := 0
	storetest.Run(t, func(t *testing.T) storetest.Instance {
		cases++
		mount := fmt.Sprintf("coffer-test-%d-%d", time.Now().UnixNano(), cases)
		admin := realClient(t, address, token)
		if err := admin.Sys().Mount(mount, &api.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := admin.Sys().Unmount(mount); err != nil {
				t.Error(err)
			}
		})
		s, err := vault.New(vault.Config{Kind: kind, Address: address, Tenant: "a", Token: vault.Credential(token)})
		if err != nil {
			t.Fatal(err)
		}
		waitForMount(t, s, mount)
		return storetest.Instance{
			Store: s, Can: vault.Can(), MountName: mount, Float64Numbers: true,
			Mount: func(m secret.MountSettings) { configureMount(t, admin, mount, m) },
		}
	})
}

// realServer finds or starts a server, or skips.
func realServer(t *testing.T) (address, token string, kind vault.Kind) {
	t.Helper()
	if address = os.Getenv("OPENBAO_ADDR"); address != "" {
		return address, os.Getenv("OPENBAO_TOKEN"), vault.OpenBao
	}
	for _, c := range []struct {
		binary string
		kind   vault.Kind
	}{{"bao", vault.OpenBao}, {"vault", vault.HashiCorp}} {
		if path, err := exec.LookPath(c.binary); err == nil {
			address, token = startServer(t, path)
			return address, token, c.kind
		}
	}
	t.Skip("NOT TESTED AGAINST A REAL SERVER: set OPENBAO_ADDR and OPENBAO_TOKEN, or put bao or vault on PATH")
	return "", "", ""
}

// startServer runs a development server on a free loopback port until the test ends.
func startServer(t *testing.T, path string) (address, token string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := l.Addr().String()
	_ = l.Close()
	token = "development-root"
	ctx, stop := context.WithCancel(context.Background())
	server := exec.CommandContext(ctx, path, "server", "-dev", "-dev-root-token-id="+token, "-dev-listen-address="+listen)
	server.Env = append(os.Environ(), "HOME="+t.TempDir())
	if err := server.Start(); err != nil {
		stop()
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); _ = server.Wait() }) // killed by us: its exit says nothing
	address = "http://" + listen
	for range 100 {
		if resp, err := http.Get(address + "/v1/sys/health"); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return address, token
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("the server does not come up")
	return "", ""
}

func realClient(t *testing.T, address, token string) *api.Client {
	t.Helper()
	cfg := api.NewConfig()
	cfg.Address = address
	client, err := api.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken(token)
	return client
}

// waitForMount waits until a new KV v2 mount has finished its own preparation.
func waitForMount(t *testing.T, s *vault.Store, mount string) {
	t.Helper()
	var err error
	for range 100 {
		if _, err = s.List(context.Background(), secret.Ref{Tenant: "a", Mount: mount}, secret.ListOptions{}); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("the mount does not come up: %v", err)
}

func configureMount(t *testing.T, admin *api.Client, mount string, m secret.MountSettings) {
	t.Helper()
	_, err := admin.Logical().Write(strings.Join([]string{mount, "config"}, "/"), map[string]any{
		"max_versions": m.MaxVersions, "cas_required": m.CASRequired,
		"delete_version_after": m.DeleteVersionAfter.String(), "metadata_cas_required": m.MetaCASRequired,
	})
	if err != nil {
		t.Fatal(err)
	}
}
