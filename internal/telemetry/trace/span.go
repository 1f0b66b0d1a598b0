package trace

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	otel "go.opentelemetry.io/otel/trace"

	"github.com/coffer-dev/coffer/internal/fault"
)

// Attr is one attribute of a span. Only the functions of this package make one, and
// what they take is written in the program or its configuration, never by a caller.
type Attr struct{ kv attribute.KeyValue }

// Door names the door that was called.
func Door(name string) Attr { return Attr{attribute.String("coffer.door", name)} }

// Route is the pattern of the route table, never the path of the request.
func Route(pattern string) Attr { return Attr{attribute.String("http.route", pattern)} }

// Status is the HTTP status of the answer.
func Status(code int) Attr { return Attr{attribute.Int("http.response.status_code", code)} }

// Backend is the configured name of a back end.
func Backend(name string) Attr { return Attr{attribute.String("coffer.backend", name)} }

// Span is one timed piece of work. The zero Span records nothing.
type Span struct{ span otel.Span }

// Start begins a span under the one in ctx, or under the caller's traceparent that
// Extract put there. name is fixed in the program, such as "secrets.put".
func (t *Tracer) Start(ctx context.Context, name string, attrs ...Attr) (context.Context, Span) {
	ctx, span := t.tracer.Start(ctx, name)
	s := Span{span}
	s.Set(attrs...)
	return ctx, s
}

// Set adds attributes.
func (s Span) Set(attrs ...Attr) {
	if s.span == nil || !s.span.IsRecording() {
		return
	}
	for _, a := range attrs {
		s.span.SetAttributes(a.kv)
	}
}

// End ends the span. Of err it shows the kind and the code, not the text.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	if err != nil && s.span.IsRecording() {
		s.span.SetStatus(codes.Error, kindOf(err))
		if code := fault.CodeOf(err); code != "" {
			s.span.SetAttributes(attribute.String("coffer.error_code", code))
		}
	}
	s.span.End()
}

func kindOf(err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline exceeded"
	}
	return fault.KindOf(err).Error()
}

// ID gives the trace ID in ctx, 32 lower-case hex digits, or "" when there is none.
func ID(ctx context.Context) string {
	if sc := otel.SpanContextFromContext(ctx); sc.HasTraceID() {
		return sc.TraceID().String()
	}
	return ""
}

// Extract takes the W3C trace context of a request or record; get reads one header
// by its lower-case name and gives "" when it is missing. A malformed one is ignored.
func (t *Tracer) Extract(ctx context.Context, get func(name string) string) context.Context {
	return t.propagator.Extract(ctx, carrier{get: get})
}

// Inject passes the trace context on; set is called with lower-case header names,
// and not at all when ctx has no trace.
func (t *Tracer) Inject(ctx context.Context, set func(name, value string)) {
	t.propagator.Inject(ctx, carrier{set: set})
}

type carrier struct {
	get func(string) string
	set func(string, string)
}

var _ propagation.TextMapCarrier = carrier{}

func (c carrier) Get(key string) string { return c.get(key) }
func (c carrier) Set(key, value string) { c.set(key, value) }
func (c carrier) Keys() []string        { return []string{"traceparent", "tracestate"} }
