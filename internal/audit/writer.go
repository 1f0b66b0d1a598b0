package audit

import (
	"errors"
	"io"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
)

var (
	errClosed = errors.New("audit file is closed")
	errSlow   = errors.New("audit file did not answer in time")
)

// writer owns the disk; everything here runs in its one goroutine.
//
// Invariant: the first good bytes of the disk are durable whole lines. What lies
// behind them, after a failure, is of no worth: it is cut off before the next
// write, and what is owed of it stands in owed.
type writer struct {
	file   *File
	disk   Disk
	good   int64
	broken bool     // bytes may lie behind good, or an fsync failed
	owed   []*entry // outcomes of finished mutations, not durable yet
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
		case <-retry:
		case answer := <-f.reopen:
			answer <- w.swap()
			continue
		case <-f.closing:
			w.batch(f.take(nil))
			w.stop()
			return
		}
		batch := f.take(spare)
		w.batch(batch)
		clear(batch) // answered entries are not held by the spare queue
		spare = batch
	}
}

// batch commits entries and answers them. An empty batch probes a failing disk.
func (w *writer) batch(entries []*entry) {
	f := w.file
	if len(entries) == 0 && f.failing.Load() == nil {
		return // the bell of an entry that was withdrawn, or came with the last batch
	}
	start := f.cfg.Now()
	count := 0
	for _, e := range entries {
		count += e.count
	}
	err := w.commit(entries)
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

// commit makes what is owed and then entries durable, all or nothing.
func (w *writer) commit(entries []*entry) error {
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
	w.broken = true // until the fsync says otherwise
	if n, err := w.disk.Write(w.buf); err != nil {
		return err
	} else if n < len(w.buf) {
		return io.ErrShortWrite
	}
	for _, e := range entries {
		if e.follow {
			e.answer(nil)
		}
	}
	if err := w.disk.Sync(); err != nil {
		return err
	}
	w.broken = false
	w.good += int64(len(w.buf))
	w.file.durable.Store(w.good)
	w.owed = nil
	return nil
}

// owe keeps the outcomes of a failed batch: their mutations have happened.
func (w *writer) owe(entries []*entry) {
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

// answer wakes the caller; only the first answer counts.
func (e *entry) answer(err error) {
	select {
	case e.done <- err:
	default:
	}
}
