package trace_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/telemetry/trace"
)

const (
	canary   = "c4n4ryc4n4ry"
	callerID = "4bf92f3577b34da6a3ce929d0e0e4736"
	parent   = "00-" + callerID + "-00f067aa0ba902b7-01"
)

// collector keeps the bodies that arrive; the protobuf texts in them are legible.
type collector struct {
	mu     sync.Mutex
	bodies []string
	header http.Header
	path   string
	status int
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bodies, c.header, c.path = append(c.bodies, string(body)), r.Header, r.URL.Path
	w.WriteHeader(c.status)
}

func (c *collector) all() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.bodies, "")
}

func newTracer(t *testing.T, cfg trace.Config) *trace.Tracer {
	t.Helper()
	tr, err := trace.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func get(headers map[string]string) func(string) string {
	return func(name string) string { return headers[name] }
}

func shutdown(t *testing.T, tr *trace.Tracer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := tr.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

func TestOffStillPassesTheCallersTraceOn(t *testing.T) {
	tr := newTracer(t, trace.Config{})
	defer shutdown(t, tr)
	ctx := tr.Extract(t.Context(), get(map[string]string{"traceparent": parent, "tracestate": "v=1"}))
	if got := trace.ID(ctx); got != callerID {
		t.Errorf("trace ID %q", got)
	}
	ctx, span := tr.Start(ctx, "secrets.get", trace.Door("canonical"))
	defer span.End(nil)
	out := map[string]string{}
	tr.Inject(ctx, func(name, value string) { out[name] = value })
	if !strings.HasPrefix(out["traceparent"], "00-"+callerID+"-") || out["traceparent"] == parent || out["tracestate"] != "v=1" {
		t.Errorf("passed on %v", out)
	}
}

func TestOffGivesANewTraceToACallerWithout(t *testing.T) {
	tr := newTracer(t, trace.Config{})
	defer shutdown(t, tr)
	for name, header := range map[string]string{
		"none": "", "malformed": canary, "all zero": "00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01",
	} {
		ctx := tr.Extract(t.Context(), get(map[string]string{"traceparent": header}))
		if trace.ID(ctx) != "" {
			t.Errorf("%s: took trace ID %q", name, trace.ID(ctx))
		}
		tr.Inject(ctx, func(name, value string) { t.Errorf("injected %s: %s without a trace", name, value) })
		ctx, span := tr.Start(ctx, "x")
		if id := trace.ID(ctx); !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(id) {
			t.Errorf("%s: new trace ID %q", name, id)
		}
		span.End(errors.New("ignored: nothing records"))
	}
	var zero trace.Span
	zero.Set(trace.Status(200))
	zero.End(nil)
}

func TestSpansArriveWithoutErrorTexts(t *testing.T) {
	c := &collector{status: http.StatusOK}
	server := httptest.NewServer(c)
	defer server.Close()
	tr := newTracer(t, trace.Config{Endpoint: server.URL, Sample: 1, Version: "1.2.3",
		Headers: map[string]string{"X-Collector-Key": "k"}})
	ctx, span := tr.Start(t.Context(), "secrets.put", trace.Door("canonical"), trace.Route("/api/secrets"))
	_, child := tr.Start(ctx, "store.put", trace.Backend("embedded"))
	child.End(context.DeadlineExceeded)
	span.Set(trace.Status(503))
	span.End(&fault.Error{Kind: fault.Unavailable, Code: "AUDIT_UNAVAILABLE", Detail: canary, Cause: errors.New(canary)})
	_, bad := tr.Start(ctx, "other")
	bad.End(errors.New(canary))
	shutdown(t, tr)
	got := c.all()
	for _, want := range []string{"coffer", "1.2.3", "secrets.put", "store.put", "canonical", "/api/secrets", "embedded",
		"AUDIT_UNAVAILABLE", "unavailable", "deadline exceeded", "internal"} {
		if !strings.Contains(got, want) {
			t.Errorf("missing %q", want)
		}
	}
	if strings.Contains(got, canary) {
		t.Error("an error text was exported")
	}
	if c.path != "/v1/traces" || c.header.Get("X-Collector-Key") != "k" {
		t.Errorf("path %q, header %v", c.path, c.header)
	}
}

func TestSampling(t *testing.T) {
	c := &collector{status: http.StatusOK}
	server := httptest.NewServer(c)
	defer server.Close()
	tr := newTracer(t, trace.Config{Endpoint: server.URL + "/own", Sample: 0})
	_, span := tr.Start(t.Context(), "unsampled")
	span.End(nil)
	_, span = tr.Start(tr.Extract(t.Context(), get(map[string]string{"traceparent": parent})), "caller-sampled")
	span.End(nil)
	shutdown(t, tr)
	if got := c.all(); strings.Contains(got, "unsampled") || !strings.Contains(got, "caller-sampled") || c.path != "/own" {
		t.Errorf("collector at %q got %q", c.path, got)
	}
}

func TestAFailingCollectorIsReportedToUs(t *testing.T) {
	server := httptest.NewServer(&collector{status: http.StatusBadRequest})
	defer server.Close()
	heard := make(chan error, 1)
	tr := newTracer(t, trace.Config{Endpoint: server.URL, Sample: 1, Failed: func(err error) { heard <- err }})
	_, span := tr.Start(t.Context(), "x")
	span.End(nil)
	shutdown(t, tr)
	select {
	case err := <-heard:
		if !errors.Is(err, fault.Unavailable) {
			t.Errorf("got %v, want Unavailable", err)
		}
	default:
		t.Error("nobody heard of the failure")
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, cfg := range map[string]trace.Config{
		"no scheme":     {Endpoint: "collector:4318"},
		"other scheme":  {Endpoint: "grpc://collector:4317"},
		"no host":       {Endpoint: "http://"},
		"userinfo":      {Endpoint: "http://bob:" + canary + "@collector"},
		"unreadable":    {Endpoint: "http://[" + canary},
		"sample over 1": {Endpoint: "http://collector", Sample: 1.5},
		"sample below":  {Endpoint: "http://collector", Sample: -1},
		"sample NaN":    {Endpoint: "http://collector", Sample: math.NaN()},
	} {
		_, err := trace.New(t.Context(), cfg)
		if !errors.Is(err, fault.Invalid) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
