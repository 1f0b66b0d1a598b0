package embedded

import (
	"sync"

	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/secret"
)

// memory keeps decoded metadata by the revision of its record: what a revision holds
// never changes, so it cannot be stale. Metadata holds no value. It may be used
// concurrently; what it gives must not be changed.
type memory struct {
	mu    sync.RWMutex
	metas map[ledger.Key]remembered
}

type remembered struct {
	rev  int64
	meta secret.Metadata
}

// maxRemembered bounds the memory in records.
const maxRemembered = 8192

func newMemory() *memory { return &memory{metas: map[ledger.Key]remembered{}} }

func (m *memory) get(k ledger.Key, rev int64) (secret.Metadata, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	r, ok := m.metas[k]
	return r.meta, ok && r.rev == rev && rev != 0
}

// put makes room by dropping whichever record the map gives first.
func (m *memory) put(k ledger.Key, rev int64, meta secret.Metadata) {
	if rev == 0 {
		return // not committed yet
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for old := range m.metas {
		if len(m.metas) < maxRemembered {
			break
		}
		delete(m.metas, old)
	}
	m.metas[k] = remembered{rev, meta}
}
