// Package trace is everything of OpenTelemetry: a Tracer that sends spans over
// OTLP/HTTP when it is given an endpoint, and that without one still reads and
// passes on the W3C traceparent, so that a trace ID is always at hand. A span carries
// only the attributes made here; none of them can hold a path, a subject or a value.
package trace
