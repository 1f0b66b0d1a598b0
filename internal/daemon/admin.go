package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/coffer-dev/coffer/internal/door"
	"github.com/coffer-dev/coffer/internal/fault"
)

// adminTimeout bounds one request of an operator: a retirement reads every record.
const adminTimeout = 5 * time.Minute

// startAdmin serves the keyring to coffer keyring.
func (d *Daemon) startAdmin(ctx context.Context) error {
	if d.cfg.DataDir == "" {
		return nil
	}
	if err := os.MkdirAll(d.cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	path, release, err := AdminSocket(d.cfg.DataDir)
	if err != nil {
		return err
	}
	d.onStop("admin socket's directory", func(context.Context) error {
		release()
		return nil
	})
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the old admin socket: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("listen on the admin socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(err, l.Close())
	}
	srv := &http.Server{Handler: d.operatorRoutes(), ReadHeaderTimeout: 10 * time.Second}
	d.onStop("admin socket", func(context.Context) error { return srv.Close() })
	go func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			d.failed <- fmt.Errorf("serve the admin socket: %w", err)
		}
	}()
	return nil
}

// operatorRoutes is what an operator may do.
func (d *Daemon) operatorRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /keyring", d.operator(func(ctx context.Context, _ *http.Request) (any, error) {
		return d.ledger.Keyring(ctx)
	}))
	mux.HandleFunc("POST /keyring/rotate", d.operator(func(ctx context.Context, _ *http.Request) (any, error) {
		id, err := d.ledger.RotateDataKey(ctx)
		return map[string]uint32{"active": id}, err
	}))
	mux.HandleFunc("POST /keyring/rewrap", d.operator(func(ctx context.Context, _ *http.Request) (any, error) {
		return map[string]bool{"rewrapped": true}, d.ledger.Rewrap(ctx)
	}))
	mux.HandleFunc("POST /keyring/retire/{id}", d.operator(func(ctx context.Context, r *http.Request) (any, error) {
		id, err := strconv.ParseUint(r.PathValue("id"), 10, 32)
		if err != nil {
			return nil, fault.New(fault.Invalid, "a data key is named by its number")
		}
		return map[string]uint64{"retired": id}, d.ledger.Retire(ctx, uint32(id))
	}))
	return mux
}

// operator answers with JSON; an error names its kind and public detail.
func (d *Daemon) operator(do func(context.Context, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), adminTimeout)
		defer cancel()
		out, err := do(ctx, r)
		d.log.Info("operator", "method", r.Method, "path", r.URL.Path, "ok", err == nil)
		if err == nil {
			body, err := json.Marshal(out)
			if err == nil {
				door.Raw(w, http.StatusOK, body)
				return
			}
		}
		d.log.Warn("operator request", "error", err)
		text := fault.KindOf(err).Error()
		var f *fault.Error
		if errors.As(err, &f) && f.Detail != "" {
			text = f.Detail
		}
		body, _ := json.Marshal(map[string]string{"error": text}) // a map of texts always encodes
		door.Raw(w, http.StatusConflict, body)
	}
}
