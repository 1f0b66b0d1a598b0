// Package telemetry is what the house tells its operators: a logger that redacts,
// metrics with bounded labels, and the health endpoints. Its room trace holds
// everything of OpenTelemetry. It decides nothing and knows no door; the audit,
// which must not be lost, is not telemetry.
package telemetry
