package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/coffer-dev/coffer/internal/config"
	"github.com/coffer-dev/coffer/internal/door"
	"github.com/coffer-dev/coffer/internal/door/canonical"
)

// listen starts the shared listener, and those that doors have of their own.
func (d *Daemon) listen(ctx context.Context) error {
	l, scheme, err := d.bind(ctx, d.cfg.Listen, d.cfg.TLS)
	if err != nil {
		return err
	}
	d.url = scheme + "://" + l.Addr().String()
	if err := d.announceDev(); err != nil {
		return errors.Join(err, l.Close())
	}
	root, err := d.root()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	d.serve("listener", l, root)
	for _, own := range d.cfg.Listeners {
		l, _, err := d.bind(ctx, own.Address, own.TLS)
		if err != nil {
			return err
		}
		d.serve("listener "+own.Address, l, d.open(own.Doors))
	}
	return nil
}

// bind listens on an address, with TLS where a certificate is configured.
func (d *Daemon) bind(ctx context.Context, address string, c config.ServerTLS) (net.Listener, string, error) {
	tlsConfig, err := serverTLS(c)
	if err != nil {
		return nil, "", err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, "", fmt.Errorf("listen: %w", err)
	}
	if tlsConfig == nil {
		return l, "http", nil
	}
	return tlsListener(l, tlsConfig), "https", nil
}

// serve answers on a listener until the daemon stops; requests in work finish first.
func (d *Daemon) serve(name string, l net.Listener, h http.Handler) {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelDebug),
	}
	d.fronts = append(d.fronts, stop{name, func(ctx context.Context) error {
		if err := srv.Shutdown(ctx); err != nil {
			return errors.Join(err, srv.Close())
		}
		return nil
	}})
	go func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			d.failed <- fmt.Errorf("serve: %w", err)
		}
	}()
}

// root serves the shared listener: probes and documents at once, and the doors that
// have no listener of their own when they are open.
func (d *Daemon) root() (http.Handler, error) {
	var shared []string
	for name := range doorPaths() {
		if !slices.ContainsFunc(d.cfg.Listeners, func(l config.Listener) bool { return slices.Contains(l.Doors, name) }) {
			shared = append(shared, name)
		}
	}
	mux := door.NewMux(d.open(shared))
	mux.At("/livez", d.health.Live())
	mux.At("/readyz", d.health.Readyz())
	mux.At("/healthz", d.health.Healthz())
	mux.At("/metrics", d.metrics.Handler())
	d.serveDev(mux)
	return mux, d.serveDocuments(mux)
}

// doorPaths are the doors and what they serve below.
func doorPaths() map[string]string { return map[string]string{"canonical": canonical.Base} }

// open serves some doors. Until the store is unsealed they answer that it is not there.
func (d *Daemon) open(names []string) http.Handler {
	mux := door.NewMux(http.HandlerFunc(canonical.NoRoute))
	for _, name := range names {
		mux.Under(doorPaths()[name], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if doors := d.doors.Load(); doors != nil {
				(*doors)[name].ServeHTTP(w, r)
				return
			}
			canonical.Unavailable(w, r)
		}))
	}
	return mux
}
