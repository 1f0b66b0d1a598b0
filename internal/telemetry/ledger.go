package telemetry

import "github.com/prometheus/client_golang/prometheus"

// LedgerStats is what the ledger tells of itself at a scrape.
type LedgerStats struct {
	Transactions  uint64 // committed since start
	Retries       uint64 // functions run again after a lost race
	Conflicts     uint64 // transactions given up after all retries
	QuotaUsed     int64  // bytes
	QuotaLimit    int64  // bytes
	EventSequence int64  // of the newest event
	StaleRecords  int64  // sealed under a key that is no longer active
}

// WatchLedger exports what read tells, asked once a scrape: it must be quick and
// safe for concurrent use. Call it once, at composition; twice panics.
func (m *Metrics) WatchLedger(read func() LedgerStats) {
	m.registry.MustRegister(newLedgerCollector(read))
}

type ledgerCollector struct {
	read  func() LedgerStats
	descs []*prometheus.Desc // in the order of values
}

func newLedgerCollector(read func() LedgerStats) ledgerCollector {
	c := ledgerCollector{read: read}
	for _, d := range [...][2]string{
		{"coffer_ledger_transactions_total", "Committed transactions."},
		{"coffer_ledger_retries_total", "Transactions run again after a lost race."},
		{"coffer_ledger_conflicts_total", "Transactions given up after all retries."},
		{"coffer_ledger_quota_used_bytes", "Size of the ledger's data."},
		{"coffer_ledger_quota_limit_bytes", "Size at which the ledger refuses writes."},
		{"coffer_event_sequence", "Sequence of the newest event."},
		{"coffer_stale_records", "Records sealed under a key that is no longer active."},
	} {
		c.descs = append(c.descs, prometheus.NewDesc(d[0], d[1], nil, nil))
	}
	return c
}

// Describe implements prometheus.Collector.
func (c ledgerCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c ledgerCollector) Collect(out chan<- prometheus.Metric) {
	s := c.read()
	values := [...]float64{
		float64(s.Transactions), float64(s.Retries), float64(s.Conflicts),
		float64(s.QuotaUsed), float64(s.QuotaLimit), float64(s.EventSequence), float64(s.StaleRecords),
	}
	const counters = 3 // the first ones only ever grow
	for i, v := range values {
		kind := prometheus.GaugeValue
		if i < counters {
			kind = prometheus.CounterValue
		}
		out <- prometheus.MustNewConstMetric(c.descs[i], kind, v)
	}
}
