package bus

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/twmb/franz-go/pkg/kgo"
)

// mirrorAudit pumps the lines of the audit file as they are, those of rotated files
// first. The file is the only copy: nothing is kept in memory but a batch.
func mirrorAudit(ctx context.Context, f *feed) error {
	var at place
	if err := f.cursor.load(ctx, &at); err != nil {
		return err
	}
	t, lost, err := openTrail(f.c.AuditFile, f.c.Durable, at)
	if err != nil {
		return err
	}
	defer t.close()
	if lost {
		f.gap("the audit file that was being mirrored is gone or was cut; records may be missing, the rest is sent again")
	}
	// While the brokers are away the file may be rotated more than once: its successors
	// are taken hold of before somebody removes them.
	look := func() { _ = t.refresh() } // read does it again and returns the error
	if err := f.send(ctx, nil, look); err != nil {
		return err
	}
	for {
		text, behind, err := t.read()
		if err != nil {
			return err
		}
		if len(text) > 0 {
			if err := f.send(ctx, auditRecords(text), look); err != nil {
				return err
			}
			if err := f.save(ctx, behind); err != nil {
				return err
			}
		}
		if len(text) >= maxRead/2 {
			continue
		}
		if err := f.c.wait(ctx, f.c.Pace); err != nil {
			return err
		}
	}
}

// auditRecords makes one record of each line. A line that is no JSON goes without a
// key: what the file says is told, whatever it says.
func auditRecords(text []byte) []*kgo.Record {
	var out []*kgo.Record
	for line := range bytes.Lines(text) {
		line = bytes.TrimSuffix(line, []byte{'\n'})
		r := &kgo.Record{Value: line}
		var named struct {
			Ref string `json:"resource_ref"`
		}
		if json.Unmarshal(line, &named) == nil && named.Ref != "" {
			r.Key = []byte(named.Ref)
		}
		out = append(out, r)
	}
	return out
}
