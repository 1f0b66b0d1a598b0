package daemon

import (
	"context"
	"net/http"

	"github.com/coffer-dev/coffer/internal/telemetry/trace"
)

// startTracing sends spans where an endpoint is configured; else requests are not traced.
func (d *Daemon) startTracing(ctx context.Context) error {
	if d.cfg.Tracing.Endpoint == "" {
		return nil
	}
	t, err := trace.New(ctx, trace.Config{
		Endpoint: d.cfg.Tracing.Endpoint, Sample: 1, Version: d.version,
		Failed: func(err error) { d.log.Warn("spans were not sent", "error", err) },
	})
	if err != nil {
		return err
	}
	d.onStop("traces", t.Shutdown)
	d.tracer = spans{t}
	return nil
}

// spans adapts the tracer to what a door asks for.
type spans struct{ t *trace.Tracer }

// Trace begins a span under the caller's traceparent.
func (s spans) Trace(r *http.Request, door, route string) (context.Context, func(int, error)) {
	ctx := s.t.Extract(r.Context(), r.Header.Get)
	ctx, span := s.t.Start(ctx, "door."+door, trace.Door(door), trace.Route(route))
	return ctx, func(status int, err error) {
		if status > 0 {
			span.Set(trace.Status(status))
		}
		span.End(err)
	}
}
