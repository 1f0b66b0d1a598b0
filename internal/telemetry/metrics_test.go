package telemetry_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/telemetry"
)

// scrape gives the exposition text.
func scrape(t *testing.T, m *telemetry.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func metrics() *telemetry.Metrics {
	return telemetry.NewMetrics(telemetry.MetricsConfig{
		Providers: []string{"embedded"}, Doors: []string{"canonical"},
		Routes: []string{"/api/secrets/value"}, Codes: []string{"already_exists"}, Topics: []string{"crud.secrets"},
	})
}

func TestMetricsOfTheContract(t *testing.T) {
	m := metrics()
	m.PEP(true, time.Millisecond)
	m.PEP(false, 30*time.Millisecond)
	m.GrantHit()
	m.GrantMiss()
	m.NegativeHit()
	m.PDP(2*time.Millisecond, false)
	m.PDP(2*time.Second, true)
	m.CircuitOpened()
	m.Denied("policy")
	m.Replayed()
	m.MountViolation()
	m.Decided(audit.Permit)
	m.Provider("embedded", "get", 2*time.Millisecond)
	m.Failed("VAULT_TIMEOUT")
	m.Failed("already_exists")
	m.Request("canonical", "/api/secrets/value", 204, time.Millisecond)
	m.AuditBatch(audit.Batch{Records: 5, Took: time.Millisecond})
	m.AuditBatch(audit.Batch{Records: 3, Queued: 2, Err: errors.New("full")})
	m.Mirrored("crud.secrets", 3)
	m.MirrorFailed("crud.secrets")
	m.MirrorGap("whatever")
	m.WatchLedger(func() telemetry.LedgerStats {
		return telemetry.LedgerStats{Transactions: 10, Retries: 2, Conflicts: 1, Ambiguous: 7, Corrupt: 8, Resealed: 9, QuotaUsed: 3, QuotaLimit: 4, EventSequence: 5, Full: true}
	})
	got := strings.Split(scrape(t, m), "\n")
	for line := range strings.Lines(`pep_latency_ms_bucket{hit="true",le="1"} 1
pep_latency_ms_sum{hit="false"} 30
grant_hit_total 1
grant_miss_total 1
grant_negative_cache_hit_total 1
pdp_latency_ms_count 2
pdp_latency_ms_sum 2002
pdp_error_total 1
provider_circuit_open_total 1
secret_denies_total{policy="policy"} 1
anti_replay_total 1
tenant_mount_violation_total 1
secrets_decisions_total{effect="Permit"} 1
provider_request_latency_seconds_sum{op="get",provider="embedded"} 0.002
secrets_errors_total{code="VAULT_TIMEOUT"} 1
secrets_errors_total{code="already_exists"} 1
coffer_http_requests_total{class="2xx",door="canonical",route="/api/secrets/value"} 1
coffer_http_request_duration_seconds_count{door="canonical",route="/api/secrets/value"} 1
coffer_audit_batch_records_sum 5
coffer_audit_batch_duration_seconds_count 1
coffer_audit_batch_failures_total 1
coffer_audit_queued_outcomes 2
coffer_ledger_transactions_total 10
coffer_ledger_retries_total 2
coffer_ledger_conflicts_total 1
coffer_ledger_quota_used_bytes 3
coffer_ledger_quota_limit_bytes 4
coffer_event_sequence 5
coffer_ledger_ambiguous_total 7
coffer_bus_records_total{topic="crud.secrets"} 3
coffer_bus_failures_total{topic="crud.secrets"} 1
coffer_bus_gaps_total{topic="other"} 1
coffer_ledger_corrupt_total 8
coffer_ledger_resealed_total 9
coffer_ledger_full 1
coffer_ledger_sealed 0
# TYPE coffer_ledger_transactions_total counter
# TYPE coffer_ledger_full gauge
`) {
		if !slices.Contains(got, strings.TrimSuffix(line, "\n")) {
			t.Errorf("missing %s", line)
		}
	}
	for _, name := range []string{"go_goroutines ", "process_open_fds "} {
		if !slices.ContainsFunc(got, func(l string) bool { return strings.HasPrefix(l, name) }) {
			t.Errorf("missing %s", name)
		}
	}
}

// TestC53LabelsAreBounded throws foreign values at every label: none shows, and the
// number of series does not grow with them.
func TestC53LabelsAreBounded(t *testing.T) {
	m := metrics()
	foreign := func(i int) {
		v := fmt.Sprint(canary, i)
		m.Denied(v)
		m.Decided(v)
		m.Provider(v, v, 0)
		m.Failed(v)
		m.Request(v, "/api/secrets/"+v, i, 0)
	}
	foreign(0)
	before := strings.Count(scrape(t, m), "other")
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() { foreign(i) })
	}
	all.Wait()
	text := scrape(t, m)
	if strings.Contains(text, canary) {
		t.Error("a foreign label value shows")
	}
	if after := strings.Count(text, "other"); after != before {
		t.Errorf("%d series before, %d after", before, after)
	}
	if want := `coffer_http_requests_total{class="other",door="other",route="other"} 51`; !strings.Contains(text, want) {
		t.Errorf("missing %s", want)
	}
}

func TestRegistriesAreTheirOwn(t *testing.T) {
	one, two := metrics(), metrics()
	one.GrantHit()
	if !strings.Contains(scrape(t, two), "grant_hit_total 0") {
		t.Error("two Metrics share a counter")
	}
}
