package telemetry

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/coffer-dev/coffer/internal/audit"
)

// MetricsConfig lists the label values that only the composition knows. A value
// outside its list is counted as "other".
type MetricsConfig struct {
	Providers []string // names of the back ends, such as "embedded" or "openbao-prod"
	Doors     []string // names of the doors
	Routes    []string // route patterns as the route tables write them
	Codes     []string // error codes beside those of the canonical door
	Topics    []string // topics that the bus fills
}

// Metrics counts and times, on a registry of its own. Names without a prefix are
// those of the canonical door's contract; ours begin with coffer_. No label holds a
// path, a subject or a key. Safe for concurrent use; NewMetrics makes it.
type Metrics struct {
	registry                        *prometheus.Registry
	providers, doors, routes, codes labelSet
	topics                          labelSet
	reasons, effects, operations    labelSet

	pep                                              *prometheus.HistogramVec
	grantHits, grantMisses, negativeHits             prometheus.Counter
	pdp                                              prometheus.Histogram
	pdpErrors, circuitOpen, replays, mountViolations prometheus.Counter
	denies, decisions, errors                        *prometheus.CounterVec
	provider                                         *prometheus.HistogramVec
	requests                                         *prometheus.CounterVec
	requestTime                                      *prometheus.HistogramVec
	auditRecords, auditTime                          prometheus.Histogram
	auditFailures                                    prometheus.Counter
	auditQueued                                      prometheus.Gauge
	mirrored, mirrorFailures, mirrorGaps             *prometheus.CounterVec
}

// NewMetrics registers everything, with the process and Go collectors.
func NewMetrics(cfg MetricsConfig) *Metrics {
	m := &Metrics{
		registry:  prometheus.NewRegistry(),
		providers: newLabelSet(cfg.Providers), doors: newLabelSet(cfg.Doors), routes: newLabelSet(cfg.Routes),
		codes: newLabelSet(codes(), cfg.Codes), reasons: newLabelSet(reasons()), effects: newLabelSet(effects()),
		operations: newLabelSet(operations()), topics: newLabelSet(cfg.Topics),
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	f := factory{m.registry}
	f.contract(m)
	f.house(m)
	return m
}

// Handler serves the exposition formats of Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// PEP times one enforced read, hit when a remembered grant answered it.
func (m *Metrics) PEP(hit bool, took time.Duration) {
	label := "false"
	if hit {
		label = "true"
	}
	m.pep.WithLabelValues(label).Observe(milliseconds(took))
}

// GrantHit counts a read under a remembered grant.
func (m *Metrics) GrantHit() { m.grantHits.Inc() }

// GrantMiss counts a read that had to ask for a grant.
func (m *Metrics) GrantMiss() { m.grantMisses.Inc() }

// NegativeHit counts an answer from a remembered refusal.
func (m *Metrics) NegativeHit() { m.negativeHits.Inc() }

// PDP times one question to the decision point; failed when it gave no usable answer.
func (m *Metrics) PDP(took time.Duration, failed bool) {
	m.pdp.Observe(milliseconds(took))
	if failed {
		m.pdpErrors.Inc()
	}
}

// CircuitOpened counts a back end's circuit breaker opening.
func (m *Metrics) CircuitOpened() { m.circuitOpen.Inc() }

// Denied counts a refusal by the reason that decided it (a policy.Reason).
func (m *Metrics) Denied(reason string) { m.denies.WithLabelValues(m.reasons.of(reason)).Inc() }

// Replayed counts a refused replay of a proof or a token.
func (m *Metrics) Replayed() { m.replays.Inc() }

// MountViolation counts a URI whose mount the tenant may not use.
func (m *Metrics) MountViolation() { m.mountViolations.Inc() }

// Decided counts a decision by its effect (audit.Permit or audit.Deny).
func (m *Metrics) Decided(effect string) { m.decisions.WithLabelValues(m.effects.of(effect)).Inc() }

// Provider times one operation on a back end; op is a verb of the store contract
// in lower case, such as "get" or "set_meta".
func (m *Metrics) Provider(provider, op string, took time.Duration) {
	m.provider.WithLabelValues(m.providers.of(provider), m.operations.of(op)).Observe(took.Seconds())
}

// Failed counts an error answer by its code.
func (m *Metrics) Failed(code string) { m.errors.WithLabelValues(m.codes.of(code)).Inc() }

// Request counts and times one HTTP request. route is the pattern, never the path.
func (m *Metrics) Request(door, route string, status int, took time.Duration) {
	door, route = m.doors.of(door), m.routes.of(route)
	m.requests.WithLabelValues(door, route, statusClass(status)).Inc()
	m.requestTime.WithLabelValues(door, route).Observe(took.Seconds())
}

// AuditBatch observes the audit file; it fits audit.FileConfig.Observe.
func (m *Metrics) AuditBatch(b audit.Batch) {
	m.auditQueued.Set(float64(b.Queued))
	if b.Err != nil {
		m.auditFailures.Inc()
		return
	}
	if b.Records > 0 { // else a probe
		m.auditRecords.Observe(float64(b.Records))
	}
	m.auditTime.Observe(b.Took.Seconds())
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Mirrored counts records of a topic that the brokers acknowledged.
func (m *Metrics) Mirrored(topic string, records int) {
	m.mirrored.WithLabelValues(m.topics.of(topic)).Add(float64(records))
}

// MirrorFailed counts one try to send that came to nothing.
func (m *Metrics) MirrorFailed(topic string) {
	m.mirrorFailures.WithLabelValues(m.topics.of(topic)).Inc()
}

// MirrorGap counts that records were gone before they were mirrored.
func (m *Metrics) MirrorGap(topic string) { m.mirrorGaps.WithLabelValues(m.topics.of(topic)).Inc() }
