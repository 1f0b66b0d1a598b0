package bus

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
)

// maxRead is how much of a file is read at once, and so the longest line there may
// be. A record that long no broker would take by default.
const maxRead = 512 << 10

// place is a position in the trail of audit files. A file is known by its first
// line, which carries a random audit id: unlike an inode it is never used again, and
// it stays when the file is moved to another disk and back.
type place struct {
	File   string `json:"file"`   // digest of the first line
	Offset int64  `json:"offset"` // behind a whole line
}

// auditFile is one open file of audit lines, being read from at on.
type auditFile struct {
	file  *os.File
	info  os.FileInfo // as it was opened
	id    string
	begun time.Time // of the first line; unlike a modification time it is not touched by copying
	at    int64
}

// openAudit opens a file of audit lines; ok is false when it is none, or has no
// whole line yet.
func openAudit(path string) (f *auditFile, ok bool, err error) {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.Size() == 0) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fault.Wrap(fault.Unavailable, err, "look for audit files")
	}
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, false, nil // moved meanwhile
	}
	if err != nil {
		return nil, false, fault.Wrap(fault.Unavailable, err, "open an audit file")
	}
	f = &auditFile{file: file}
	if f.info, err = file.Stat(); err == nil {
		err = f.identify()
	}
	if err != nil || f.id == "" {
		_ = file.Close() // only read
		return nil, false, err
	}
	return f, true, nil
}

// identify reads the first line; the id stays empty for what holds no audit lines.
func (f *auditFile) identify() error {
	line, err := bufio.NewReader(io.NewSectionReader(f.file, 0, maxRead)).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fault.Wrap(fault.Unavailable, err, "read an audit file")
	}
	f.name(line)
	return nil
}

// name takes the identity from how the file begins.
func (f *auditFile) name(text []byte) {
	line, _, whole := bytes.Cut(text, []byte{'\n'})
	var first struct {
		ID   string    `json:"audit_id"`
		Time time.Time `json:"ts"`
	}
	if !whole || json.Unmarshal(line, &first) != nil || first.ID == "" {
		return
	}
	sum := sha256.Sum256(line)
	f.id, f.begun = base64.RawURLEncoding.EncodeToString(sum[:]), first.Time
}

// scan opens the audit files that are there: the rotated ones beside path, the one
// begun first leading, and the one at path at last. current says whether that
// one is among them.
func scan(path string) (found []*auditFile, current bool, err error) {
	defer func() {
		if err != nil {
			closeAll(found)
			found = nil
		}
	}()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, false, fault.Wrap(fault.Unavailable, err, "look for audit files")
	}
	base := filepath.Base(path)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), base+".") && !strings.HasPrefix(e.Name(), base+"-") {
			continue
		}
		f, ok, err := openAudit(filepath.Join(filepath.Dir(path), e.Name()))
		if err != nil {
			return found, false, err
		}
		if ok {
			found = append(found, f)
		}
	}
	slices.SortStableFunc(found, func(a, b *auditFile) int { return a.begun.Compare(b.begun) })
	f, current, err := openAudit(path)
	if current {
		found = append(found, f)
	}
	return found, current, err
}

func closeAll(files []*auditFile) {
	for _, f := range files {
		_ = f.file.Close() // only read
	}
}

// lines reads whole lines from at on, up to limit or, when it is negative, up to the
// end, and moves behind them.
func (f *auditFile) lines(limit int64) ([]byte, error) {
	info, err := f.file.Stat()
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "look at the audit file")
	}
	if info.Size() < f.at {
		return nil, fault.New(fault.Corrupt, "the audit file was cut behind what was mirrored")
	}
	if limit < 0 || limit > info.Size() {
		limit = info.Size()
	}
	length := min(limit-f.at, maxRead)
	if length <= 0 {
		return nil, nil
	}
	text := make([]byte, length)
	n, err := f.file.ReadAt(text, f.at)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fault.Wrap(fault.Unavailable, err, "read the audit file")
	}
	end := bytes.LastIndexByte(text[:n], '\n') + 1
	if end == 0 && n == maxRead {
		return nil, fault.New(fault.Corrupt, "a line of the audit file is longer than %d bytes", maxRead)
	}
	if f.at == 0 {
		f.name(text[:end]) // the line that was seen first may have been cut off again
	}
	f.at += int64(end)
	return text[:end], nil
}
