package audit

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Disk is the open file under a File: appended to, cut, made durable. It is used
// by one goroutine at a time. Tests put faults here.
type Disk interface {
	io.Writer
	// Sync returns once everything written is on stable storage. After an error
	// nothing written since the last success may be taken for stored.
	Sync() error
	// Truncate cuts the file to size bytes; the next Write appends there.
	Truncate(size int64) error
	// Close gives the handle back; it makes nothing durable.
	Close() error
}

var errNotRegular = errors.New("audit file is not a regular file")

// OpenDisk opens or creates the file at path for its owner alone (0600), cuts off
// a last line that has no end, and gives the length of what remains, all durable.
func OpenDisk(path string) (Disk, int64, error) {
	_, err := os.Lstat(path)
	created := errors.Is(err, fs.ErrNotExist)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, 0, err
	}
	size, err := prepare(file)
	if err == nil && created {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, size, nil
}

func prepare(file *os.File) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, errNotRegular
	}
	if info.Mode().Perm() != 0o600 {
		if err := file.Chmod(0o600); err != nil {
			return 0, err
		}
	}
	size, err := wholeLines(file, info.Size())
	if err != nil {
		return 0, err
	}
	if size < info.Size() {
		if err := file.Truncate(size); err != nil {
			return 0, err
		}
	}
	return size, file.Sync()
}

// wholeLines gives the length up to and with the last newline within size bytes.
func wholeLines(r io.ReaderAt, size int64) (int64, error) {
	block := make([]byte, 4096)
	for end := size; end > 0; {
		start := max(0, end-int64(len(block)))
		part := block[:end-start]
		if _, err := r.ReadAt(part, start); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		end = start
	}
	return 0, nil
}

// syncDir makes a new file's name durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
