package yamlfile_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/store/yamlfile"
)

// Variables that turn this test binary into a writing process.
const (
	writerFile = "COFFER_TEST_YAML_FILE"
	writerName = "COFFER_TEST_YAML_WRITER"
	writerEnd  = "COFFER_TEST_YAML_WRITES"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(writerFile); path != "" {
		os.Exit(writer(path, os.Getenv(writerName), os.Getenv(writerEnd)))
	}
	os.Exit(m.Run())
}

// writer puts 1, 2, 3 ... under its name and says each number once it is stored.
func writer(path, name, end string) int {
	s, err := yamlfile.Open(path, yamlfile.Config{Tenant: tenant, Now: time.Now})
	if err != nil {
		return 2
	}
	last, _ := strconv.Atoi(end)
	for n := 1; last == 0 || n <= last; n++ {
		if _, err := s.Put(context.Background(), at(name), numbered(n), nil); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println(n)
	}
	return 0
}

func startWriter(t *testing.T, path, name string, writes int) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writerFile+"="+path, writerName+"="+name, writerEnd+"="+strconv.Itoa(writes))
	return cmd
}

func TestE20_killed_writer_leaves_the_old_or_the_new_file(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.yaml")
	s := open(t, path)
	put(t, s, "kept", `{"k":"v"}`)
	kills := 40
	if testing.Short() {
		kills = 8
	}
	for range kills {
		if told := killOnTheWay(t, path); told > 0 {
			n := stored(t, s)
			if n != told && n != told+1 {
				t.Fatalf("the file holds write %d, acknowledged was %d", n, told)
			}
		}
		if got := get(t, s, "kept"); got != `{"k":"v"}` {
			t.Fatalf("a killed writer changed another key: %s", got)
		}
		put(t, s, "after", `{"k":"the lock is free"}`)
	}
}

// killOnTheWay kills a writer at a random moment and gives the last number it told.
func killOnTheWay(t *testing.T, path string) int {
	t.Helper()
	cmd := startWriter(t, path, "app/w", 0)
	out, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		t.Fatal("cannot start a writer")
	}
	lines := bufio.NewScanner(out)
	told := 0
	if lines.Scan() {
		told, _ = strconv.Atoi(lines.Text())
	}
	time.AfterFunc(time.Duration(rand.IntN(8000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
	for lines.Scan() {
		if n, err := strconv.Atoi(lines.Text()); err == nil {
			told = n
		}
	}
	_ = cmd.Wait()
	return told
}

// stored gives the number that the writer's value holds, checked to be whole.
func stored(t *testing.T, s *yamlfile.Store) int {
	t.Helper()
	text := get(t, s, "app/w")
	digits, _, _ := strings.Cut(strings.TrimPrefix(text, `{"n":`), ",")
	n, err := strconv.Atoi(digits)
	if err != nil || text != string(numbered(n).Reveal()) {
		t.Fatalf("the value is torn: %d bytes", len(text))
	}
	return n
}

func TestProcessesDoNotLoseEachOthersWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.yaml")
	var wg sync.WaitGroup
	for _, name := range []string{"w1", "w2", "w3"} {
		cmd := startWriter(t, path, name, 20)
		wg.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("writer: %v: %s", err, out)
			}
		})
	}
	s := open(t, path)
	wg.Go(func() {
		for i := range 20 {
			put(t, s, fmt.Sprintf("mine/%d", i), `{"k":"v"}`)
		}
	})
	wg.Wait()
	for _, name := range []string{"w1", "w2", "w3"} {
		if got, want := get(t, s, name), string(numbered(20).Reveal()); got != want {
			t.Errorf("writer %s ended with %d bytes", name, len(got))
		}
	}
	for i := range 20 {
		get(t, s, fmt.Sprintf("mine/%d", i))
	}
}

func TestWritersOfOneProcessDoNotLoseWrites(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "secrets.yaml"))
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			ref := at(fmt.Sprintf("p%d", i))
			for n := range 5 {
				if _, err := s.Put(context.Background(), ref, numbered(n), nil); err != nil {
					t.Errorf("put: %v", err)
				}
				got, err := s.Get(context.Background(), ref, 0)
				if err != nil || !got.Value.Equal(numbered(n)) {
					t.Errorf("a writer does not read its own write: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

// holdLock takes the lock of the file as another process would.
func holdLock(t *testing.T, path string) (free func()) {
	t.Helper()
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil || syscall.Flock(int(f.Fd()), syscall.LOCK_EX) != nil {
		t.Fatal("cannot take the lock")
	}
	return func() { _ = f.Close() }
}
