package telemetry

import "github.com/prometheus/client_golang/prometheus"

// LedgerStats is what the ledger tells of itself at a scrape.
type LedgerStats struct {
	Transactions  uint64 // committed since start
	Retries       uint64 // functions run again after a lost race
	Conflicts     uint64 // transactions given up after all retries
	Ambiguous     uint64 // commits whose answer was lost and looked up
	Corrupt       uint64 // records that did not authenticate
	Resealed      uint64 // records put under the active data key
	QuotaUsed     int64  // bytes
	QuotaLimit    int64  // bytes
	EventSequence int64  // of the newest event
	Full          bool   // writes are refused for want of room
	Sealed        bool   // no key opens the keyring
}

// WatchLedger exports what read tells, asked once a scrape: it must be quick and
// safe for concurrent use. Call it once, at composition; twice panics.
func (m *Metrics) WatchLedger(read func() LedgerStats) {
	m.registry.MustRegister(ledgerCollector{read: read, series: ledgerSeries()})
}

// series is one metric and where its value is.
type series struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(LedgerStats) float64
}

func ledgerSeries() []series {
	counter := func(name, help string, v func(LedgerStats) uint64) series {
		return series{prometheus.NewDesc(name, help, nil, nil), prometheus.CounterValue, func(s LedgerStats) float64 { return float64(v(s)) }}
	}
	gauge := func(name, help string, v func(LedgerStats) float64) series {
		return series{prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue, v}
	}
	return []series{
		counter("coffer_ledger_transactions_total", "Committed transactions.", func(s LedgerStats) uint64 { return s.Transactions }),
		counter("coffer_ledger_retries_total", "Transactions run again after a lost race.", func(s LedgerStats) uint64 { return s.Retries }),
		counter("coffer_ledger_conflicts_total", "Transactions given up after all retries.", func(s LedgerStats) uint64 { return s.Conflicts }),
		counter("coffer_ledger_ambiguous_total", "Commits whose answer was lost and looked up.", func(s LedgerStats) uint64 { return s.Ambiguous }),
		counter("coffer_ledger_corrupt_total", "Records that did not authenticate.", func(s LedgerStats) uint64 { return s.Corrupt }),
		counter("coffer_ledger_resealed_total", "Records put under the active data key.", func(s LedgerStats) uint64 { return s.Resealed }),
		gauge("coffer_ledger_quota_used_bytes", "Size of the ledger's data.", func(s LedgerStats) float64 { return float64(s.QuotaUsed) }),
		gauge("coffer_ledger_quota_limit_bytes", "Size at which the ledger refuses writes.", func(s LedgerStats) float64 { return float64(s.QuotaLimit) }),
		gauge("coffer_event_sequence", "Sequence of the newest event.", func(s LedgerStats) float64 { return float64(s.EventSequence) }),
		gauge("coffer_ledger_full", "1 while writes are refused for want of room.", func(s LedgerStats) float64 { return flag(s.Full) }),
		gauge("coffer_ledger_sealed", "1 while no key opens the keyring.", func(s LedgerStats) float64 { return flag(s.Sealed) }),
	}
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

type ledgerCollector struct {
	read   func() LedgerStats
	series []series
}

// Describe implements prometheus.Collector.
func (c ledgerCollector) Describe(out chan<- *prometheus.Desc) {
	for _, s := range c.series {
		out <- s.desc
	}
}

// Collect implements prometheus.Collector.
func (c ledgerCollector) Collect(out chan<- prometheus.Metric) {
	stats := c.read()
	for _, s := range c.series {
		out <- prometheus.MustNewConstMetric(s.desc, s.kind, s.value(stats))
	}
}
