package ledger

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/coffer-dev/coffer/internal/ledger/etcdnode"
	"github.com/coffer-dev/coffer/internal/ledger/hot"
	"github.com/coffer-dev/coffer/internal/ledger/upkeep"
	"github.com/coffer-dev/coffer/internal/seal"
)

// Config is what a ledger needs. Zero durations and counts take the defaults.
type Config struct {
	Node *etcdnode.Node // the etcd; the ledger does not close it
	// KEKs gives the key encryption keys, the active one first; it is asked again
	// until one opens the keyring, so a key that appears later unseals.
	KEKs func(context.Context) ([]seal.KEK, error)
	Log  *slog.Logger
	Now  func() time.Time
	// EventsKept and EventAge bound each tenant's event log, whichever ends first.
	EventsKept int           // default 1,000,000
	EventAge   time.Duration // default 7 days
	// EpochEvents is how many events of this process move the epoch on.
	EpochEvents int // default 4096
	// CommitTimeout bounds one commit; after it the outcome is looked up.
	CommitTimeout time.Duration // default 5 s
	// CompactEvery is the pace of compaction: what was destroyed is out of every
	// revision within two of them.
	CompactEvery time.Duration // default 20 s
	// TrimEvery is the pace at which event logs are cut and old epochs forgotten.
	TrimEvery time.Duration // default 1 min
	// DiskFree gives the free bytes where the database lies; nil does not watch it.
	DiskFree func() (int64, error)
	// HotBytes bounds the memory for records that are read often, where this process is
	// alone on its store.
	HotBytes int // default 128 MiB
	// MinFree refuses writes while less than so many bytes are free.
	MinFree int64 // default 64 MiB
}

// Ledger keeps sealed records on etcd. All methods may be called concurrently.
type Ledger struct {
	c    Config
	etcd *clientv3.Client
	kv   clientv3.KV // of etcd; tests put faults in its way

	keeper *upkeep.Keeper
	hot    *hot.Cache // nil where others write to the store too

	state   atomic.Pointer[state] // nil while sealed
	reload  chan struct{}         // holds one token while the state is read again
	emitted atomic.Int64          // what this process wrote under the current epoch
	bump    chan struct{}         // the epoch holds enough
	unsaved atomic.Int64          // seals of this process that the stored keyring lacks
	clean   *seal.Keyring         // no record is stale under this ring; of resealStale alone
	stats   stats

	stop context.CancelFunc
	done sync.WaitGroup
}

// state is what every commit depends on; it is replaced whole.
type state struct {
	seen     int64 // revision at which it was read
	epoch    int64
	epochRev int64 // modification revision of the epoch record
	ring     *seal.Keyring
	ringRev  int64
	kek      string // id of the key that wraps the ring
}

// Open starts a ledger on a node. It returns even while no key opens the keyring
// or etcd has no quorum: every operation then answers Unavailable, and the ledger
// goes on trying until it can serve. Ready tells.
func Open(ctx context.Context, c Config) *Ledger { return prepare(c).start(ctx) }

func prepare(c Config) *Ledger {
	c = c.withDefaults()
	var memory *hot.Cache
	if c.Node.Local {
		memory = hot.New(c.HotBytes)
	}
	return &Ledger{
		hot: memory,
		c:   c, etcd: c.Node.Client, kv: c.Node.Client,
		keeper: upkeep.New(upkeep.Config{Node: c.Node, Log: c.Log, DiskFree: c.DiskFree, MinFree: c.MinFree}),
		reload: make(chan struct{}, 1), bump: make(chan struct{}, 1),
	}
}

func (l *Ledger) start(ctx context.Context) *Ledger {
	if err := l.unseal(ctx); err != nil {
		l.c.Log.Warn("the store is sealed", "error", err)
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	l.done.Go(func() { l.keepUnsealed(run) })
	l.keepHouse(run)
	return l
}

func (c Config) withDefaults() Config {
	def(&c.EventsKept, 1_000_000)
	def(&c.EventAge, 7*24*time.Hour)
	def(&c.EpochEvents, 4096)
	def(&c.CommitTimeout, 5*time.Second)
	def(&c.CompactEvery, 20*time.Second)
	def(&c.TrimEvery, time.Minute)
	def(&c.MinFree, 64<<20)
	def(&c.HotBytes, 128<<20)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Close stops the ledger's own work. It does not close etcd.
func (l *Ledger) Close() {
	l.stop()
	l.done.Wait()
}

// Ready says why the ledger cannot serve, or nil. It reads the store.
func (l *Ledger) Ready(ctx context.Context) error {
	if _, err := l.current(); err != nil {
		return err
	}
	c, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	_, err := l.kv.Get(c, Key{Tenant: System, Kind: kindEpoch}.Text(), clientv3.WithKeysOnly())
	return etcdnode.Classify(err)
}

// Alone says whether no other process can be at work on the same store.
func (l *Ledger) Alone() bool { return l.c.Node.Local }

// Now is the ledger's clock.
func (l *Ledger) Now() time.Time { return l.c.Now() }

// NewID makes a random identifier of 32 hex digits.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, by its contract
	const hex = "0123456789abcdef"
	out := make([]byte, 0, 32)
	for _, c := range b {
		out = append(out, hex[c>>4], hex[c&15])
	}
	return string(out)
}
