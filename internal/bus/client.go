package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// newClient makes the producer of one topic. It is idempotent and waits for all
// in-sync replicas, which are the client's defaults; a record that was sent is
// retried until its fate is known. Nothing is sent before the whole of a batch is
// buffered, so that when the first record is refused no later one slips through.
func newClient(c Config) (*kgo.Client, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...), kgo.ClientID("coffer"), kgo.ManualFlushing(),
		// A restarted broker or a topic that was made anew is seen sooner than by default.
		kgo.MetadataMinAge(500 * time.Millisecond), kgo.UnknownTopicRetries(1),
		kgo.DisableClientMetrics(), // they would hold up the end while the brokers are away
		kgo.WithLogger(clientLog{c.Log}),
	}
	if c.TLS != nil {
		opts = append(opts, kgo.DialTLSConfig(c.TLS))
	}
	return kgo.NewClient(opts...)
}

// ensure creates the topic where it is missing: with one partition, so that the
// order of its records is one. Where the operator made it with more, records of one
// resource_ref keep their order. Brokers that do not let us create topics are
// believed to have it.
func ensure(ctx context.Context, client *kgo.Client, topic string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := kadm.NewClient(client).CreateTopic(ctx, 1, -1, nil, topic)
	switch {
	case err == nil, errors.Is(err, kerr.TopicAlreadyExists), errors.Is(err, kerr.TopicAuthorizationFailed),
		errors.Is(err, kerr.ClusterAuthorizationFailed), errors.Is(err, kerr.PolicyViolation):
		return nil
	}
	return fmt.Errorf("create the topic: %w", err)
}

// clientLog lets the client's own words be read by who debugs; what matters of them
// comes back as errors.
type clientLog struct{ log *slog.Logger }

// Level implements kgo.Logger.
func (l clientLog) Level() kgo.LogLevel { return kgo.LogLevelWarn }

// Log implements kgo.Logger.
func (l clientLog) Log(_ kgo.LogLevel, message string, pairs ...any) {
	l.log.Debug("kafka client", append([]any{"message", message}, pairs...)...)
}
