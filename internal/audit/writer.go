package audit

import (
	"errors"
	"io"
	"runtime"
	"slices"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
)

var (
	errClosed = errors.New("audit file is closed")
	errSlow   = errors.New("audit file did not answer in time")
)

// writer owns the disk; everything here runs in its one goroutine.
//
// Invariant: the first good bytes of the disk are durable whole lines. Behind them
// stand the loose outcomes, whole lines too, until the next fsync. After a failure
// what lies behind good is of no worth: it is cut off before the next write, and
// what is owed of it stands in owed.
type writer struct {
	file   *File
	disk   Disk
	good   int64
	broken bool             // bytes of no worth may lie behind good, or an fsync failed
	owed   []*entry         // outcomes of finished mutations that are not in the file
	loose  []*entry         // outcomes that are in the file and wait for an fsync
	behind int64            // how many bytes were written behind good
	linger <-chan time.Time // says that the loose ones have waited long enough; nil once it has
	buf    []byte
}

func (w *writer) run() {
	f := w.file
	defer close(f.stopped)
	var spare []*entry
	for {
		var retry <-chan time.Time
		if f.failing.Load() != nil {
			retry = f.cfg.After(f.cfg.Retry)
		}
		select {
		case <-f.bell:
			// Who is about to ring too joins this fsync: under load the batches get
			// larger, and alone it costs nothing.
			runtime.Gosched()
		case <-retry:
		case <-w.linger:
			w.linger = nil
		case answer := <-f.reopen:
			answer <- w.swap()
			continue
		case <-f.closing:
			w.batch(f.take(nil), true)
			w.stop()
			return
		}
		batch := f.take(spare)
		w.batch(batch, w.mustSync(batch))
		clear(batch) // answered entries are not held by the spare queue
		spare = batch
	}
}

// mustSync says whether a batch needs its fsync now: somebody waits for it, or the
// loose outcomes have waited long enough. Outcomes alone need none: their callers
// want them written, and the next attempt brings an fsync along.
func (w *writer) mustSync(entries []*entry) bool {
	waited := len(w.loose) > 0 && w.linger == nil
	if len(entries) == 0 || len(w.owed) > 0 || w.broken || waited {
		return true
	}
	return slices.ContainsFunc(entries, func(e *entry) bool { return !e.follow })
}

// batch commits entries and answers them. An empty batch syncs what is loose, or
// probes a failing disk.
func (w *writer) batch(entries []*entry, sync bool) {
	f := w.file
	if len(entries) == 0 && len(w.loose) == 0 && f.failing.Load() == nil {
		return // the bell of an entry that was withdrawn, or came with the last batch
	}
	start := f.cfg.Now()
	count := records(w.loose) + records(entries)
	err := w.write(entries)
	if err == nil && !sync {
		w.loosen(entries)
		return
	}
	if err == nil {
		err = w.settle()
	}
	if err != nil {
		w.owe(entries)
		_ = w.mend() // at once, so that no half line stands in the file; retried before the next write
		f.failing.Store(Unavailable(err))
	} else {
		f.failing.Store(nil)
	}
	f.cfg.Observe(Batch{Records: count, Took: f.cfg.Now().Sub(start), Queued: len(w.owed), Err: err})
	for _, e := range entries {
		e.answer(err)
	}
}

// write appends what is owed and then entries, and answers who wants no more.
func (w *writer) write(entries []*entry) error {
	if w.broken {
		if err := w.mend(); err != nil {
			return err
		}
	}
	w.buf = w.buf[:0]
	for _, e := range w.owed {
		w.buf = append(w.buf, e.lines...)
	}
	for _, e := range entries {
		w.buf = append(w.buf, e.lines...)
	}
	w.broken = true // until it is known to be whole
	if n, err := w.disk.Write(w.buf); err != nil {
		return err
	} else if n < len(w.buf) {
		return io.ErrShortWrite
	}
	w.behind += int64(len(w.buf))
	for _, e := range entries {
		if e.follow {
			e.answer(nil)
		}
	}
	return nil
}

// loosen leaves outcomes to the next fsync, which comes within Linger.
func (w *writer) loosen(entries []*entry) {
	if len(w.loose) == 0 {
		w.linger = w.file.cfg.After(w.file.cfg.Linger)
	}
	w.loose, w.broken = append(w.loose, entries...), false
}

// settle makes durable what was written.
func (w *writer) settle() error {
	w.broken = true // until the fsync says otherwise
	if err := w.disk.Sync(); err != nil {
		return err
	}
	w.good += w.behind
	w.file.durable.Store(w.good)
	w.broken, w.owed = false, nil
	w.tighten()
	return nil
}

// tighten forgets what was loose: it is durable, or owed.
func (w *writer) tighten() { w.loose, w.behind, w.linger = nil, 0, nil }

// owe keeps the outcomes of a failed batch: their mutations have happened. What is
// loose was written without a failure, so nothing is owed beside it.
func (w *writer) owe(entries []*entry) {
	w.owed = append(w.owed, w.loose...)
	w.tighten()
	for _, e := range entries {
		if e.follow {
			w.owed = append(w.owed, e)
		}
	}
}

// mend cuts off what is not known to be durable and goes on with a fresh handle:
// after a failed fsync the kernel may call lost pages clean, so neither the old
// handle's next success nor the cached bytes behind good mean anything.
func (w *writer) mend() error {
	if err := w.disk.Truncate(w.good); err != nil {
		return err
	}
	return w.change()
}

// swap leaves the file for the one now at Path. Between batches everything
// answered is durable in the old file, so nothing is carried over but what is owed.
func (w *writer) swap() error {
	if len(w.loose) > 0 && w.settle() != nil {
		w.owe(nil)
	}
	if w.broken {
		_ = w.disk.Truncate(w.good) // a dead disk is left as it is: this is the way off it
	}
	return w.change()
}

func (w *writer) change() error {
	disk, size, err := w.file.cfg.Open(w.file.cfg.Path)
	if err != nil {
		return err
	}
	_ = w.disk.Close() // nothing unsynced is in it that is not owed
	w.disk, w.good, w.broken = disk, size, false
	w.file.durable.Store(size)
	return nil
}

func (w *writer) stop() {
	err := w.disk.Close()
	if n := len(w.owed); n > 0 {
		w.file.lost = fault.Wrap(fault.Unavailable, w.file.failing.Load(), "%d audit outcomes were not written", n)
		return
	}
	if err != nil {
		w.file.lost = Unavailable(err)
	}
}

func records(entries []*entry) (n int) {
	for _, e := range entries {
		n += e.count
	}
	return n
}

// answer wakes the caller; only the first answer counts.
func (e *entry) answer(err error) {
	select {
	case e.done <- err:
	default:
	}
}
