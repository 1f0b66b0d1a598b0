package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"time"
)

// bao is an OpenBao server with raft storage and its audit file on, unsealed.
type bao struct {
	*process
	address string
	root    string
	usual   string // token with the bench policy and, as installed, the default one
	tuned   string // token with the bench policy alone
	idle    int64
}

const baoConfig = `storage "raft" {
  path    = "%[1]s/raft"
  node_id = "bench"
}
listener "tcp" {
  address     = "%[2]s"
  tls_disable = true
}
audit "file" "file" {
  options {
    file_path = "%[1]s/audit.log"
  }
}
api_addr     = "http://%[2]s"
cluster_addr = "http://%[3]s"
`

// startBao is nil where no bao is on PATH.
func startBao(ctx context.Context, dir string) (*bao, error) {
	program, err := exec.LookPath("bao")
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // no OpenBao is an answer
	}
	if err := os.MkdirAll(dir+"/raft", 0o700); err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	b := &bao{}
	if b.address, err = freeAddress(ctx); err != nil {
		return nil, err
	}
	cluster, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(dir+"/bao.hcl", fmt.Appendf(nil, baoConfig, dir, b.address, cluster), 0o600); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	begun := time.Now()
	if b.process, err = start(dir, "bao", program, "server", "-config", dir+"/bao.hcl"); err != nil {
		return nil, err
	}
	if err := b.setUp(ctx, begun); err != nil {
		b.stop()
		return nil, fmt.Errorf("set up OpenBao: %w", err)
	}
	time.Sleep(time.Second)
	b.idle, err = rss(b.cmd.Process.Pid)
	return b, err
}

func (b *bao) setUp(ctx context.Context, begun time.Time) error {
	if err := b.until(ctx, "http://"+b.address+"/v1/sys/init", begun); err != nil {
		return err
	}
	var keys struct {
		Keys []string `json:"keys"`
		Root string   `json:"root_token"`
	}
	if err := b.ask(ctx, "sys/init", map[string]int{"secret_shares": 1, "secret_threshold": 1}, &keys); err != nil {
		return err
	}
	b.root = keys.Root
	if err := b.ask(ctx, "sys/unseal", map[string]string{"key": keys.Keys[0]}, nil); err != nil {
		return err
	}
	if err := b.until(ctx, "http://"+b.address+"/v1/sys/health", begun); err != nil {
		return err
	}
	if err := b.audited(ctx); err != nil {
		return err
	}
	rule := map[string]string{"policy": `path "secret/data/*" { capabilities = ["create", "read", "update"] }`}
	if err := b.ask(ctx, "sys/policies/acl/bench", rule, nil); err != nil {
		return err
	}
	mount := map[string]any{"type": "kv", "options": map[string]string{"version": "2"}}
	if err := b.ask(ctx, "sys/mounts/secret", mount, nil); err != nil {
		return err
	}
	var err error
	if b.usual, err = b.mint(ctx, false); err != nil {
		return err
	}
	b.tuned, err = b.mint(ctx, true)
	return err
}

// audited makes sure that the audit file of the configuration is in use.
func (b *bao) audited(ctx context.Context) error {
	status, body, err := call(ctx, http.MethodGet, "http://"+b.address+"/v1/sys/audit", "X-Vault-Token: "+b.root, nil)
	if err != nil {
		return err
	}
	var devices struct {
		Data map[string]any `json:"data"`
	}
	if err := json.Unmarshal(body, &devices); err != nil || len(devices.Data) == 0 {
		return fmt.Errorf("no audit device is on (%d): versions before 2.4 know no audit stanza", status)
	}
	return nil
}

func (b *bao) mint(ctx context.Context, alone bool) (string, error) {
	var made struct {
		Auth struct {
			Token string `json:"client_token"`
		} `json:"auth"`
	}
	err := b.ask(ctx, "auth/token/create",
		map[string]any{"policies": []string{"bench"}, "no_default_policy": alone, "ttl": "4h"}, &made)
	return made.Auth.Token, err
}

// ask posts JSON to the API; into may be nil.
func (b *bao) ask(ctx context.Context, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	status, said, err := call(ctx, http.MethodPost, "http://"+b.address+"/v1/"+path, "X-Vault-Token: "+b.root, text)
	if err != nil {
		return fmt.Errorf("ask %s: %w", path, err)
	}
	if status >= http.StatusBadRequest {
		return fmt.Errorf("%s answers %d: %s", path, status, said)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(said, into); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// fill writes the secrets to be read, as soon as the mount takes them: it prepares
// itself for a moment after it was made.
func (b *bao) fill(ctx context.Context, secrets int) error {
	t, err := b.put(b.usual, "r")
	if err != nil {
		return err
	}
	for range 50 {
		if err = fill(ctx, b.address, t, 0, 1); err == nil {
			return fill(ctx, b.address, t, 0, secrets)
		}
		time.Sleep(200 * time.Millisecond)
	}
	return err
}

func (b *bao) read(token string) (template, error) {
	return newTemplate(http.MethodGet, "/v1/secret/data/bench/r/"+slot, "X-Vault-Token: "+token+"\r\n", "")
}

func (b *bao) put(token, folder string) (template, error) {
	return newTemplate(http.MethodPost, "/v1/secret/data/bench/"+folder+"/"+slot,
		"X-Vault-Token: "+token+"\r\n", `{"data":`+value+`}`)
}
