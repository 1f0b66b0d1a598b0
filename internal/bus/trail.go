package bus

import (
	"errors"
	"os"
	"slices"

	"github.com/coffer-dev/coffer/internal/fault"
)

// trail is the audit file with its past: a chain of open files, of which the first
// is being read. A file keeps its place in the chain however it is renamed, and even
// when it is removed, for it is held open.
type trail struct {
	path    string
	durable func() int64
	files   []*auditFile // oldest first
}

// openTrail begins behind a place; lost says that the file of that place is gone.
// Then, and without a place, the trail begins with the oldest file that is there: to
// say something twice is better than not to say it.
func openTrail(path string, durable func() int64, from place) (t *trail, lost bool, err error) {
	files, _, err := scan(path)
	if err != nil {
		return nil, false, err
	}
	t = &trail{path: path, durable: durable, files: files}
	if from.File == "" {
		return t, false, nil
	}
	i := slices.IndexFunc(files, func(f *auditFile) bool { return f.id == from.File })
	if i < 0 {
		return t, true, nil
	}
	closeAll(files[:i])
	t.files = files[i:]
	if from.Offset > t.files[0].info.Size() {
		return t, true, nil // cut from outside: all that is left is read again
	}
	t.files[0].at = from.Offset
	return t, false, nil
}

func (t *trail) close() { closeAll(t.files) }

// read gives the next whole lines, at most maxRead bytes of them, and the place
// behind them; none when there is nothing more for now.
func (t *trail) read() ([]byte, place, error) {
	// Refreshing comes first: when a successor with lines in it is known, nothing is
	// written to its predecessor any more, and that one's end is its last line.
	if err := t.refresh(); err != nil {
		return nil, place{}, err
	}
	for len(t.files) > 0 {
		f, limit := t.files[0], int64(-1)
		if len(t.files) == 1 {
			limit = t.durable()
		}
		text, err := f.lines(limit)
		if err != nil || len(text) > 0 {
			return text, place{File: f.id, Offset: f.at}, err
		}
		if len(t.files) == 1 {
			break
		}
		closeAll(t.files[:1])
		t.files = t.files[1:]
	}
	return nil, place{}, nil
}

// refresh takes files into the chain that came since: those begun after its
// newest one.
func (t *trail) refresh() error {
	info, err := os.Lstat(t.path)
	switch {
	case errors.Is(err, os.ErrNotExist), err == nil && info.Size() == 0:
		return nil // rotated, and no line written since: the old file may still get some
	case err != nil:
		return fault.Wrap(fault.Unavailable, err, "look at the audit file")
	}
	if n := len(t.files); n > 0 && os.SameFile(info, t.files[n-1].info) {
		return nil
	}
	found, current, err := scan(t.path)
	if err != nil || !current {
		closeAll(found)
		return err // the first line of the new file is not whole yet
	}
	t.adopt(found)
	return nil
}

// adopt appends what is new among found, whose last is the current file, and closes
// the rest.
func (t *trail) adopt(found []*auditFile) {
	known := t.files
	for i, f := range found {
		same := func(k *auditFile) bool { return os.SameFile(k.info, f.info) }
		old := len(known) > 0 && !f.begun.After(known[len(known)-1].begun)
		if slices.ContainsFunc(known, same) || old && i < len(found)-1 {
			closeAll(found[i : i+1])
			continue
		}
		t.files = append(t.files, f)
	}
}
