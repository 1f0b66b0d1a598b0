package daemon

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/coffer-dev/coffer/internal/config"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity/devissuer"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
	"github.com/coffer-dev/coffer/internal/telemetry/logtest"
)

func TestCursorsCompareBeforeTheyAreMoved(t *testing.T) {
	l := ledgertest.Open(t, nil)
	c, other := cursors{ledger: l, tenant: "a"}, cursors{ledger: l, tenant: "b"}
	ctx := t.Context()
	if value, mark, err := c.Load(ctx, "x"); err != nil || mark != 0 || value != nil {
		t.Fatalf("before anything: %q, %d, %v", value, mark, err)
	}
	first, err := c.Save(ctx, "x", []byte("1"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Save(ctx, "x", []byte("2"), 0); !errors.Is(err, fault.Conflict) {
		t.Errorf("a second beginner: %v", err)
	}
	second, err := c.Save(ctx, "x", []byte("3"), first)
	if err != nil || second == first {
		t.Fatalf("mark %d after %d: %v", second, first, err)
	}
	if _, err := c.Save(ctx, "x", []byte("4"), first); !errors.Is(err, fault.Conflict) {
		t.Errorf("one who is late: %v", err)
	}
	if value, mark, err := c.Load(ctx, "x"); err != nil || mark != second || string(value) != "3" {
		t.Errorf("read %q, %d, %v", value, mark, err)
	}
	if _, mark, err := other.Load(ctx, "x"); err != nil || mark != 0 {
		t.Errorf("another tenant reads mark %d, %v", mark, err)
	}
}

func startDev(t *testing.T, dir, kafka string, log io.Writer) (*Daemon, error) {
	t.Helper()
	cfg, err := config.Load(config.Options{Mode: config.Dev, Flags: map[string]string{
		"listen": "127.0.0.1:0", "data_dir": dir, "kafka.dev_listen": kafka,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return Start(t.Context(), Options{Config: cfg, Log: log})
}

func free(t *testing.T) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func write(t *testing.T, d *Daemon, uri, value string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !d.Ready() && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	token, err := d.Issuer().Mint(devissuer.Claims{Subject: "alice", Groups: []string{"dev"}, Scopes: []string{"secrets.write"}, TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	body := strings.NewReader(`{"uri":"` + uri + `","value":{"token":"` + value + `"}}`)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.URL()+"/api/secrets", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode >= http.StatusMultipleChoices {
		text, _ := io.ReadAll(res.Body) // for the message
		t.Fatalf("POST: %s %s", res.Status, text)
	}
}

// topic reads a topic until it holds n records that contain word.
func topic(t *testing.T, addr, name, word string, n int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics(name), kgo.DisableClientMetrics())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var all strings.Builder
	for strings.Count(all.String(), word) < n {
		fetches := c.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%s holds %s", name, all.String())
		}
		fetches.EachRecord(func(r *kgo.Record) {
			all.Write(r.Key)
			all.Write(r.Value)
			for _, h := range r.Headers {
				all.Write(h.Value)
			}
			all.WriteByte('\n')
		})
	}
	return all.String()
}

func TestC53WhatIsMirroredHoldsNoValueAndSurvivesARestart(t *testing.T) {
	const canary, path = "canary-8d1f0c", "pathcanary/x7"
	dir := t.TempDir()
	l := free(t)
	kafka := l.Addr().String()
	_ = l.Close() // only its address was wanted
	log := &logtest.Log{}
	for round := 1; round <= 2; round++ {
		d, err := startDev(t, dir, kafka, log)
		if err != nil {
			t.Fatal(err)
		}
		write(t, d, "coffer+kv2://secret/"+path, canary)
		events := topic(t, kafka, "crud.secrets", `"event":"SECRET_UPDATED"`, round)
		records := topic(t, kafka, "crud.secrets.audit", `"phase":"attempt"`, round)
		for name, text := range map[string]string{"events": events, "audit": records, "log": log.String()} {
			if strings.Contains(text, canary) || strings.Contains(text, path) {
				t.Errorf("%s: %s", name, text)
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	err := filepath.WalkDir(filepath.Join(dir, "kafka"), func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if bytes.Contains(text, []byte(canary)) || bytes.Contains(text, []byte(path)) {
			t.Errorf("%s holds what nobody may read", e.Name())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestATakenKafkaPortEndsTheStart(t *testing.T) {
	l := free(t)
	defer l.Close()
	addr := l.Addr().String()
	d, err := startDev(t, t.TempDir(), addr, io.Discard)
	if err == nil {
		_ = d.Close() // it should not run
	}
	if err == nil || !strings.Contains(err.Error(), addr+": the address is taken") || !strings.Contains(err.Error(), "--kafka off") {
		t.Errorf("error %v", err)
	}
}

func TestKafkaCanBeOff(t *testing.T) {
	dir := t.TempDir()
	d, err := startDev(t, dir, "off", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	if d.mirrors() {
		t.Error("something is mirrored")
	}
	if _, err := os.Stat(filepath.Join(dir, "kafka")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a Kafka directory: %v", err)
	}
}
