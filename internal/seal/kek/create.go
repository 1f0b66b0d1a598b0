package kek

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/coffer-dev/coffer/internal/fault"
)

// CreateFile makes a new key-encryption key file of mode 0600 for File to read, and
// returns once it would survive a power cut. A file that exists is left as it is
// (fault.Exists), for it may be the only key to somebody's records; any other failure
// is fault.Unavailable and leaves no file behind.
func CreateFile(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fault.Wrap(fault.Exists, err, "the key-encryption key file exists")
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the key-encryption key file cannot be created")
	}
	if err := fill(f); err != nil {
		// A part of a key is of no use, and would be in the way of the next try.
		return fault.Wrap(fault.Unavailable, errors.Join(err, os.Remove(path)),
			"the key-encryption key file cannot be written")
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fault.Wrap(fault.Unavailable, errors.Join(err, os.Remove(path)),
			"the directory of the key-encryption key file cannot be synced")
	}
	return nil
}

// fill writes a key, syncs and closes.
func fill(f *os.File) error {
	key := make([]byte, fileSize)
	defer clear(key)
	_, _ = rand.Read(key) // never fails: it ends the process instead
	if _, err := f.Write(key); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
