package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime/pprof"
	"time"

	"github.com/coffer-dev/coffer/internal/config"
	"github.com/coffer-dev/coffer/internal/daemon"
)

// profileRole makes this program a Coffer that can be profiled; its arguments are
// those of coffer serve. Profiles are served on profileEnv, apart from its doors.
const (
	profileRole = "serve"
	profileEnv  = "BENCH_PROFILES"
)

func serveProfiled(ctx context.Context, file string) error {
	cfg, err := config.Load(config.Options{File: file, Env: os.LookupEnv, Mode: config.Serve})
	if err != nil {
		return err
	}
	srv := &http.Server{Addr: os.Getenv(profileEnv), Handler: profiles(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = srv.ListenAndServe() }()
	d, err := daemon.Start(ctx, daemon.Options{Config: cfg, Log: os.Stderr})
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case err = <-d.Failed():
	}
	return errors.Join(err, srv.Close(), d.Close())
}

// profiles serves /cpu, which takes the time that its query names, and the profiles
// of the runtime by name.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /cpu", func(w http.ResponseWriter, r *http.Request) {
		d, err := time.ParseDuration(r.URL.Query().Get("d"))
		if err == nil {
			err = pprof.StartCPUProfile(w)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		time.Sleep(d)
		pprof.StopCPUProfile()
	})
	mux.HandleFunc("GET /{name}", func(w http.ResponseWriter, r *http.Request) {
		p := pprof.Lookup(r.PathValue("name"))
		if p == nil {
			http.NotFound(w, r)
			return
		}
		_ = p.WriteTo(w, 0) // the reader went away
	})
	return mux
}

// profile loads a Coffer of this program's own build and keeps CPU and allocation
// profiles of reads and writes at 64 connections in a directory.
func profile(ctx context.Context, s settings) error {
	dir, err := os.MkdirTemp("", "coffer-profile-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the system cleans up what is left
	if s.binary, err = os.Executable(); err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	if err := os.Setenv(profileEnv, address); err != nil {
		return fmt.Errorf("tell the profiled process: %w", err)
	}
	r := &ring{settings: s, dir: dir, results: results{}}
	defer r.close()
	if err := r.openOurs(ctx); err != nil {
		return err
	}
	for _, e := range r.entrants {
		if err := r.profileOne(ctx, e, address); err != nil {
			return err
		}
	}
	return nil
}

func (r *ring) profileOne(ctx context.Context, e entrant, address string) error {
	got := make(chan error, 1)
	go func() {
		time.Sleep(r.load(most).Warm)
		got <- fetch(ctx, "http://"+address+"/cpu?d="+r.settings.span.String(), r.settings.profile, e.work+".cpu")
	}()
	s, err := e.measure(ctx, r.load(most))
	if err != nil {
		return err
	}
	_, _ = fmt.Printf("%s: %.0f a second, p50 %s, p99 %s\n", e.work, s.Rate, short(s.P50), short(s.P99))
	return errors.Join(<-got, fetch(ctx, "http://"+address+"/allocs", r.settings.profile, e.work+".allocs"))
}

func fetch(ctx context.Context, url, dir, name string) error {
	status, body, err := call(ctx, http.MethodGet, url, "", nil)
	if err != nil {
		return fmt.Errorf("fetch profile: %w", err)
	}
	if status != http.StatusOK {
		return fmt.Errorf("fetch profile: %d: %s", status, body)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
		return fmt.Errorf("keep profile: %w", err)
	}
	return nil
}
