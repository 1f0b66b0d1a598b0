package logtest

import (
	"bytes"
	"sync"
)

// Log is a writer that several goroutines or a process may write while a test reads
// it. The zero Log is empty and ready; it must not be copied.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write adds p. It never fails.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String is all that was written until now.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
