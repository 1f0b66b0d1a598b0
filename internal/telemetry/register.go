package telemetry

import "github.com/prometheus/client_golang/prometheus"

// factory registers as it makes; a name twice is a bug and stops the program.
type factory struct{ registry *prometheus.Registry }

// contract registers the metrics that the canonical door's contract names.
func (f factory) contract(m *Metrics) {
	m.pep = f.histograms("pep_latency_ms", "Time of one enforced read in milliseconds.", msBuckets(), "hit")
	m.grantHits = f.counter("grant_hit_total", "Reads under a remembered grant.")
	m.grantMisses = f.counter("grant_miss_total", "Reads that asked for a grant.")
	m.negativeHits = f.counter("grant_negative_cache_hit_total", "Answers from a remembered refusal.")
	m.pdp = f.histogram("pdp_latency_ms", "Time of one question to the decision point in milliseconds.", msBuckets())
	m.pdpErrors = f.counter("pdp_error_total", "Questions without a usable answer of the decision point.")
	m.circuitOpen = f.counter("provider_circuit_open_total", "Openings of a back end's circuit breaker.")
	m.denies = f.counters("secret_denies_total", "Refusals by the reason that decided.", "policy")
	m.replays = f.counter("anti_replay_total", "Refused replays.")
	m.mountViolations = f.counter("tenant_mount_violation_total", "URIs with a mount that the tenant may not use.")
	m.decisions = f.counters("secrets_decisions_total", "Decisions by effect.", "effect")
	m.provider = f.histograms("provider_request_latency_seconds", "Time of one operation on a back end.",
		secondBuckets(), "provider", "op")
	m.errors = f.counters("secrets_errors_total", "Error answers by code.", "code")
}

// house registers our own metrics.
func (f factory) house(m *Metrics) {
	m.requests = f.counters("coffer_http_requests_total", "HTTP requests.", "door", "route", "class")
	m.requestTime = f.histograms("coffer_http_request_duration_seconds", "Time of one HTTP request.",
		secondBuckets(), "door", "route")
	m.auditRecords = f.histogram("coffer_audit_batch_records", "Audit records that shared one write and fsync.",
		prometheus.ExponentialBuckets(1, 2, 10))
	m.auditTime = f.histogram("coffer_audit_batch_duration_seconds", "Time of one audit write and fsync.", secondBuckets())
	m.auditFailures = f.counter("coffer_audit_batch_failures_total", "Audit batches that could not be written.")
	m.auditQueued = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "coffer_audit_queued_outcomes", Help: "Outcomes of finished operations that the audit file does not have yet."})
	f.registry.MustRegister(m.auditQueued)
	m.mirrored = f.counters("coffer_bus_records_total", "Records that the Kafka brokers acknowledged.", "topic")
	m.mirrorFailures = f.counters("coffer_bus_failures_total", "Tries to send records that came to nothing.", "topic")
	m.mirrorGaps = f.counters("coffer_bus_gaps_total", "Times that records were gone before they were mirrored.", "topic")
}

func (f factory) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	f.registry.MustRegister(c)
	return c
}

func (f factory) counters(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	f.registry.MustRegister(c)
	return c
}

func (f factory) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	f.registry.MustRegister(h)
	return h
}

func (f factory) histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	f.registry.MustRegister(h)
	return h
}

// msBuckets go from 0.1 ms, a remembered grant, to 10 s.
func msBuckets() []float64 {
	return []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10000}
}

// secondBuckets are the same span in seconds.
func secondBuckets() []float64 {
	out := msBuckets()
	for i := range out {
		out[i] /= 1000
	}
	return out
}
