package bus_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/coffer-dev/coffer/internal/bus"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
)

func cluster(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(3)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestTopicsAreMadeWithOnePartition(t *testing.T) {
	k := cluster(t)
	c := config(t, k.ListenAddrs()[0])
	c.Prefix = "other"
	mirror, _ := run(t, c)
	eventually(t, "ready", func() bool { return mirror.Ready() == nil })
	for _, topic := range []string{"other.secrets", "other.secrets.audit"} {
		if info := k.TopicInfo(topic); info == nil || len(k.PartitionInfos(topic)) != 1 {
			t.Errorf("topic %s: %+v", topic, info)
		}
	}
}

func TestRecordsOfOneSecretKeepTheirOrderOnManyPartitions(t *testing.T) {
	l := ledgertest.Open(t, nil)
	k := cluster(t, kfake.SeedTopics(4, "crud.secrets"))
	c := config(t, k.ListenAddrs()[0])
	c.Events = l
	want := emit(t, l, 70)
	run(t, c)
	partition := map[string]int32{}
	perKey := map[string][]string{}
	for _, r := range read(t, c.Brokers[0], "crud.secrets").next(70) {
		key := string(r.Key)
		if p, ok := partition[key]; ok && p != r.Partition {
			t.Errorf("%s is on partitions %d and %d", key, p, r.Partition)
		}
		partition[key] = r.Partition
		perKey[key] = append(perKey[key], header(r, "id"))
	}
	for i := range 7 {
		var mine []string
		for j := i; j < len(want); j += 7 {
			mine = append(mine, want[j])
		}
		if key := "ref" + string(rune('0'+i)); !slices.Equal(perKey[key], mine) {
			t.Errorf("%s: %v, want %v", key, perKey[key], mine)
		}
	}
}

// Every produce request asks for all replicas; the first one, and one with a batch of
// records behind it, are refused for good, and no later record may slip through before they are repeated.
func TestARefusedBatchIsRepeatedBeforeAnythingElse(t *testing.T) {
	l := ledgertest.Open(t, nil)
	k := cluster(t, kfake.SeedTopics(1, "crud.secrets", "crud.secrets.audit"))
	var requests, refused, weak atomic.Int64
	k.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		k.KeepControl()
		p, ok := req.(*kmsg.ProduceRequest)
		if !ok || p.Acks != -1 {
			weak.Add(1)
		}
		if n := requests.Add(1); n != 1 && n != 3 {
			return nil, nil, false
		}
		refused.Add(1)
		res := p.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range p.Topics {
			t := kmsg.NewProduceResponseTopic()
			t.Topic, t.TopicID = topic.Topic, topic.TopicID
			for _, part := range topic.Partitions {
				e := kmsg.NewProduceResponseTopicPartition()
				e.Partition, e.ErrorCode = part.Partition, kerr.InvalidRecord.Code
				t.Partitions = append(t.Partitions, e)
			}
			res.Topics = append(res.Topics, t)
		}
		return res, nil, true
	})
	c := config(t, k.ListenAddrs()[0])
	c.Events = l
	var failed atomic.Int64
	c.Observe.Failed = func(string) { failed.Add(1) }
	want := emit(t, l, 1200) // more than a batch
	run(t, c)
	got := read(t, c.Brokers[0], "crud.secrets").next(len(want))
	if !slices.Equal(ids(got), want) {
		t.Errorf("%d records, not in the order of the log", len(got))
	}
	if refused.Load() != 2 || failed.Load() == 0 || weak.Load() != 0 {
		t.Errorf("refused %d, reported %d, with weak acknowledgement %d", refused.Load(), failed.Load(), weak.Load())
	}
}

func TestATopicThatWasDeletedIsMadeAnew(t *testing.T) {
	l := ledgertest.Open(t, nil)
	k := cluster(t)
	c := config(t, k.ListenAddrs()[0])
	c.Events = l
	emit(t, l, 3)
	_, stop := run(t, c)
	read(t, c.Brokers[0], "crud.secrets").next(3)
	if err := k.DeleteTopic("crud.secrets"); err != nil {
		t.Fatal(err)
	}
	want := emit(t, l, 3)
	got := read(t, c.Brokers[0], "crud.secrets", kgo.UnknownTopicRetries(-1)).next(3)
	if have := ids(got); !slices.Equal(have[len(have)-3:], want) {
		t.Errorf("ids %v, want %v", have, want)
	}
	stop()
}

func TestBrokersAreCalledOverTLS(t *testing.T) {
	web := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	t.Cleanup(web.Close)
	k := cluster(t, kfake.TLS(&tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12}))
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	c := config(t, k.ListenAddrs()[0])
	c.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	trusted, _ := run(t, c)
	eventually(t, "ready", func() bool { return trusted.Ready() == nil })
	var failed atomic.Int64
	c.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	c.Observe.Failed = func(string) { failed.Add(1) }
	stranger, _ := run(t, c)
	eventually(t, "a report", func() bool { return failed.Load() > 0 })
	if stranger.Ready() == nil {
		t.Error("an unknown authority is trusted")
	}
}

func TestAnIncompleteConfigurationIsInvalid(t *testing.T) {
	for name, spoil := range map[string]func(*bus.Config){
		"brokers": func(c *bus.Config) { c.Brokers = nil },
		"prefix":  func(c *bus.Config) { c.Prefix = "" },
		"tenant":  func(c *bus.Config) { c.Tenant = "" },
		"file":    func(c *bus.Config) { c.AuditFile = "" },
		"node":    func(c *bus.Config) { c.Node = "" },
		"events":  func(c *bus.Config) { c.Events = nil },
		"durable": func(c *bus.Config) { c.Durable = nil },
		"cursors": func(c *bus.Config) { c.Cursors = nil },
		"address": func(c *bus.Config) { c.Brokers = []string{"kafka:port"} },
	} {
		c := config(t, "127.0.0.1:1")
		spoil(&c)
		if _, err := bus.New(c); !errors.Is(err, fault.Invalid) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}
