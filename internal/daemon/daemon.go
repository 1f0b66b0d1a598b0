package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/config"
	"github.com/coffer-dev/coffer/internal/door"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity/devissuer"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/telemetry"
)

// Options are what a daemon takes besides its configuration.
type Options struct {
	Config *config.Config
	Log    io.Writer // log lines; required
	Now    func() time.Time
	// Version of the program, as traces show it.
	Version string
}

// Daemon is a running Coffer. Start makes it; Close ends it.
type Daemon struct {
	cfg     *config.Config
	log     *slog.Logger
	level   *slog.LevelVar
	now     func() time.Time
	metrics *telemetry.Metrics
	health  *telemetry.Health
	ledger  *ledger.Ledger
	sink    *audit.File
	ring    *audit.Ring
	dev     *devissuer.Issuer // of coffer dev

	version  string
	tracer   door.Tracer // nil: off
	url      string
	doors    atomic.Pointer[map[string]http.Handler] // by name; nil until the store is unsealed
	closing  chan struct{}
	mu       sync.Mutex
	stops    []stop // in the order of starting; guarded by mu
	fronts   []stop // the listeners; they stop first
	failed   chan error
	shutting sync.Once
}

type stop struct {
	name string
	do   func(context.Context) error
}

// An orderly stop is bounded: the requests in work may take so long, and then the
// parts below them.
const (
	drain  = 6 * time.Second
	settle = 3 * time.Second
)

// Start builds and runs everything. It returns as soon as the listener accepts;
// readiness follows when the store is unsealed. On an error nothing is left running.
func Start(ctx context.Context, o Options) (_ *Daemon, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &Daemon{
		cfg: o.Config, now: o.Now, version: o.Version, level: new(slog.LevelVar), ring: audit.NewRing(o.Config.Audit.Ring),
		closing: make(chan struct{}), failed: make(chan error, 4),
	}
	if err := d.level.UnmarshalText([]byte(o.Config.Log.Level)); err != nil {
		return nil, fmt.Errorf("log level: %w", err)
	}
	d.log = telemetry.Logger(o.Log, d.level)
	defer func() {
		if err != nil {
			_ = d.Close()
		}
	}()
	for _, step := range []func(context.Context) error{
		d.prepareDev, d.startTelemetry, d.startTracing, d.startLedger, d.startAudit, d.startBus, d.listen, d.startAdmin,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return d, d.openDoors(ctx)
}

// URL is where the shared listener can be reached.
func (d *Daemon) URL() string { return d.url }

// Issuer is the token issuer of coffer dev; nil otherwise.
func (d *Daemon) Issuer() *devissuer.Issuer { return d.dev }

// Ready says whether every check passes now.
func (d *Daemon) Ready() bool {
	ok, _ := d.health.Ready()
	return ok
}

// Failed gives an error that ends the daemon, such as a listener that broke.
func (d *Daemon) Failed() <-chan error { return d.failed }

// ReopenAudit begins a new audit file where the old one was moved away.
func (d *Daemon) ReopenAudit(ctx context.Context) error { return d.sink.Reopen(ctx) }

// Close stops in reverse: no new requests, those in work finish, then the parts
// below. It takes at most 10 s.
func (d *Daemon) Close() error {
	var errs []error
	d.shutting.Do(func() {
		close(d.closing)
		if d.health != nil {
			d.health.Drain()
		}
		requests, cancel := context.WithTimeout(context.Background(), drain)
		defer cancel()
		for _, s := range d.fronts {
			errs = append(errs, s.run(requests))
		}
		parts, cancel := context.WithTimeout(context.Background(), settle)
		defer cancel()
		errs = append(errs, d.unwind(parts, 0))
	})
	return errors.Join(errs...)
}

// unwind stops, in reverse, what was started since there were keep parts: also what
// is started meanwhile.
func (d *Daemon) unwind(ctx context.Context, keep int) error {
	var errs []error
	for {
		d.mu.Lock()
		n := len(d.stops) - 1
		if n < keep {
			d.mu.Unlock()
			return errors.Join(errs...)
		}
		last := d.stops[n]
		d.stops = d.stops[:n]
		d.mu.Unlock()
		errs = append(errs, last.run(ctx))
	}
}

func (s stop) run(ctx context.Context) error {
	if err := s.do(ctx); err != nil {
		return fmt.Errorf("stop %s: %w", s.name, err)
	}
	return nil
}

func (d *Daemon) onStop(name string, do func(context.Context) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stops = append(d.stops, stop{name, do})
}

// background runs a part that ends with its context: when the daemon stops, and not
// with ctx. The stop waits for it.
func (d *Daemon) background(ctx context.Context, name string, run func(context.Context)) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx)
	}()
	d.onStop(name, func(ctx context.Context) error {
		cancel()
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// openDoors serves as soon as the store can: at once, or when it is unsealed.
func (d *Daemon) openDoors(ctx context.Context) error {
	err := d.buildDoors(ctx)
	if err == nil || !errors.Is(err, fault.Unavailable) {
		return err
	}
	d.background(ctx, "waiting for the store", d.retryDoors)
	return nil
}

func (d *Daemon) retryDoors(ctx context.Context) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := d.buildDoors(ctx)
		if err == nil {
			return
		}
		if !errors.Is(err, fault.Unavailable) {
			d.failed <- err
			return
		}
	}
}
