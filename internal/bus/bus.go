package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
)

// Topics gives the topics of a prefix: that of events and that of audit records.
func Topics(prefix string) (events, audit string) {
	return prefix + ".secrets", prefix + ".secrets.audit"
}

// Config is what a bus needs. What has no default is required.
type Config struct {
	// Brokers are the addresses to begin with, host:port; more are learnt from them.
	Brokers []string
	// TLS is for calling the brokers; nil calls them in the clear.
	TLS *tls.Config
	// Prefix of the topics; see Topics.
	Prefix string
	// Tenant whose events are mirrored.
	Tenant string
	// Events is the log they come from.
	Events event.Log
	// AuditFile is the path of the file of audit lines. Rotated files are looked for
	// beside it, as <path>.<anything> or <path>-<anything>.
	AuditFile string
	// Durable is how many bytes of the file now written to are there to stay.
	Durable func() int64
	// Node tells this process's audit file from those of other replicas; it must stay
	// the same over restarts.
	Node string
	// Cursors keeps how far the topics were filled.
	Cursors Cursors
	// Log hears when mirroring stops, goes on, or meets a gap; nil: nobody listens.
	Log *slog.Logger
	// Observe counts; a nil member is not called.
	Observe Observe
	// Pace is the least time between two batches that are not full, and how often the
	// audit file is looked at; 0 is 200 ms.
	Pace time.Duration
	// StandBy is how long another replica's cursor must stand still before this one
	// takes over, give or take a fifth; 0 is 10 s.
	StandBy time.Duration
	// Now is the clock of Observe.Sent; nil is time.Now.
	Now func() time.Time
	// After makes timers; nil is time.After.
	After func(time.Duration) <-chan time.Time
	// Random spreads retries, from 0 to below 1; nil means math/rand.
	Random func() float64
}

// Observe is told what the bus does, from its own goroutines: it must not block.
type Observe struct {
	// Sent hears of records that the brokers acknowledged, and how long that took.
	Sent func(topic string, records int, took time.Duration)
	// Failed hears of each try that came to nothing, and of each time that the
	// brokers are found slow.
	Failed func(topic string)
	// Gap hears that records are gone that were not mirrored yet.
	Gap func(topic string)
}

// Bus mirrors until its Run ends. All methods may be called concurrently.
type Bus struct {
	feeds []*feed
}

// New prepares a bus; it calls nobody yet. A configuration that no broker could be
// called with is Invalid.
func New(c Config) (*Bus, error) {
	c = c.withDefaults()
	if len(c.Brokers) == 0 || c.Prefix == "" || c.Tenant == "" || c.AuditFile == "" || c.Node == "" ||
		c.Events == nil || c.Durable == nil || c.Cursors == nil {
		return nil, fault.New(fault.Invalid, "the bus needs brokers, a prefix, a tenant, a node, an event log, an audit file and cursors")
	}
	events, records := Topics(c.Prefix)
	b := &Bus{}
	for _, f := range []*feed{
		{topic: events, cursor: cursor{store: c.Cursors, name: "kafka/" + events}, pump: mirrorEvents},
		{topic: records, cursor: cursor{store: c.Cursors, name: "kafka/" + records + "/" + c.Node}, pump: mirrorAudit},
	} {
		f.c = c
		client, err := newClient(c)
		if err != nil {
			b.close()
			return nil, fault.Wrap(fault.Invalid, err, "prepare a Kafka client")
		}
		f.client = client
		f.failing.Store(fault.New(fault.Unavailable, "not started"))
		b.feeds = append(b.feeds, f)
	}
	return b, nil
}

// Run mirrors until ctx ends. Trouble is logged, observed and told by Ready, and
// tried again; it does not end Run. A bus runs once.
func (b *Bus) Run(ctx context.Context) {
	defer b.close()
	var all sync.WaitGroup
	for _, f := range b.feeds {
		all.Go(func() { f.run(ctx) })
	}
	all.Wait()
}

// Ready says what is not being mirrored and why, or nil. Requests are served all the
// same: it is for operators, not for load balancers.
func (b *Bus) Ready() error {
	var errs []error
	for _, f := range b.feeds {
		if err := f.failing.Load(); err != nil {
			errs = append(errs, fault.Wrap(fault.Unavailable, err, "topic %s", f.topic))
		}
	}
	return errors.Join(errs...)
}

func (b *Bus) close() {
	for _, f := range b.feeds {
		f.client.Close()
	}
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Pace <= 0 {
		c.Pace = 200 * time.Millisecond
	}
	if c.StandBy <= 0 {
		c.StandBy = 10 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.After == nil {
		c.After = time.After
	}
	if c.Random == nil {
		c.Random = rand.Float64
	}
	if c.Observe.Sent == nil {
		c.Observe.Sent = func(string, int, time.Duration) {}
	}
	if c.Observe.Failed == nil {
		c.Observe.Failed = func(string) {}
	}
	if c.Observe.Gap == nil {
		c.Observe.Gap = func(string) {}
	}
	return c
}

// wait waits d, or says that ctx ended.
func (c *Config) wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.After(d):
		return nil
	}
}

// spread is d give or take a fifth, so that replicas do not move in step.
func (c *Config) spread(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*c.Random()))
}
