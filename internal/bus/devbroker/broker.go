package devbroker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/coffer-dev/coffer/internal/fault"
)

// Config says where the broker listens and what it keeps.
type Config struct {
	// Listen is a loopback address such as 127.0.0.1:9092; port 0 takes a free one.
	Listen string
	// Dir keeps the records; it is created for its owner alone. One process uses it.
	Dir string
	// Topics are there from the start, with one partition each, so that their records
	// have one order.
	Topics []string
	// Log hears of trouble; nil: nobody listens.
	Log *slog.Logger
}

// Broker is a running broker. Its methods may be called concurrently.
type Broker struct {
	cluster *kfake.Cluster
	addr    string
}

// Start runs a broker until Close. What was acknowledged survives the death of the
// process. An address that is not loopback is Invalid; one that is taken, or a
// directory that cannot be used, is Unavailable, and nothing is left running.
func Start(ctx context.Context, c Config) (*Broker, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	l, err := listen(ctx, c.Listen)
	if err != nil {
		return nil, err
	}
	// The records are opened only by whom the port belongs to: of two processes on
	// one directory the second never gets here.
	cluster, err := open(c, l)
	if err != nil {
		return nil, errors.Join(fault.Wrap(fault.Unavailable, err, "open the records of the Kafka broker"), ignoreClosed(l.Close()))
	}
	for _, topic := range c.Topics {
		// Not as a seed: seeds are sown into an empty directory only.
		if cluster.TopicInfo(topic) != nil {
			continue
		}
		if err := cluster.CreateTopic(topic, 1, nil); err != nil {
			cluster.Close()
			return nil, fault.Wrap(fault.Unavailable, err, "create a topic of the Kafka broker")
		}
	}
	return &Broker{cluster: cluster, addr: l.Addr().String()}, nil
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fault.Wrap(fault.Unavailable, err, "the Kafka broker cannot listen on %s: the address is taken", address)
	case err != nil:
		return nil, fault.Wrap(fault.Unavailable, err, "the Kafka broker cannot listen on %s", address)
	}
	if at, ok := l.Addr().(*net.TCPAddr); !ok || !at.IP.IsLoopback() {
		return nil, errors.Join(
			fault.New(fault.Invalid, "the Kafka broker of development listens on loopback only, not on %s", address), l.Close())
	}
	return l, nil
}

func open(c Config, l net.Listener) (*kfake.Cluster, error) {
	dir := filepath.Clean(c.Dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory: %w", err)
	}
	return kfake.NewCluster(
		kfake.NumBrokers(1), kfake.DefaultNumPartitions(1), kfake.ClusterID("coffer-dev"),
		kfake.DataDir(dir), kfake.SyncWrites(),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return l, nil }),
		kfake.WithLogger(logger{c.Log}),
	)
}

// ignoreClosed forgives closing twice: the cluster may have done it.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Addr is where the broker listens, host:port.
func (b *Broker) Addr() string { return b.addr }

// Close stops the broker and gives its port back. Calling it again does nothing.
func (b *Broker) Close() { b.cluster.Close() }

// logger passes trouble on and leaves out the chatter about requests.
type logger struct{ log *slog.Logger }

// Logf implements kfake.Logger.
func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	if level <= kfake.LogLevelWarn {
		l.log.Warn("kafka broker", "message", fmt.Sprintf(format, args...))
	}
}
