package audit

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
)

// CodeUnavailable is the code of a refusal for want of a durable record.
const CodeUnavailable = "AUDIT_UNAVAILABLE"

// Defaults of FileConfig.
const (
	DefaultWait   = 2 * time.Second
	DefaultRetry  = time.Second
	DefaultLinger = 10 * time.Millisecond
)

// FileConfig says where records go and how long callers wait.
type FileConfig struct {
	// Path of the file, one JSON record a line, mode 0600. Its directory must exist.
	// One process writes one file.
	Path string
	// Wait is the longest that a caller waits for its records; 0 is DefaultWait.
	Wait time.Duration
	// Retry is how often a failing sink tries by itself to recover and to write the
	// outcomes it owes; 0 is DefaultRetry. A new Keep always tries at once.
	Retry time.Duration
	// Linger is the longest that a written outcome waits for an fsync that an attempt
	// needs too; 0 is DefaultLinger.
	Linger time.Duration
	// Open opens the file behind Path and tells its length; nil is OpenDisk.
	Open func(path string) (Disk, int64, error)
	// Observe hears of every batch, from the writer's goroutine: it must not block.
	// It is also how a failing disk is reported, once a batch. Nil: nobody listens.
	Observe func(Batch)
	// Now is the clock for Batch.Took; nil is time.Now.
	Now func() time.Time
	// After makes the timers of Wait, Retry and Linger; nil is time.After.
	After func(time.Duration) <-chan time.Time
}

// Batch is what one write and one fsync did.
type Batch struct {
	Records int           // records that shared it; 0 is a probe of a failing sink
	Took    time.Duration // from the take to durable or refused
	Queued  int           // outcomes still owed to the file afterwards
	Err     error         // why nothing of it is durable, or nil
}

// File is the Sink on an append-only file. Concurrent callers share one write and
// one fsync: whatever came while a batch was on its way is the next batch. A
// failed batch is cut off the file again, so that the file holds whole lines only.
type File struct {
	cfg     FileConfig
	bell    chan struct{}   // rung when the queue has entries
	reopen  chan chan error // asks the writer to change files
	closing chan struct{}
	stopped chan struct{} // closed by the writer as its last act
	lost    error         // outcomes that never got written; set before stopped

	mu     sync.Mutex
	queue  []*entry
	closed bool

	failing atomic.Pointer[fault.Error]
	durable atomic.Int64 // writer.good, for those who read the file along
}

// entry is what one caller handed in. done gets one answer: nil or the failure.
type entry struct {
	lines  []byte
	count  int
	follow bool // answered when written, and owed to the file until it is durable
	done   chan error
}

// OpenFile opens the sink, cuts off a last line that a crash tore, and starts the
// writer. Close stops it. An unusable file is Unavailable.
func OpenFile(cfg FileConfig) (*File, error) {
	if cfg.Wait <= 0 {
		cfg.Wait = DefaultWait
	}
	if cfg.Retry <= 0 {
		cfg.Retry = DefaultRetry
	}
	if cfg.Linger <= 0 {
		cfg.Linger = DefaultLinger
	}
	if cfg.Open == nil {
		cfg.Open = OpenDisk
	}
	if cfg.Observe == nil {
		cfg.Observe = func(Batch) {}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.After == nil {
		cfg.After = time.After
	}
	disk, size, err := cfg.Open(cfg.Path)
	if err != nil {
		return nil, Unavailable(err)
	}
	f := &File{
		cfg: cfg, bell: make(chan struct{}, 1), reopen: make(chan chan error),
		closing: make(chan struct{}), stopped: make(chan struct{}),
	}
	w := &writer{file: f, disk: disk, good: size}
	f.durable.Store(size)
	go w.run()
	return f, nil
}

// Durable is how many bytes of the current file are durable whole lines. Who reads
// the file along stops there: what lies behind may be cut off again.
func (f *File) Durable() int64 { return f.durable.Load() }

// Unavailable is the refusal of a request whose record could not be kept; cause is
// for the log.
func Unavailable(cause error) *fault.Error {
	return &fault.Error{
		Kind: fault.Unavailable, Code: CodeUnavailable,
		Detail: "the audit record could not be written", Cause: cause,
	}
}

// Keep implements Sink. A caller that gives up takes its records back unless the
// writer already has them; it may then find them in the file although it was refused.
func (f *File) Keep(ctx context.Context, records ...Record) error {
	if len(records) == 0 {
		return nil
	}
	e := newEntry(false, records...)
	if !f.enqueue(e) {
		return Unavailable(errClosed)
	}
	select {
	case err := <-e.done:
		if err != nil {
			return Unavailable(err)
		}
		return nil
	case <-ctx.Done():
		f.withdraw(e)
		return Unavailable(context.Cause(ctx))
	case <-f.cfg.After(f.cfg.Wait):
		f.withdraw(e)
		return Unavailable(errSlow)
	}
}

// Follow implements Sink. A disk that hangs holds the caller for Wait at most.
// After Close the record is lost: stop whoever follows first.
func (f *File) Follow(record Record) {
	e := newEntry(true, record)
	if !f.enqueue(e) {
		return
	}
	select {
	case <-e.done: //nolint:errcheck // written or owed, the record is in good hands
	case <-f.cfg.After(f.cfg.Wait):
	}
}

// Reopen opens Path anew and leaves the old file, as log rotation asks by signal
// after it moved the file away. No record is lost or doubled, and no caller is
// refused. When the new file cannot be opened the old one stays in use.
func (f *File) Reopen(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case f.reopen <- answer:
	case <-f.stopped:
		return Unavailable(errClosed)
	case <-ctx.Done():
		return Unavailable(context.Cause(ctx))
	}
	select {
	case err := <-answer:
		if err != nil {
			return Unavailable(err)
		}
		return nil
	case <-ctx.Done():
		return Unavailable(context.Cause(ctx))
	}
}

// Check says whether the last batch was kept, for readiness.
func (f *File) Check(context.Context) error {
	if err := f.failing.Load(); err != nil {
		return err
	}
	return nil
}

// Close refuses new records, writes what is queued, and closes the file. It fails
// when outcomes could not be written, or when ctx ends first.
func (f *File) Close(ctx context.Context) error {
	f.mu.Lock()
	first := !f.closed
	f.closed = true
	f.mu.Unlock()
	if first {
		close(f.closing)
	}
	select {
	case <-f.stopped:
		return f.lost
	case <-ctx.Done():
		return Unavailable(context.Cause(ctx))
	}
}

func newEntry(follow bool, records ...Record) *entry {
	lines := make([]byte, 0, 768*len(records))
	for i := range records {
		lines = append(records[i].AppendJSON(lines), '\n')
	}
	return &entry{lines: lines, count: len(records), follow: follow, done: make(chan error, 1)}
}

func (f *File) enqueue(e *entry) bool {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return false
	}
	f.queue = append(f.queue, e)
	f.mu.Unlock()
	select {
	case f.bell <- struct{}{}:
	default: // already rung
	}
	return true
}

// take empties the queue for the writer; spare becomes the new, empty queue.
func (f *File) take(spare []*entry) []*entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	batch := f.queue
	f.queue = spare[:0]
	return batch
}

// withdraw keeps the queue as short as the number of waiting callers while the
// disk hangs.
func (f *File) withdraw(e *entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.Index(f.queue, e); i >= 0 {
		f.queue = slices.Delete(f.queue, i, i+1)
	}
}
