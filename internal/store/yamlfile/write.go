package yamlfile

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/coffer-dev/coffer/internal/fault"
	"go.yaml.in/yaml/v3"
)

// mode of the file, its lock and its next version: the owner's alone.
const mode = 0o600

// update changes the file in one step that no other writer can come between. It
// reads the file afresh, and writes nothing when change fails.
func (s *Store) update(ctx context.Context, change func(root *yaml.Node) error) error {
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	doc, _, err := s.read()
	if err != nil {
		return err
	}
	indent := indentOf(root(doc))
	if err := change(root(doc)); err != nil {
		return err
	}
	data, err := encode(doc, indent)
	if err != nil {
		return err
	}
	return s.replace(data)
}

// lock waits for the turn among the writers of this process and of all others.
func (s *Store) lock(ctx context.Context) (unlock func(), err error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, tooLate(ctx)
	}
	type outcome struct {
		file *os.File
		err  error
	}
	got := make(chan outcome, 1)
	go func() {
		f, err := flock(s.path + ".lock")
		got <- outcome{f, err}
	}()
	release := func(o outcome) {
		if o.file != nil {
			_ = o.file.Close() // closing unlocks
		}
		<-s.turn
	}
	select {
	case o := <-got:
		if o.err != nil {
			release(o)
			return nil, o.err
		}
		return func() { release(o) }, nil
	case <-ctx.Done():
		go func() { release(<-got) }() // flock cannot be called off
		return nil, tooLate(ctx)
	}
}

// flock takes the lock that processes share. It waits as long as another holds it;
// the system frees the lock of a process that dies.
func flock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, mode)
	if err != nil {
		return nil, broken(err, "lock")
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, broken(err, "lock")
	}
	return f, nil
}

// encode renders the document and reads it back: what would not mean the same
// again is refused before it reaches the disk.
func encode(doc *yaml.Node, indent int) ([]byte, error) {
	var buf bytes.Buffer
	enc := yaml.NewEncoder(&buf)
	enc.SetIndent(indent)
	if err := errors.Join(enc.Encode(doc), enc.Close()); err != nil {
		return nil, fault.New(fault.Invalid, "the value cannot be written as YAML")
	}
	if buf.Len() > maxFile {
		return nil, fault.New(fault.TooLarge, "the YAML file would be larger than %d bytes", maxFile)
	}
	back, err := parse(buf.Bytes())
	if err != nil || !sameTree(root(back), root(doc)) {
		return nil, fault.New(fault.Invalid, "the value cannot be written as YAML")
	}
	return buf.Bytes(), nil
}

// indentOf is the indentation that the file uses, two when it shows none.
func indentOf(top *yaml.Node) int {
	for i := 1; i < len(top.Content); i += 2 {
		if m := top.Content[i]; m.Kind == yaml.MappingNode && m.Style&yaml.FlowStyle == 0 && len(m.Content) > 0 {
			if n := m.Content[0].Column - 1; n >= 2 && n <= 8 {
				return n
			}
		}
	}
	return 2
}

// replace puts data in the file's place: at every moment the file is the old or
// the new one, whole. The holder of the lock owns the name of the next version.
func (s *Store) replace(data []byte) error {
	next := s.path + ".tmp"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return broken(err, "replace")
	}
	if err := writeSynced(next, data); err != nil {
		return err
	}
	if err := os.Rename(next, s.path); err != nil {
		return broken(err, "replace")
	}
	dir, err := os.Open(filepath.Dir(s.path))
	if err != nil {
		return broken(err, "sync")
	}
	defer func() { _ = dir.Close() }()
	if err := dir.Sync(); err != nil {
		return broken(err, "sync")
	}
	return nil
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, mode)
	if err != nil {
		return broken(err, "write")
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return broken(err, "write")
	}
	return nil
}

func tooLate(ctx context.Context) error {
	return fault.Wrap(fault.Timeout, ctx.Err(), "the YAML file is being written by another process")
}
