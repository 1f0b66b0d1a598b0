package bus

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/coffer-dev/coffer/internal/fault"
)

// journal is the audit file from the writer's side: lines, rotation, a durable end.
type journal struct {
	dir, path string
	file      *os.File
	kept      int64 // durable bytes of file
	written   []string
	rotated   int
	count     int
	pad       int // makes lines longer
	begin     time.Time
}

func newJournal(dir string) (*journal, error) {
	j := &journal{dir: dir, path: filepath.Join(dir, "audit.log"), begin: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	return j, j.open()
}

func (j *journal) open() (err error) {
	j.kept = 0
	j.file, err = os.OpenFile(j.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	return err
}

func (j *journal) durable() int64 { return j.kept }

func (j *journal) line() string {
	j.count++
	at := j.begin.Add(time.Duration(j.count) * time.Second).Format(time.RFC3339Nano)
	return fmt.Sprintf(`{"audit_id":"%d","ts":"%s","resource_ref":"%s"}`, j.count, at, strings.Repeat("r", j.pad))
}

// write appends lines and says that they are durable.
func (j *journal) write(n int) error {
	var text []byte
	for range n {
		line := j.line()
		text = append(append(text, line...), '\n')
		j.written = append(j.written, line)
	}
	j.kept += int64(len(text))
	_, err := j.file.Write(text)
	return err
}

// move renames the file, newest .1 as logrotate does; the writer stays on it.
func (j *journal) move() error {
	for i := j.rotated; i > 0; i-- {
		if err := os.Rename(fmt.Sprintf("%s.%d", j.path, i), fmt.Sprintf("%s.%d", j.path, i+1)); err != nil {
			return err
		}
	}
	j.rotated++
	return os.Rename(j.path, j.path+".1")
}

func (j *journal) rotate() error {
	if err := j.move(); err != nil {
		return err
	}
	return errors.Join(j.file.Close(), j.open())
}

// drain reads the trail to its end.
func drain(t *trail) (got []string, at place, err error) {
	for {
		text, behind, err := t.read()
		if err != nil || len(text) == 0 {
			return got, at, err
		}
		at = behind
		got = append(got, strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")...)
	}
}

// The model: whatever the writer does, and wherever the reader is restarted, what is
// read is what was written, in order, and once where the reader saved its place.
func TestTrailReadsEveryLineOnceInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		check(rt, err)
		j, err := newJournal(dir)
		check(rt, err)
		tr, _, err := openTrail(j.path, j.durable, place{})
		check(rt, err)
		defer func() { tr.close() }()
		var got []string
		var at place
		read := func() {
			more, behind, err := drain(tr)
			check(rt, err)
			for i, line := range more {
				if n := len(got) + i; n >= len(j.written) || line != j.written[n] {
					rt.Fatalf("line %d of %d is %s", n, len(j.written), line)
				}
			}
			if got = append(got, more...); len(more) > 0 {
				at = behind
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"write": func(rt *rapid.T) { check(rt, j.write(rapid.IntRange(1, 5).Draw(rt, "lines"))) },
			"write much": func(rt *rapid.T) {
				j.pad = maxRead / 20
				check(rt, j.write(25)) // more than is read at once
				j.pad = 0
			},
			"rotate": func(rt *rapid.T) { check(rt, j.rotate()) },
			"move away, signal later": func(rt *rapid.T) {
				check(rt, j.move())
				check(rt, j.write(1))
				read()
				check(rt, os.WriteFile(j.path, nil, 0o600)) // logrotate's create
				check(rt, j.write(1))
				read()
				check(rt, errors.Join(j.file.Close(), j.open()))
			},
			"a batch that is cut off again": func(rt *rapid.T) {
				_, err := j.file.WriteString(j.line() + "\nhalf")
				check(rt, err)
				read()
				check(rt, j.file.Truncate(j.kept))
			},
			"look": func(rt *rapid.T) { check(rt, tr.refresh()) },
			"read": func(*rapid.T) { read() },
			"restart": func(rt *rapid.T) {
				tr.close()
				var lost bool
				tr, lost, err = openTrail(j.path, j.durable, at)
				check(rt, err)
				if lost {
					rt.Fatal("the trail was lost")
				}
			},
		})
		check(rt, j.write(1)) // what was rotated is finished when the successor has a line
		read()
		if len(got) != len(j.written) {
			rt.Fatalf("%d lines of %d were read", len(got), len(j.written))
		}
		check(rt, j.file.Close())
	})
}

type fataler interface {
	Helper()
	Fatal(...any)
}

func check(t fataler, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func written(t *testing.T, j *journal, from place) (*trail, bool) {
	t.Helper()
	tr, lost, err := openTrail(j.path, j.durable, from)
	check(t, err)
	t.Cleanup(tr.close)
	return tr, lost
}

func TestTrailHoldsOnToFilesThatAreRemoved(t *testing.T) {
	j, err := newJournal(t.TempDir())
	check(t, err)
	check(t, j.write(3))
	tr, _ := written(t, j, place{})
	for range 3 {
		check(t, j.rotate())
		check(t, j.write(3))
		check(t, tr.refresh())
	}
	for i := range 3 {
		check(t, os.Remove(fmt.Sprintf("%s.%d", j.path, i+1)))
	}
	got, _, err := drain(tr)
	check(t, err)
	if strings.Join(got, "") != strings.Join(j.written, "") {
		t.Errorf("read %d lines of %d", len(got), len(j.written))
	}
}

func TestTrailTellsWhenItsFileIsGone(t *testing.T) {
	j, err := newJournal(t.TempDir())
	check(t, err)
	check(t, j.write(2))
	tr, lost := written(t, j, place{})
	if lost {
		t.Error("a new trail has lost nothing")
	}
	_, at, err := drain(tr)
	check(t, err)
	check(t, j.rotate())
	check(t, j.write(1))
	check(t, j.rotate())
	check(t, j.write(1))
	check(t, os.Remove(j.path+".2"))
	tr, lost = written(t, j, at)
	got, _, err := drain(tr)
	check(t, err)
	if !lost || len(got) != 2 || got[0] != j.written[2] || got[1] != j.written[3] {
		t.Errorf("lost %v, read %q", lost, got)
	}
}

func TestTrailIsReadAgainWhereTheFileWasCutFromOutside(t *testing.T) {
	j, err := newJournal(t.TempDir())
	check(t, err)
	check(t, j.write(3))
	tr, _ := written(t, j, place{})
	_, at, err := drain(tr)
	check(t, err)
	check(t, os.Truncate(j.path, int64(len(j.written[0]))+1))
	if _, _, err := tr.read(); !errors.Is(err, fault.Corrupt) {
		t.Errorf("error %v", err)
	}
	tr, lost := written(t, j, at)
	if got, _, err := drain(tr); err != nil || !lost || len(got) != 1 || got[0] != j.written[0] {
		t.Errorf("lost %v, read %q, error %v", lost, got, err)
	}
}

func TestTrailTakesNoOtherFiles(t *testing.T) {
	j, err := newJournal(t.TempDir())
	check(t, err)
	check(t, j.write(1))
	for name, text := range map[string]string{
		"audit.log.gz": "\x1f\x8b", "audit.log.note": "hello\n", "audit.log-empty": "", "audit.log.torn": j.line(),
		"audit.log.json": "{}\n", "other.log.1": j.line() + "\n", "audit.logs": j.line() + "\n",
	} {
		check(t, os.WriteFile(filepath.Join(j.dir, name), []byte(text), 0o600))
	}
	check(t, os.Mkdir(j.path+".d", 0o700))
	check(t, os.Symlink(j.path, j.path+".link"))
	tr, _ := written(t, j, place{})
	if got, _, err := drain(tr); err != nil || len(got) != 1 || len(tr.files) != 1 {
		t.Errorf("read %q of %d files, error %v", got, len(tr.files), err)
	}
}

func TestTrailEndsATornFileThatWasRotated(t *testing.T) {
	j, err := newJournal(t.TempDir())
	check(t, err)
	check(t, j.write(1))
	_, err = j.file.WriteString(`{"audit_id":"torn`)
	check(t, err)
	check(t, j.rotate())
	check(t, j.write(1))
	tr, _ := written(t, j, place{})
	if got, _, err := drain(tr); err != nil || strings.Join(got, "") != strings.Join(j.written, "") {
		t.Errorf("read %q, error %v", got, err)
	}
}

func TestTrailRefusesAnEndlessLine(t *testing.T) {
	j, err := newJournal(t.TempDir())
	check(t, err)
	check(t, j.write(1))
	_, err = j.file.WriteString(strings.Repeat("x", maxRead+1))
	check(t, err)
	j.kept += maxRead + 1
	tr, _ := written(t, j, place{})
	got, _, err := drain(tr)
	if len(got) != 1 || !errors.Is(err, fault.Corrupt) {
		t.Errorf("read %d lines, error %v", len(got), err)
	}
	if _, _, err := openTrail(filepath.Join(j.dir, "none", "audit.log"), j.durable, place{}); !errors.Is(err, fault.Unavailable) {
		t.Errorf("a directory that is missing: %v", err)
	}
}
