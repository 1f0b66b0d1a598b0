package telemetry

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults of HealthConfig.
const (
	DefaultCheckTimeout = 2 * time.Second
	DefaultCheckMaxAge  = time.Second
)

// failureMaxAge is how long a failed result is used again.
const failureMaxAge = 50 * time.Millisecond

// Check is one condition of readiness. Name is shown; the error is not.
type Check struct {
	Name string
	Run  func(ctx context.Context) error
}

// HealthConfig says what makes the process ready.
type HealthConfig struct {
	// Checks must all pass. Without any, nothing is ever ready.
	Checks []Check
	// Sealed says whether the keyring is locked; nil is a store that cannot be sealed.
	Sealed func() bool
	// Failed hears of each failed run of a check, for the log; nil: nobody listens.
	Failed func(name string, err error)
	// Timeout is how long one check may take; 0 is DefaultCheckTimeout.
	Timeout time.Duration
	// MaxAge is how long results are used again; 0 is DefaultCheckMaxAge.
	MaxAge time.Duration
	// Now is the clock of MaxAge; nil is time.Now.
	Now func() time.Time
}

// Health answers probes. A process is live while it runs, and ready when it is not
// draining and every check passes. Safe for concurrent use; NewHealth makes it.
type Health struct {
	cfg      HealthConfig
	busy     []atomic.Bool // a check that hangs is not started twice
	draining atomic.Bool

	mu   sync.Mutex
	last map[string]string
	when time.Time
}

// NewHealth fills in the defaults; no check runs before the first probe.
func NewHealth(cfg HealthConfig) *Health {
	if cfg.Sealed == nil {
		cfg.Sealed = func() bool { return false }
	}
	if cfg.Failed == nil {
		cfg.Failed = func(string, error) {}
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultCheckTimeout
	}
	if cfg.MaxAge <= 0 {
		cfg.MaxAge = DefaultCheckMaxAge
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Health{cfg: cfg, busy: make([]atomic.Bool, len(cfg.Checks))}
}

// Drain makes the process unready for good, so that no new traffic is sent to it.
func (h *Health) Drain() { h.draining.Store(true) }

// Ready says whether every check passes, and the result of each: "ok" or "failed".
func (h *Health) Ready() (bool, map[string]string) {
	results := h.results()
	return passed(results) && !h.draining.Load(), results
}

func passed(results map[string]string) bool {
	for _, r := range results {
		if r != statusOK {
			return false
		}
	}
	return len(results) > 0
}

const (
	statusOK     = "ok"
	statusFailed = "failed"
)

// results runs all checks side by side unless the last results are young enough.
// The map is shared and must not be changed.
func (h *Health) results() map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	age := h.cfg.MaxAge
	if !passed(h.last) {
		age = min(age, failureMaxAge) // whoever waits for readiness is not kept waiting by the memory
	}
	if h.last != nil && h.cfg.Now().Sub(h.when) < age {
		return h.last
	}
	// Not the probe's context: its result serves other probes too.
	ctx, cancel := context.WithTimeout(context.Background(), h.cfg.Timeout)
	defer cancel()
	errs := make([]error, len(h.cfg.Checks))
	var all sync.WaitGroup
	for i := range h.cfg.Checks {
		all.Go(func() { errs[i] = h.run(ctx, i) })
	}
	all.Wait()
	results := make(map[string]string, len(errs))
	for i, err := range errs {
		name := h.cfg.Checks[i].Name
		results[name] = statusOK
		if err != nil {
			results[name] = statusFailed
			h.cfg.Failed(name, err)
		}
	}
	h.last, h.when = results, h.cfg.Now()
	return results
}

// run waits for a check until ctx ends, even when the check does not heed ctx.
func (h *Health) run(ctx context.Context, i int) error {
	if !h.busy[i].CompareAndSwap(false, true) {
		return context.DeadlineExceeded // still hanging from before
	}
	done := make(chan error, 1)
	go func() {
		defer h.busy[i].Store(false)
		done <- h.cfg.Checks[i].Run(ctx)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

type healthBody struct {
	Status string            `json:"status"`
	Sealed *bool             `json:"sealed,omitempty"`
	Checks map[string]string `json:"checks,omitempty"`
}

// Live serves /livez: 200 while the process runs.
func (h *Health) Live() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeHealth(w, http.StatusOK, healthBody{Status: statusOK})
	})
}

// Readyz serves /readyz: 200 when ready, else 503, with the result of each check.
func (h *Health) Readyz() http.Handler { return h.handler(false) }

// Healthz serves /healthz: as Readyz, and says whether the store is sealed.
func (h *Health) Healthz() http.Handler { return h.handler(true) }

func (h *Health) handler(detail bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		ready, results := h.Ready()
		body, status := healthBody{Status: statusOK, Checks: results}, http.StatusOK
		if !ready {
			body.Status, status = statusFailed, http.StatusServiceUnavailable
		}
		if detail {
			sealed := h.cfg.Sealed()
			body.Sealed = &sealed
		}
		writeHealth(w, status, body)
	})
}

func writeHealth(w http.ResponseWriter, status int, body healthBody) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a probe that hung up is nobody's concern
}
