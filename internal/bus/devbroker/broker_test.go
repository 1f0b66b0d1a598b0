package devbroker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/coffer-dev/coffer/internal/bus/devbroker"
	"github.com/coffer-dev/coffer/internal/fault"
)

// childDir names the directory of the broker that a test runs in a process of its
// own, so that it can be killed.
const childDir = "DEVBROKER_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		b, err := devbroker.Start(context.Background(), devbroker.Config{Listen: "127.0.0.1:0", Dir: dir, Topics: []string{"t"}})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(b.Addr())
		select {}
	}
	os.Exit(m.Run())
}

func start(t *testing.T, dir string, topics ...string) *devbroker.Broker {
	t.Helper()
	b, err := devbroker.Start(t.Context(), devbroker.Config{Listen: "127.0.0.1:0", Dir: dir, Topics: topics})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func client(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr), kgo.DisableClientMetrics())...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func produce(t *testing.T, addr, topic string, values ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c := client(t, addr)
	for _, v := range values {
		if err := c.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(v)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// consume reads n records of a topic from its beginning.
func consume(t *testing.T, addr, topic string, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c := client(t, addr, kgo.ConsumeTopics(topic))
	var got []string
	for len(got) < n {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("after %q: %s", got, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	return got
}

func TestRecordsSurviveAKill(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for round := range 3 {
		addr, kill := child(t, dir)
		values := []string{fmt.Sprint(round, "a"), fmt.Sprint(round, "b")}
		produce(t, addr, "t", values...)
		kill()
		want = append(want, values...)
	}
	b := start(t, dir, "t")
	if got := consume(t, b.Addr(), "t", len(want)); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("read %q, want %q", got, want)
	}
}

// child runs a broker in another process and gives its address and its end.
func child(t *testing.T, dir string) (addr string, kill func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line), func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
	}
}

func TestATopicThatComesLaterIsMadeAndOldOnesStay(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir, "old")
	produce(t, b.Addr(), "old", "1")
	b.Close()
	b.Close()
	b = start(t, dir, "old", "new")
	produce(t, b.Addr(), "old", "2")
	produce(t, b.Addr(), "new", "3")
	b.Close()
	b = start(t, dir, "new")
	if got := consume(t, b.Addr(), "old", 2); got[0] != "1" || got[1] != "2" {
		t.Errorf("old holds %q", got)
	}
	if got := consume(t, b.Addr(), "new", 1); got[0] != "3" {
		t.Errorf("new holds %q", got)
	}
}

func TestATakenPortIsSaidSo(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := filepath.Join(t.TempDir(), "kafka")
	_, err = devbroker.Start(t.Context(), devbroker.Config{Listen: l.Addr().String(), Dir: dir})
	if !errors.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), l.Addr().String()+": the address is taken") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the directory of a broker that does not run was touched")
	}
}

func TestWhatCannotBeUsedIsRefusedAndNothingIsLeftListening(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "meta.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	for name, c := range map[string]struct {
		config devbroker.Config
		kind   fault.Kind
	}{
		"every address":  {devbroker.Config{Listen: "0.0.0.0:0", Dir: t.TempDir()}, fault.Invalid},
		"no port":        {devbroker.Config{Listen: "127.0.0.1", Dir: t.TempDir()}, fault.Unavailable},
		"a file":         {devbroker.Config{Listen: port, Dir: file}, fault.Unavailable},
		"broken records": {devbroker.Config{Listen: port, Dir: broken}, fault.Unavailable},
		"like topics":    {devbroker.Config{Listen: port, Dir: t.TempDir(), Topics: []string{"a.b", "a_b"}}, fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := devbroker.Start(t.Context(), c.config)
			if !errors.Is(err, c.kind) {
				t.Fatalf("error %v, want %s", err, c.kind)
			}
			l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", port)
			if err != nil {
				t.Fatalf("the port is not free again: %s", err)
			}
			_ = l.Close()
		})
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
