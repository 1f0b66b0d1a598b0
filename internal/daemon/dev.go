package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"

	"github.com/coffer-dev/coffer/internal/config"
	"github.com/coffer-dev/coffer/internal/door"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity/devissuer"
	"github.com/coffer-dev/coffer/internal/seal/kek"
)

// prepareDev makes what coffer dev needs and is missing: the data directory, the key
// encryption key, the issuer of its tokens.
func (d *Daemon) prepareDev(context.Context) error {
	if d.cfg.Mode != config.Dev {
		return nil
	}
	if err := os.MkdirAll(d.cfg.DataDir, 0o700); err != nil {
		return fault.Wrap(fault.Unavailable, err, "make the data directory")
	}
	if file := d.cfg.KEK.Active.File; file != "" {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			if err := kek.CreateFile(file); err != nil {
				return fmt.Errorf("create the key encryption key: %w", err)
			}
		}
	}
	var err error
	d.dev, err = devissuer.Open(d.cfg.DataDir)
	return err
}

// announceDev records where the issuer is reached, so that coffer token can mint.
func (d *Daemon) announceDev() error {
	if d.dev == nil {
		return nil
	}
	_, err := d.dev.Announce(d.url)
	return err
}

// serveDev serves the issuer's documents.
func (d *Daemon) serveDev(mux *door.Mux) {
	if d.dev == nil {
		return
	}
	document := func(render func() ([]byte, error)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			body, err := render()
			if err != nil {
				d.log.Error("document of the dev issuer", "error", err)
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			door.Raw(w, http.StatusOK, body)
		})
	}
	mux.At(devissuer.Path+"/.well-known/openid-configuration", document(func() ([]byte, error) { return d.dev.Discovery(d.url) }))
	mux.At(devissuer.Path+"/jwks.json", document(d.dev.JWKS))
}
