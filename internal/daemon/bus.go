package daemon

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/coffer-dev/coffer/internal/bus"
	"github.com/coffer-dev/coffer/internal/bus/devbroker"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger"
)

// startBus mirrors events and audit records to Kafka where brokers are given, or to
// the broker of coffer dev. It needs the ledger and the audit file; it does not wait
// for the brokers.
func (d *Daemon) startBus(ctx context.Context) error {
	if !d.mirrors() {
		return nil
	}
	c, err := d.busConfig()
	if err != nil {
		return err
	}
	if len(c.Brokers) == 0 {
		broker, err := d.startBroker(ctx)
		if err != nil {
			return err
		}
		c.Brokers = []string{broker.Addr()}
	}
	b, err := bus.New(c)
	if err != nil {
		return err
	}
	d.background(ctx, "bus", b.Run)
	return nil
}

// mirrors says whether Kafka is on.
func (d *Daemon) mirrors() bool {
	return len(d.cfg.Kafka.Brokers) > 0 || d.dev != nil && d.cfg.Kafka.DevListen != "off"
}

func (d *Daemon) startBroker(ctx context.Context) (*devbroker.Broker, error) {
	events, records := bus.Topics(d.cfg.Kafka.TopicPrefix)
	broker, err := devbroker.Start(ctx, devbroker.Config{
		Listen: d.cfg.Kafka.DevListen, Dir: filepath.Join(d.cfg.DataDir, "kafka"), Topics: []string{events, records}, Log: d.log,
	})
	if err != nil {
		return nil, fmt.Errorf("%w; choose another address by --kafka HOST:PORT, or --kafka off", err)
	}
	d.onStop("kafka broker", func(context.Context) error {
		broker.Close()
		return nil
	})
	return broker, nil
}

func (d *Daemon) busConfig() (bus.Config, error) {
	path, err := filepath.Abs(d.cfg.Audit.File)
	if err != nil {
		return bus.Config{}, fmt.Errorf("audit.file: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return bus.Config{}, fmt.Errorf("ask for the host name: %w", err)
	}
	c := bus.Config{
		Brokers: d.cfg.Kafka.Brokers, Prefix: d.cfg.Kafka.TopicPrefix, Tenant: d.cfg.Tenant.ID, Events: d.ledger,
		AuditFile: path, Durable: d.sink.Durable, Node: host + path,
		Cursors: cursors{ledger: d.ledger, tenant: d.cfg.Tenant.ID}, Log: d.log, Now: d.now,
		Observe: bus.Observe{
			Sent:   func(topic string, records int, _ time.Duration) { d.metrics.Mirrored(topic, records) },
			Failed: d.metrics.MirrorFailed, Gap: d.metrics.MirrorGap,
		},
	}
	if !d.cfg.Kafka.UseTLS {
		return c, nil
	}
	if c.TLS, err = clientTLS(d.cfg.Kafka.TLS); err != nil {
		return bus.Config{}, fmt.Errorf("kafka.tls: %w", err)
	}
	if c.TLS == nil {
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return c, nil
}

// kindCursor keeps how far the bus filled its topics.
const kindCursor ledger.Kind = "cursor"

// cursors keeps the cursors of the bus in the ledger.
type cursors struct {
	ledger *ledger.Ledger
	tenant string
}

// Load implements bus.Cursors; the mark is the record's revision.
func (c cursors) Load(ctx context.Context, name string) (value []byte, mark int64, err error) {
	r, _, err := c.ledger.Get(ctx, c.key(name))
	return r.Value, r.Revision, err
}

// Save implements bus.Cursors.
func (c cursors) Save(ctx context.Context, name string, value []byte, mark int64) (int64, error) {
	done, err := c.ledger.Txn(ctx, func(tx *ledger.Tx) error {
		r, _, err := tx.Get(ctx, c.key(name))
		if err != nil {
			return err
		}
		if r.Revision != mark {
			return fault.New(fault.Conflict, "the cursor was moved")
		}
		return tx.Put(c.key(name), value)
	})
	return done.Revision, err
}

func (c cursors) key(name string) ledger.Key {
	return ledger.Key{Tenant: c.tenant, Kind: kindCursor, Path: name}
}
