package canonical

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// marker is part of every value that the cases store. Outside the answers of reads
// it may be seen nowhere.
const marker = "canary-5e1fb0a9"

// mark is a value that can be told from others.
func mark(name string) string { return marker + "-" + name }

// scan looks for values and credentials in everything the program has written: log,
// output, and every file below its data directory.
func (s *server) scan() error {
	s.mu.Lock()
	tokens := s.tokens
	s.mu.Unlock()
	if where := found([]byte(s.log.String()), tokens); where != "" {
		return fmt.Errorf("%s is in the log", where)
	}
	if strings.Contains(s.log.String(), "kv2://") {
		return fmt.Errorf("a URI is in the log:\n%s", s.log)
	}
	if strings.Contains(s.out.String(), marker) {
		return fmt.Errorf("a value is in the output")
	}
	return filepath.WalkDir(s.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if where := found(body, tokens); where != "" {
			return fmt.Errorf("%s is in %s", where, e.Name())
		}
		return nil
	})
}

func found(text []byte, tokens []string) string {
	if bytes.Contains(text, []byte(marker)) {
		return "a value"
	}
	for _, token := range tokens {
		if bytes.Contains(text, []byte(token)) {
			return "a token"
		}
	}
	return ""
}
