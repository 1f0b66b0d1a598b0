package embedded_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/etcdnode"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
	"github.com/coffer-dev/coffer/internal/seal/kek"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/embedded"
)

// The test binary runs itself as the process to be killed: with these set it is one.
const (
	victimMode = "COFFER_TEST_VICTIM" // "writes" or "history"
	victimDir  = "COFFER_TEST_VICTIM_DIR"
	victimTurn = "COFFER_TEST_VICTIM_ROUND"
)

func TestMain(m *testing.M) {
	switch os.Getenv(victimMode) {
	case "writes":
		victim(writeForever)
	case "history":
		victim(actForever)
	}
	os.Exit(m.Run())
}

// rounds is how often a process is killed: a thousand times where there is time.
func rounds(n int) int {
	if os.Getenv("COFFER_LONG") == "1" {
		return 1000
	}
	return n
}

// victim serves until it is killed.
func victim(run func(*ledger.Ledger, *embedded.Store)) {
	ctx, dir := context.Background(), os.Getenv(victimDir)
	node, err := etcdnode.Open(ctx, etcdnode.Config{Dir: dir + "/etcd", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	l := ledger.Open(ctx, ledger.Config{
		Node: node, KEKs: ledgertest.FileKEK(dir + "/kek"), EpochEvents: 100, CompactEvery: 50 * time.Millisecond,
	})
	run(l, embedded.New(l, anyMount))
}

// change is one write as every record of it tells: value, event, idempotency record.
type change struct {
	Path    string `json:"path"`
	Version int64  `json:"version"`
	ID      string `json:"id"`
}

const kindOnce ledger.Kind = "once"

// writeForever writes from several goroutines and says what was acknowledged.
func writeForever(l *ledger.Ledger, s *embedded.Store) {
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				c, err := writeOnce(l, s, fmt.Sprintf("w%d/%d", w, i%3))
				if err != nil {
					fmt.Println("error", err)
					os.Exit(1)
				}
				line, _ := json.Marshal(c)
				fmt.Printf("ack %s\n", line)
			}
		})
	}
	wg.Wait()
}

func writeOnce(l *ledger.Ledger, s *embedded.Store, path string) (change, error) {
	ctx := context.Background()
	c := change{Path: path, ID: ledger.NewID()}
	_, err := l.Txn(ctx, func(tx *ledger.Tx) error {
		v, err := s.In(tx).Put(ctx, ref("a", path), value(c.ID), nil)
		if err != nil {
			return err
		}
		c.Version = v.Version
		body, err := json.Marshal(c)
		if err != nil {
			return err
		}
		if err := tx.Put(ledger.Key{Tenant: "a", Kind: kindOnce, Path: c.ID}, body); err != nil {
			return err
		}
		return tx.Emit("a", body)
	})
	return c, err
}

func ref(tenant, path string) secret.Ref {
	return secret.Ref{Tenant: tenant, Mount: "secret", Path: path}
}

func value(text string) secret.Value { return secret.Stored(fmt.Appendf(nil, `{"v":%q}`, text)) }

// runVictim starts a victim, kills it at a random moment after its first line and
// gives every line that it got out.
func runVictim(t *testing.T, mode, dir string, round int) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimMode+"="+mode, victimDir+"="+dir, fmt.Sprintf("%s=%d", victimTurn, round))
	cmd.Stderr = io.Discard
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	var kill *time.Timer
	for in := bufio.NewScanner(out); in.Scan(); {
		if strings.HasPrefix(in.Text(), "error") {
			t.Errorf("victim: %s", in.Text())
		}
		if lines = append(lines, in.Text()); kill == nil {
			kill = time.AfterFunc(time.Duration(rand.Int64N(int64(250*time.Millisecond))), func() { _ = cmd.Process.Kill() })
		}
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the victim was to be killed, it ended with %v", err)
	}
	return lines
}

func TestE28KillUnderLoad(t *testing.T) {
	dir, acked := "", map[string]change{}
	total := 0
	for round := range rounds(20) {
		if round%20 == 0 {
			dir, acked = t.TempDir(), map[string]change{}
			if err := kek.CreateFile(dir + "/kek"); err != nil {
				t.Fatal(err)
			}
		}
		for _, line := range runVictim(t, "writes", dir, round) {
			var c change
			if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "ack ")), &c); err != nil {
				continue // cut off by the kill
			}
			acked[c.ID] = c
			total++
		}
		t.Run(fmt.Sprint("after kill ", round), func(t *testing.T) {
			l := ledgertest.OpenAt(t, dir, dir+"/kek", nil)
			checkWhole(t, l, acked)
		})
		if t.Failed() {
			return
		}
	}
	if total < 500 {
		t.Fatalf("only %d writes were acknowledged in all", total)
	}
}

// checkWhole holds the store to: every acknowledged write is there, each write with
// all its records or none, and no version number twice.
func checkWhole(t *testing.T, l *ledger.Ledger, acked map[string]change) {
	t.Helper()
	told := map[string]change{}
	next := map[string]int64{}
	after := int64(0)
	for {
		page, err := l.ReadLog(t.Context(), "a", after, 1000)
		if err != nil || page.Lost != 0 {
			t.Fatal(page.Lost, err)
		}
		if len(page.List) == 0 {
			break
		}
		for _, e := range page.List {
			var c change
			if err := json.Unmarshal(e.Body, &c); err != nil || e.Sequence <= after {
				t.Fatalf("event %d behind %d: %v", e.Sequence, after, err)
			}
			if next[c.Path]++; c.Version != next[c.Path] {
				t.Fatalf("%s: version %d told where %d is next", c.Path, c.Version, next[c.Path])
			}
			told[c.ID], after = c, e.Sequence
		}
	}
	for id, c := range acked {
		if told[id] != c {
			t.Fatalf("acknowledged %+v, told %+v", c, told[id])
		}
	}
	once, err := l.Range(t.Context(), ledger.Under("a", kindOnce, ""), 0)
	if err != nil || len(once) != len(told) {
		t.Fatalf("%d idempotency records, %d events, %v", len(once), len(told), err)
	}
	newest := map[string]change{}
	for _, r := range once {
		var c change
		if err := json.Unmarshal(r.Value, &c); err != nil || told[r.Key.Path] != c {
			t.Fatalf("idempotency record %+v, event %+v, %v", c, told[r.Key.Path], err)
		}
		if c.Version > newest[c.Path].Version {
			newest[c.Path] = c
		}
	}
	checkValues(t, embedded.New(l, anyMount), newest, told)
}

// checkValues holds metadata and every kept version to what the events told.
func checkValues(t *testing.T, s *embedded.Store, newest map[string]change, told map[string]change) {
	t.Helper()
	writer := map[string]string{}
	for id, c := range told {
		writer[fmt.Sprintf("%s@%d", c.Path, c.Version)] = id
	}
	paths, err := s.List(t.Context(), ref("a", ""), secret.ListOptions{Recursive: true})
	if err != nil || len(paths) != len(newest) {
		t.Fatalf("%d keys, %d were told of, %v", len(paths), len(newest), err)
	}
	for _, path := range paths {
		m, err := s.Meta(t.Context(), ref("a", path))
		if err != nil || m.Current != newest[path].Version {
			t.Fatalf("%s is at version %d, told were %d, %v", path, m.Current, newest[path].Version, err)
		}
		for _, v := range m.Versions {
			got, err := s.Get(t.Context(), ref("a", path), v.Version)
			if want := value(writer[fmt.Sprintf("%s@%d", path, v.Version)]); err != nil || !got.Value.Equal(want) {
				t.Fatalf("%s version %d holds %s, want %s, %v", path, v.Version, got.Value.Reveal(), want.Reveal(), err)
			}
		}
	}
}
