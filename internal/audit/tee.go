package audit

import "context"

// tee shows a record in the ring only when the sink answers for it, so that the
// endpoint never tells of an operation that was refused for want of a record.
type tee struct {
	sink Sink
	ring *Ring
}

// Tee wraps sink so that ring remembers every record the sink accepted.
func Tee(sink Sink, ring *Ring) Sink { return tee{sink: sink, ring: ring} }

func (t tee) Keep(ctx context.Context, records ...Record) error {
	if err := t.sink.Keep(ctx, records...); err != nil {
		return err
	}
	t.ring.Add(records...)
	return nil
}

// Follow shows the outcome even when the sink has it queued: the effect happened.
func (t tee) Follow(record Record) {
	t.sink.Follow(record)
	t.ring.Add(record)
}
