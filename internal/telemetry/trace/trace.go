package trace

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	otel "go.opentelemetry.io/otel/trace"

	"github.com/coffer-dev/coffer/internal/fault"
)

// Config says where spans go. The zero Config sends none.
type Config struct {
	// Endpoint is the http or https URL of an OTLP collector; without a path,
	// /v1/traces is meant. Empty switches tracing off.
	Endpoint string
	// Sample is the share of traces that start here and are sent, 0 to 1. A caller's
	// traceparent decides for its own traces.
	Sample float64
	// Headers go with every export, such as a collector's credentials.
	Headers map[string]string
	// Version is the version of the program as spans show it.
	Version string
	// Failed hears of exports that did not arrive; nil: nobody listens.
	Failed func(error)
	// Client sends the exports; nil is a client with a timeout of 10 s that follows
	// no redirect.
	Client *http.Client
}

// Tracer starts spans. Safe for concurrent use; New makes it.
type Tracer struct {
	provider   *sdk.TracerProvider
	tracer     otel.Tracer
	propagator propagation.TraceContext
}

const exportTimeout = 10 * time.Second

// New makes a Tracer. A malformed Config is Invalid; an unreachable collector is
// no error, now or later: spans are dropped and Failed hears of it.
func New(ctx context.Context, cfg Config) (*Tracer, error) {
	options := []sdk.TracerProviderOption{
		sdk.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "coffer"), attribute.String("service.version", cfg.Version))),
	}
	if cfg.Endpoint == "" {
		options = append(options, sdk.WithSampler(sdk.NeverSample()))
	} else {
		exporter, err := newExporter(ctx, cfg)
		if err != nil {
			return nil, err
		}
		options = append(options, sdk.WithBatcher(exporter),
			sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(cfg.Sample))))
	}
	provider := sdk.NewTracerProvider(options...)
	return &Tracer{provider: provider, tracer: provider.Tracer("coffer")}, nil
}

// Shutdown sends what is left, as far as ctx allows, and stops.
func (t *Tracer) Shutdown(ctx context.Context) error { return t.provider.Shutdown(ctx) }

func newExporter(ctx context.Context, cfg Config) (sdk.SpanExporter, error) {
	u, err := url.Parse(cfg.Endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fault.New(fault.Invalid, "tracing endpoint must be an http or https URL without credentials")
	}
	if !(cfg.Sample >= 0 && cfg.Sample <= 1) { // written so that NaN is refused
		return nil, fault.New(fault.Invalid, "tracing sample must be 0 to 1")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	client := cfg.Client
	if client == nil {
		client = &http.Client{Timeout: exportTimeout, CheckRedirect: stay}
	}
	inner, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(u.String()),
		otlptracehttp.WithHeaders(cfg.Headers), otlptracehttp.WithHTTPClient(client))
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "make the trace exporter")
	}
	failed := cfg.Failed
	if failed == nil {
		failed = func(error) {}
	}
	return exporter{inner, failed}, nil
}

// stay follows no redirect: it would carry the collector's credentials elsewhere.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// exporter reports failures to us instead of to the SDK's global handler, which
// would print them past the redacting logger.
type exporter struct {
	sdk.SpanExporter
	failed func(error)
}

func (e exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	if err != nil && !errors.Is(err, context.Canceled) {
		e.failed(fault.Wrap(fault.Unavailable, err, "export spans"))
	}
	return nil
}
