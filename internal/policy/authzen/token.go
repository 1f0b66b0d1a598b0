package authzen

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
)

// tokenFile is a bearer token in a file that others rotate. The file is looked at on
// each use and read when it is another one or has changed.
type tokenFile struct {
	path string // "" means that there is no token

	mu    sync.Mutex
	seen  fs.FileInfo
	token string
}

// read returns the token, or "" without a path. A file that is gone or empty is an
// error: a token that somebody took away is not used on.
func (f *tokenFile) read() (string, error) {
	if f.path == "" {
		return "", nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil {
		return "", fmt.Errorf("decision point: looking at the token file: %w", withoutPath(err))
	}
	if f.seen != nil && os.SameFile(info, f.seen) && info.ModTime().Equal(f.seen.ModTime()) && info.Size() == f.seen.Size() {
		return f.token, nil
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		return "", fmt.Errorf("decision point: reading the token file: %w", withoutPath(err))
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", errors.New("decision point: token file is empty")
	}
	f.seen, f.token = info, token
	return token, nil
}

func withoutPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
