package etcdnode

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
)

// Limits of a ledger's etcd.
const (
	// MaxRequestBytes fits one value of 1 MiB with its envelope and prunes.
	MaxRequestBytes = 3 << 20
	// DefaultQuotaBytes is etcd's recommended maximum size of one database.
	DefaultQuotaBytes = 8 << 30
	// A reserve is left for changes that free room, which etcd refuses too once its own
	// quota is reached: a part of the quota, and of an embedded member at least as much
	// as may be written until the size is looked at again.
	reservePart = 8
	minReserve  = 64 << 20
)

// Config says which etcd to use.
type Config struct {
	Dir        string       // data directory of the embedded member; unused with Endpoints
	Endpoints  []string     // external cluster; empty embeds a member
	TLS        *tls.Config  // client certificate and roots for Endpoints; nil is plain text
	QuotaBytes int64        // database quota of the embedded member, in bytes; 0 is the default
	Log        *slog.Logger // receives etcd's warnings and errors
}

// Node is a running member or a connection. Client may be used concurrently.
type Node struct {
	Client *clientv3.Client // of the member or the cluster
	// Local says that the one member of the cluster lives in this process: what it
	// has applied is then all that was ever acknowledged, and a serializable read
	// is a linearizable one.
	Local bool

	member    *embed.Etcd
	endpoints []string
	quota     int64
}

// Open starts the embedded member and waits until it can commit, or dials the
// cluster. It does not wait for a dialled cluster to have a quorum.
func Open(ctx context.Context, c Config) (*Node, error) {
	if c.QuotaBytes == 0 {
		c.QuotaBytes = DefaultQuotaBytes
	}
	if len(c.Endpoints) > 0 {
		return dial(c)
	}
	cfg := embed.NewConfig()
	cfg.Dir = c.Dir
	cfg.Name = "coffer"
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.ListenPeerUrls, cfg.ListenClientUrls, cfg.ListenMetricsUrls = nil, nil, nil
	// One member votes for itself: a short election makes the first write fast.
	cfg.TickMs, cfg.ElectionMs = 10, 100
	cfg.QuotaBackendBytes = c.QuotaBytes + max(c.QuotaBytes/reservePart, minReserve)
	cfg.MaxRequestBytes = MaxRequestBytes
	// Under load requests queue for one fsync; that is no reason to warn.
	cfg.WarningApplyDuration, cfg.WarningUnaryRequestDuration = 2*time.Second, 2*time.Second
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zapTo(c.Log))
	member, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, fmt.Errorf("start embedded etcd: %w", err)
	}
	select {
	case <-member.Server.ReadyNotify():
	case <-member.Server.StopNotify():
		member.Close()
		return nil, fmt.Errorf("start embedded etcd: %w", <-member.Err())
	case <-ctx.Done():
		member.Close()
		return nil, fmt.Errorf("start embedded etcd: %w", ctx.Err())
	}
	return &Node{Client: v3client.New(member.Server), Local: true, member: member, quota: c.QuotaBytes}, nil
}

func dial(c Config) (*Node, error) {
	client, err := clientv3.New(clientv3.Config{
		Endpoints:            c.Endpoints,
		TLS:                  c.TLS,
		DialTimeout:          5 * time.Second,
		DialKeepAliveTime:    5 * time.Second,
		DialKeepAliveTimeout: 3 * time.Second,
		MaxCallSendMsgSize:   MaxRequestBytes + 1<<20,
		MaxCallRecvMsgSize:   64 << 20,
		Logger:               zapTo(c.Log),
	})
	if err != nil {
		return nil, fmt.Errorf("dial etcd: %w", err)
	}
	return &Node{Client: client, endpoints: c.Endpoints, quota: c.QuotaBytes}, nil
}

// Close stops the member or the connection and returns when it has.
func (n *Node) Close() error {
	err := n.Client.Close()
	if n.member != nil {
		n.member.Close()
		return nil // the in-process client has nothing of its own to close
	}
	if err != nil {
		return fmt.Errorf("close etcd client: %w", err)
	}
	return nil
}

// Usage tells of the size of the database, in bytes.
type Usage struct {
	Used  int64 // of the file, freed pages included
	InUse int64 // by records
	Quota int64 // what records may use; etcd's own quota is a little more
}

// Usage asks the embedded member, at no cost, or the first endpoint that answers.
func (n *Node) Usage(ctx context.Context) (Usage, error) {
	if n.member != nil {
		b := n.member.Server.Backend()
		return Usage{Used: b.Size(), InUse: b.SizeInUse(), Quota: n.quota}, nil
	}
	var last error
	for _, e := range n.endpoints {
		st, err := n.Client.Status(ctx, e)
		if err == nil {
			u := Usage{Used: st.DbSize, InUse: st.DbSizeInUse, Quota: n.quota}
			if st.DbSizeQuota > 0 {
				u.Quota = st.DbSizeQuota - st.DbSizeQuota/reservePart
			}
			return u, nil
		}
		last = err
	}
	return Usage{}, fmt.Errorf("ask etcd for its size: %w", last)
}

// Defragment gives freed pages back to the file system, one member at a time.
// Reads and writes of the member wait while it runs.
func (n *Node) Defragment(ctx context.Context) error {
	if n.member != nil {
		// The in-process client's Defragment panics; the back end's own does not.
		if err := n.member.Server.Backend().Defrag(); err != nil {
			return fmt.Errorf("defragment etcd: %w", err)
		}
		return nil
	}
	for _, e := range n.endpoints {
		if _, err := n.Client.Defragment(ctx, e); err != nil {
			return fmt.Errorf("defragment etcd: %w", err)
		}
	}
	return nil
}
