package ledgertest

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/etcdnode"
	"github.com/coffer-dev/coffer/internal/seal/kek"
)

// Members is a cluster of three etcd members in this process that speak mutual TLS on
// loopback. It is for the goroutine of the test alone.
type Members struct {
	Endpoints []string
	TLS       *tls.Config // of a client that the members trust
	KeyFile   string      // a key encryption key

	t       testing.TB
	configs []*embed.Config
	running []*embed.Etcd // nil where stopped
}

// members is how many a cluster has: the fewest that survive the loss of one.
const members = 3

// Cluster starts three members that live as long as the test.
func Cluster(t testing.TB) *Members {
	t.Helper()
	dir := t.TempDir()
	files := makeCertificates(t, dir)
	m := &Members{t: t, TLS: files.client(t), KeyFile: dir + "/kek", running: make([]*embed.Etcd, members)}
	if err := kek.CreateFile(m.KeyFile); err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 2*members)
	initial := ""
	for i := range members {
		initial += fmt.Sprintf(",m%d=%s", i, ports[i].String())
	}
	for i := range members {
		peer, client := ports[i], ports[members+i]
		cfg := embed.NewConfig()
		cfg.Dir, cfg.Name = fmt.Sprintf("%s/m%d", dir, i), fmt.Sprintf("m%d", i)
		cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
		cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
		cfg.InitialCluster = initial[1:]
		cfg.ClientTLSInfo, cfg.PeerTLSInfo = files.info(), files.info()
		cfg.TickMs, cfg.ElectionMs = 50, 500
		cfg.MaxRequestBytes = etcdnode.MaxRequestBytes
		cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
		m.configs = append(m.configs, cfg)
		m.Endpoints = append(m.Endpoints, client.String())
	}
	m.startAll()
	t.Cleanup(func() {
		for i := range members {
			m.Stop(i)
		}
	})
	return m
}

func (m *Members) startAll() {
	m.t.Helper()
	for i := range members {
		m.start(i)
	}
	for i := range members {
		m.await(i)
	}
}

// Start starts a stopped member again on its data and waits until it serves, which
// needs a quorum.
func (m *Members) Start(i int) {
	m.t.Helper()
	m.start(i)
	m.await(i)
}

// StartAlone is Start without waiting.
func (m *Members) StartAlone(i int) {
	m.t.Helper()
	m.start(i)
}

func (m *Members) start(i int) {
	m.t.Helper()
	e, err := embed.StartEtcd(m.configs[i])
	if err != nil {
		m.t.Fatal(err)
	}
	m.running[i] = e
}

func (m *Members) await(i int) {
	m.t.Helper()
	select {
	case <-m.running[i].Server.ReadyNotify():
	case <-time.After(30 * time.Second):
		m.t.Fatalf("member %d does not serve", i)
	}
}

// Stop stops a member: its connections break first, for etcd in this process must not
// be asked while its database closes.
func (m *Members) Stop(i int) {
	if m.running[i] == nil {
		return
	}
	m.running[i].Close()
	m.running[i] = nil
	m.configs[i].ClusterState = embed.ClusterStateFlagExisting
}

// Leader is the member that leads; -1 when there is none.
func (m *Members) Leader() int {
	for i, e := range m.running {
		if e != nil && e.Server.Leader() == e.Server.MemberID() {
			return i
		}
	}
	return -1
}

// Open dials the cluster and starts a ledger that lives as long as the test.
func (m *Members) Open(t testing.TB, change func(*ledger.Config)) *ledger.Ledger {
	t.Helper()
	node, err := etcdnode.Open(context.Background(), etcdnode.Config{
		Endpoints: m.Endpoints, TLS: m.TLS, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return start(t, node, m.KeyFile, change)
}

// freePorts finds ports that nobody listens on.
func freePorts(t testing.TB, n int) []url.URL {
	t.Helper()
	var out []url.URL
	for range n {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }() // all are held until all are known
		out = append(out, url.URL{Scheme: "https", Host: l.Addr().String()})
	}
	return out
}

func (f certificates) info() transport.TLSInfo {
	return transport.TLSInfo{CertFile: f.cert, KeyFile: f.key, TrustedCAFile: f.ca, ClientCertAuth: true}
}
