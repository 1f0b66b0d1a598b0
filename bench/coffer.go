package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/coffer-dev/coffer/internal/identity/devissuer"
	"github.com/coffer-dev/coffer/internal/seal/kek"
)

// value is what every write writes and every read gets, on every contestant.
const value = `{"username":"app-user","password":"correct-horse-battery-staple","host":"db.internal.example","port":5432}`

// issuer signs the tokens of the callers, as an identity provider would. It serves
// its keys on an address of its own.
type issuer struct {
	keys *devissuer.Issuer
	url  string
	http *http.Server
}

func newIssuer(ctx context.Context, dir string) (*issuer, error) {
	keys, err := devissuer.Open(filepath.Join(dir, "issuer"))
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the issuer: %w", err)
	}
	base := "http://" + l.Addr().String()
	i := &issuer{keys: keys}
	if i.url, err = keys.Announce(base); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	document := func(path string, text func() ([]byte, error)) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			body, err := text()
			if err != nil {
				w.WriteHeader(http.StatusInternalServerError)
			}
			_, _ = w.Write(body) // who went away asks again
		})
	}
	document(devissuer.Path+"/.well-known/openid-configuration", func() ([]byte, error) { return keys.Discovery(base) })
	document(devissuer.Path+"/jwks.json", keys.JWKS)
	i.http = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = i.http.Serve(l) }()
	return i, nil
}

// coffer is bin/coffer serve, in production settings.
type coffer struct {
	*process
	address string
	token   string
	idle    int64 // resident bytes when ready and idle
}

// startCoffer runs it in a directory of its own; command comes before the program.
func startCoffer(ctx context.Context, dir, binary string, i *issuer, command ...string) (*coffer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	if err := kek.CreateFile(dir + "/kek"); err != nil {
		return nil, err
	}
	config := fmt.Sprintf(cofferConfig, address, dir, i.url)
	if err := os.WriteFile(dir+"/coffer.yaml", []byte(config), 0o600); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	c := &coffer{address: address}
	if c.token, err = i.keys.Mint(devissuer.Claims{Subject: "bench", Groups: []string{"bench"}}); err != nil {
		return nil, err
	}
	begun := time.Now()
	if c.process, err = start(dir, "coffer", append(command, binary, "serve", "--config", dir+"/coffer.yaml")...); err != nil {
		return nil, err
	}
	if err := c.until(ctx, "http://"+address+"/readyz", begun); err != nil {
		c.stop()
		return nil, err
	}
	time.Sleep(time.Second)
	c.idle, err = rss(c.cmd.Process.Pid)
	return c, err
}

// cofferConfig leaves all else at its default.
const cofferConfig = `environment: prod
listen: %[1]q
data_dir: "%[2]s/data"
kek: {active: {file: "%[2]s/kek"}}
audit: {file: "%[2]s/audit.log"}
secrets: {require_auth: true}
identity:
  issuers: [{url: %[3]q, alias: bench, allow_private: true}]
policy:
  bootstrap:
    policies:
      - name: bench
        hcl: 'path "secret/*" { capabilities = ["create", "read", "update", "delete", "list"] }'
    groups: [{name: bench, alias: bench, policies: [bench]}]
`

func (c *coffer) read() (template, error) {
	return newTemplate(http.MethodGet, "/api/secrets/value?uri=coffer%2Bkv2://secret/bench/r/"+slot, bearer(c.token), "")
}

// put writes to a folder: what is written under load is not what is read.
func (c *coffer) put(folder string) (template, error) {
	return newTemplate(http.MethodPost, "/api/secrets", bearer(c.token),
		`{"uri":"coffer+kv2://secret/bench/`+folder+`/`+slot+`","value":`+value+`}`)
}

func bearer(token string) string { return "Authorization: Bearer " + token + "\r\n" }
