package bus

import (
	"context"
	"encoding/json"

	"github.com/coffer-dev/coffer/internal/fault"
)

// Cursors keeps small durable records under names. Both methods may be called
// concurrently, also by other processes.
type Cursors interface {
	// Load reads a cursor and the mark of its last change; mark 0 says that there is
	// none.
	Load(ctx context.Context, name string) (value []byte, mark int64, err error)
	// Save writes a cursor that was not changed since mark and gives its new mark. One
	// that was is a Conflict.
	Save(ctx context.Context, name string, value []byte, mark int64) (int64, error)
}

// cursor is one of them, used by one goroutine.
type cursor struct {
	store Cursors
	name  string
	mark  int64
}

// load reads the cursor into v, which is left as it is when there is none.
func (c *cursor) load(ctx context.Context, v any) error {
	value, mark, err := c.store.Load(ctx, c.name)
	if err != nil {
		return err
	}
	c.mark = mark
	if mark == 0 {
		return nil
	}
	if err := json.Unmarshal(value, v); err != nil {
		return fault.Wrap(fault.Corrupt, err, "decode a cursor")
	}
	return nil
}

// save moves the cursor, unless somebody else did.
func (c *cursor) save(ctx context.Context, v any) error {
	value, err := json.Marshal(v)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encode a cursor")
	}
	mark, err := c.store.Save(ctx, c.name, value, c.mark)
	if err != nil {
		return err
	}
	c.mark = mark
	return nil
}
