package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/fault"
)

// errNotYet says that the doors wait for the store.
var errNotYet = errors.New("the doors are not open yet")

func (d *Daemon) startAudit(context.Context) error {
	if dir := filepath.Dir(d.cfg.Audit.File); d.dev != nil {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fault.Wrap(fault.Unavailable, err, "make the directory of the audit file")
		}
	}
	sink, err := audit.OpenFile(audit.FileConfig{Path: d.cfg.Audit.File, Observe: func(b audit.Batch) {
		d.metrics.AuditBatch(b)
		if b.Err != nil {
			d.log.Error("audit records were not written", "error", b.Err)
		}
	}})
	if err != nil {
		return err
	}
	d.sink = sink
	d.onStop("audit", sink.Close)
	return nil
}
