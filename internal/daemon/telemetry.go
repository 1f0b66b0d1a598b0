package daemon

import (
	"context"
	"time"

	"github.com/coffer-dev/coffer/internal/activity"
	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/bus"
	"github.com/coffer-dev/coffer/internal/door/canonical"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/policy/authzen"
	"github.com/coffer-dev/coffer/internal/telemetry"
)

// startTelemetry makes metrics and health; the checks look at parts that are
// started later, and none of them passes before.
func (d *Daemon) startTelemetry(context.Context) error {
	var routes []string
	seen := map[string]bool{}
	for _, r := range canonical.Routes(canonical.Config{Activity: &activity.Service{}}) {
		if !seen[r.Path] {
			seen[r.Path] = true
			routes = append(routes, r.Path)
		}
	}
	providers := []string{"embedded", "yaml"}
	for name := range d.cfg.Backends() {
		providers = append(providers, name)
	}
	events, records := bus.Topics(d.cfg.Kafka.TopicPrefix)
	d.metrics = telemetry.NewMetrics(telemetry.MetricsConfig{
		Providers: providers, Doors: []string{"canonical"}, Routes: routes, Topics: []string{events, records},
	})
	d.metrics.WatchLedger(d.ledgerStats)
	d.health = telemetry.NewHealth(telemetry.HealthConfig{
		Checks: []telemetry.Check{
			{Name: "ledger", Run: func(ctx context.Context) error { return d.ledger.Ready(ctx) }},
			{Name: "audit", Run: func(ctx context.Context) error { return d.sink.Check(ctx) }},
			{Name: "doors", Run: func(context.Context) error {
				if d.doors.Load() == nil {
					return errNotYet
				}
				return nil
			}},
		},
		Sealed: func() bool { return d.ledger == nil || d.ledger.Sealed() },
		Failed: func(name string, err error) { d.log.Debug("not ready", "check", name, "error", err) },
		Now:    d.now,
	})
	return nil
}

func (d *Daemon) ledgerStats() telemetry.LedgerStats {
	if d.ledger == nil {
		return telemetry.LedgerStats{}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s := d.ledger.Stats(ctx)
	end, err := d.ledger.End(ctx)
	if err != nil {
		end = 0
	}
	return telemetry.LedgerStats{
		Transactions: uint64(s.Commits), Retries: uint64(s.Retries), Conflicts: uint64(s.Conflicts),
		Ambiguous: uint64(s.Ambiguous), Corrupt: uint64(s.Corrupt), Resealed: uint64(s.Resealed),
		QuotaUsed: s.Used, QuotaLimit: s.Quota, EventSequence: end, Full: s.Full, Sealed: s.Sealed,
	}
}

// counters adapts the metrics to what the secrets use case counts.
type counters struct{ m *telemetry.Metrics }

// Decided counts one decision.
func (c counters) Decided(permit bool, reason policy.Reason) {
	if permit {
		c.m.Decided(audit.Permit)
		return
	}
	c.m.Decided(audit.Deny)
	c.m.Denied(string(reason))
}

// MountViolation counts a mount outside the allow-list.
func (c counters) MountViolation() { c.m.MountViolation() }

// observePDP adapts the metrics to the external decider.
func (d *Daemon) observePDP() authzen.Observe {
	return authzen.Observe{
		Decided:  func(took time.Duration, hit bool) { d.metrics.PEP(hit, took) },
		GrantHit: d.metrics.GrantHit, GrantMiss: d.metrics.GrantMiss, NegativeHit: d.metrics.NegativeHit,
		Called: func(took time.Duration) { d.metrics.PDP(took, false) },
		Failed: func(err error) {
			d.metrics.PDP(0, true)
			d.log.Warn("the decision point gave no answer", "error", err)
		},
		Replayed: d.metrics.Replayed,
	}
}
