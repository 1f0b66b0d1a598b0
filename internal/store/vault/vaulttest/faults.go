package vaulttest

import "sync"

// Faults are the switches that put a handler into trouble. The zero value is a
// healthy, active server. All methods may be called concurrently.
type Faults struct {
	mu    sync.Mutex
	state troubles
}

type troubles struct{ sealed, uninitialised, standby, rateLimited bool }

// Faults gives the switches of the handler.
func (h *Handler) Faults() *Faults { return &h.faults }

// Seal makes every request but those about health answer 503, or ends that.
func (f *Faults) Seal(on bool) { f.change(func(t *troubles) { t.sealed = on }) }

// Uninitialise is Seal for a server that was never set up: health answers 501.
func (f *Faults) Uninitialise(on bool) { f.change(func(t *troubles) { t.uninitialised = on }) }

// Standby makes health answer 429, the status of a healthy standby.
func (f *Faults) Standby(on bool) { f.change(func(t *troubles) { t.standby = on }) }

// RateLimit makes every request but those about health answer 429.
func (f *Faults) RateLimit(on bool) { f.change(func(t *troubles) { t.rateLimited = on }) }

func (f *Faults) change(set func(*troubles)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	set(&f.state)
}

func (f *Faults) read() troubles {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}
