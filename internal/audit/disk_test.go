package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/coffer-dev/coffer/internal/audit"
)

var errNoSpace = errors.New("no space left on device")

// medium is a disk with faults. What is in durable survived an fsync; what is in
// content may be in the page cache alone, and is lost by drop.
type medium struct {
	mu       sync.Mutex
	content  []byte
	durable  []byte
	writeErr error
	room     int  // bytes that a failing write still takes
	silent   bool // a failing write reports only how little it took
	syncErr  error
	truncErr error
	openErr  error
	hang     chan struct{} // when not nil, Sync waits until it is closed
	syncs    int
	opens    int
}

type handle struct{ m *medium }

func (m *medium) open(string) (audit.Disk, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opens++
	return handle{m}, int64(len(m.content)), m.openErr
}

func (m *medium) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

func (h handle) Write(p []byte) (int, error) {
	m := h.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writeErr != nil {
		n := min(m.room, len(p))
		m.content = append(m.content, p[:n]...)
		if m.silent {
			return n, nil
		}
		return n, m.writeErr
	}
	m.content = append(m.content, p...)
	return len(p), nil
}

func (h handle) Sync() error {
	m := h.m
	m.mu.Lock()
	hang := m.hang
	m.mu.Unlock()
	if hang != nil {
		<-hang
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.syncs++
	if m.syncErr != nil {
		return m.syncErr
	}
	m.durable = bytes.Clone(m.content)
	return nil
}

func (h handle) Truncate(size int64) error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if h.m.truncErr != nil {
		return h.m.truncErr
	}
	h.m.content = h.m.content[:size]
	return nil
}

func (h handle) Close() error { return nil }

// lines decodes whole lines and fails on anything else.
func lines(t *testing.T, data []byte) []audit.Record {
	t.Helper()
	out := []audit.Record{}
	for line := range strings.Lines(string(data)) {
		var r audit.Record
		dec := json.NewDecoder(strings.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&r); err != nil || !strings.HasSuffix(line, "}\n") {
			t.Fatalf("not a whole record: %q: %v", line, err)
		}
		out = append(out, r)
	}
	return out
}

func (m *medium) records(t *testing.T) []audit.Record {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !bytes.Equal(m.content, m.durable) {
		t.Errorf("%d bytes written, %d durable", len(m.content), len(m.durable))
	}
	return lines(t, m.durable)
}

func TestOpenDiskCutsATornLastLine(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	for name, c := range map[string]struct{ had, keeps string }{
		"empty":                     {"", ""},
		"whole":                     {"{}\n{}\n", "{}\n{}\n"},
		"torn":                      {"{}\n{\"a", "{}\n"},
		"torn, longer than a block": {"{}\n" + long, "{}\n"},
		"nothing but a torn line":   {long, ""},
		"whole long line":           {long + "\n", long + "\n"},
		"newline at a block's edge": {"{}\n" + strings.Repeat("y", 4096), "{}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.log")
			if err := os.WriteFile(path, []byte(c.had), 0o644); err != nil {
				t.Fatal(err)
			}
			disk, size, err := audit.OpenDisk(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := disk.Write([]byte("next\n")); err != nil {
				t.Fatal(err)
			}
			if err := disk.Close(); err != nil {
				t.Fatal(err)
			}
			got, _ := os.ReadFile(path)
			if string(got) != c.keeps+"next\n" || size != int64(len(c.keeps)) {
				t.Errorf("size %d, %d bytes in the file, want %d kept", size, len(got), len(c.keeps))
			}
			if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, want 0600", info.Mode().Perm())
			}
		})
	}
}

func TestOpenDiskRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{
		"directory": dir, "no parent": filepath.Join(dir, "none", "audit.log"), "device": os.DevNull,
	} {
		if _, _, err := audit.OpenDisk(path); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	path := filepath.Join(dir, "new.log")
	disk, size, err := audit.OpenDisk(path)
	if err != nil || size != 0 {
		t.Fatalf("new file: %d, %v", size, err)
	}
	defer func() { _ = disk.Close() }()
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode().Perm())
	}
}
