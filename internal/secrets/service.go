package secrets

import (
	"cmp"
	"log/slog"
	"sync"
	"time"

	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/guard"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/once"
	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/secrets/codes"
)

// Router finds the back end of a URI: Unsupported when there is none for it.
type Router interface {
	Route(u secret.URI) (secret.Backend, error)
	// Default is the back end of a search without a prefix.
	Default() (scheme string, b secret.Backend)
}

// Transactional is a store whose mutations can join a transaction of the ledger.
type Transactional interface {
	In(tx *ledger.Tx) secret.Store
}

// Observer counts what happens; its methods return at once.
type Observer interface{ MountViolation() }

// Config is what the use case needs.
type Config struct {
	Tenant   string
	Grammar  secret.Grammar
	Router   Router
	Ledger   *ledger.Ledger // takes the events
	Once     *once.Keeper   // idempotency
	Guard    guard.Config   // how operations are decided and recorded; Code and Attributes are set here
	Observer Observer
	Log      *slog.Logger
	Now      func() time.Time
	// EnforceScopes demands the scopes of each operation from everybody but the
	// anonymous caller, who exists only while authentication is off.
	EnforceScopes bool
	// FileWrites allows writes to the YAML file (dev and test).
	FileWrites bool
	// TellReads appends SECRET_READ events, best effort.
	TellReads bool
	// ReadPurpose, ValuePurpose and CopyPurpose are what the file read, the value
	// read and the source of a copy are decided as.
	ReadPurpose, ValuePurpose, CopyPurpose policy.Purpose
	// PageLimit is the size of a page when none is asked for; 0 means 100.
	PageLimit int
}

// Service does the operations. All methods may be called concurrently.
type Service struct {
	c     Config
	guard *guard.Guard
	once  *once.Keeper
	reads *event.Teller // nil: reads are not told
	turn  sync.Mutex    // of those who change a store that has no check-and-set
}

// New makes the service. Close it to flush what it still has to tell.
func New(c Config) *Service {
	c.ReadPurpose, c.CopyPurpose = cmp.Or(c.ReadPurpose, policy.Read), cmp.Or(c.CopyPurpose, policy.Read)
	c.ValuePurpose, c.PageLimit = cmp.Or(c.ValuePurpose, policy.Execute), cmp.Or(c.PageLimit, 100)
	c.Guard.Code, c.Guard.Attributes = codes.Of, attributes
	s := &Service{c: c, guard: guard.New(c.Guard), once: c.Once}
	if c.TellReads {
		s.reads = event.NewTeller(c.Ledger, c.Tenant, c.Log)
	}
	return s
}

// takeTurn lets those who read before they change a store take turns where the store
// could not tell that somebody came in between.
func (s *Service) takeTurn(b secret.Backend) (done func()) {
	if b.Can.CAS {
		return func() {}
	}
	s.turn.Lock()
	return s.turn.Unlock
}

// Close tells the reads that are still queued.
func (s *Service) Close() { s.reads.Close() }
