package yamlfile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"go.yaml.in/yaml/v3"
)

// maxFile bounds the file, in bytes.
const maxFile = 16 << 20

// settle is the age at which a modification time proves that nothing was written
// since: within one tick of the file system's clock two versions look alike.
const settle = 100 * time.Millisecond

// stamp tells versions of the file apart.
type stamp struct {
	modified time.Time
	size     int64
	inode    uint64
}

// snapshot is the file as it was read; its tree is never changed.
type snapshot struct {
	doc     *yaml.Node
	stamp   stamp
	settled bool // the stamp was old enough to be trusted
}

// load gives the file as it is now, from memory when its stamp says so.
func (s *Store) load() (*yaml.Node, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := os.Lstat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return empty(), nil
	}
	if err != nil {
		return nil, broken(err, "look at")
	}
	if s.seen.settled && stampOf(info).equal(s.seen.stamp) && info.Mode().IsRegular() {
		return s.seen.doc, nil
	}
	s.seen = snapshot{}
	doc, st, err := s.read()
	if err != nil {
		return nil, err
	}
	s.seen = snapshot{doc: doc, stamp: st, settled: s.now().Sub(st.modified) > settle}
	return doc, nil
}

// read parses the file afresh; a missing one is empty. The tree is the caller's.
func (s *Store) read() (*yaml.Node, stamp, error) {
	f, err := os.OpenFile(s.path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return empty(), stamp{}, nil
	case errors.Is(err, syscall.ELOOP):
		return nil, stamp{}, fault.New(fault.Invalid, "the YAML file is a symbolic link")
	case err != nil:
		return nil, stamp{}, broken(err, "open")
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, stamp{}, broken(err, "look at")
	}
	if !info.Mode().IsRegular() {
		return nil, stamp{}, fault.New(fault.Invalid, "the YAML file is not a regular file")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, stamp{}, broken(err, "read")
	}
	if len(data) > maxFile {
		return nil, stamp{}, fault.New(fault.Invalid, "the YAML file is larger than %d bytes", maxFile)
	}
	doc, err := parse(data)
	return doc, stampOf(info), err
}

// parse reads one document whose root is a map, without aliases and merge keys:
// they stand expanded. Its errors name lines, never content.
func parse(data []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return empty(), nil
	} else if err != nil || len(doc.Content) != 1 {
		return nil, fault.New(fault.Invalid, "the YAML file is malformed")
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, fault.New(fault.Invalid, "the YAML file is malformed or has a second document")
	}
	x := expander{}
	top, err := x.expand(doc.Content[0])
	if err != nil {
		return nil, err
	}
	switch {
	case top.ShortTag() == "!!null":
		top = newMap()
	case top.Kind != yaml.MappingNode:
		return nil, refuse(top, "the root is not a map")
	}
	doc.Content[0] = top
	return &doc, nil
}

func empty() *yaml.Node {
	return &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{newMap()}}
}

func root(doc *yaml.Node) *yaml.Node { return doc.Content[0] }

func stampOf(info fs.FileInfo) stamp {
	st := stamp{modified: info.ModTime(), size: info.Size()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		st.inode = sys.Ino
	}
	return st
}

func (s stamp) equal(o stamp) bool {
	return s.modified.Equal(o.modified) && s.size == o.size && s.inode == o.inode
}

// refuse is an Invalid fault that shows where, never what.
func refuse(n *yaml.Node, why string) error {
	return fault.New(fault.Invalid, "YAML file, line %d: %s", n.Line, why)
}

// broken is a failure of the file system; the cause is stripped of file names.
func broken(err error, doing string) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return fault.Wrap(fault.ProviderFailed, err, "could not %s the YAML file", doing)
}
