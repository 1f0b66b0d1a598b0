package ledger

import (
	"context"
	"slices"

	"github.com/coffer-dev/coffer/internal/fault"
)

// Tx is one transaction under way: a snapshot to read and changes kept back until
// the function that got it returns. It is not safe for concurrent use and is void
// once that function has returned.
type Tx struct {
	l     *Ledger
	st    *state
	id    string
	rev   int64             // revision of the snapshot; 0 until the first read
	reads map[string]int64  // etcd key -> modification revision seen, 0 for absent
	kept  map[string]Record // what was read
	spans []Span            // ranges that were read whole
	puts  map[string]put
	order []string // keys of puts as first written
	gone  []Span   // ranges to delete
	drops []Key    // single records to delete
	told  map[string][][]byte
}

type put struct {
	key   Key
	value []byte
}

func (l *Ledger) begin(id string, st *state) *Tx {
	return &Tx{
		l: l, st: st, id: id,
		reads: map[string]int64{}, kept: map[string]Record{}, puts: map[string]put{}, told: map[string][][]byte{},
	}
}

// Get reads one record: what this transaction wrote, else the snapshot.
func (t *Tx) Get(ctx context.Context, k Key) (Record, bool, error) {
	text := k.Text()
	if p, ok := t.puts[text]; ok {
		return Record{Key: k, Value: p.value}, true, nil
	}
	if slices.Contains(t.drops, k) || slices.ContainsFunc(t.gone, func(s Span) bool { return s.Holds(text) }) {
		return Record{}, false, nil
	}
	if r, ok := t.kept[text]; ok {
		return r, r.Revision != 0, nil
	}
	r, ok, rev, err := t.l.getAt(ctx, k, t.rev)
	if err != nil {
		return Record{}, false, err
	}
	t.rev = rev0(t.rev, rev)
	t.reads[text] = r.Revision
	t.kept[text] = r
	return r, ok, nil
}

// Load announces records that Get will ask for: of a cluster they are read at once.
// In one process a read costs less than a transaction of reads.
func (t *Tx) Load(ctx context.Context, keys ...Key) error {
	if t.l.c.Node.Local {
		return nil
	}
	keys = slices.DeleteFunc(slices.Clone(keys), func(k Key) bool {
		_, known := t.kept[k.Text()]
		return known
	})
	if len(keys) == 0 {
		return nil
	}
	rs, rev, err := t.l.loadAt(ctx, keys, t.rev)
	if err != nil {
		return err
	}
	t.rev = rev0(t.rev, rev)
	for i, r := range rs {
		text := keys[i].Text()
		t.kept[text], t.reads[text] = r, r.Revision
	}
	return nil
}

// Range reads a span of the snapshot, without what this transaction wrote. Whatever
// is added to, changed in or removed from the part that was read makes the commit
// fail and the function run again. Read short spans only: each record is compared.
func (t *Tx) Range(ctx context.Context, s Span, limit int) ([]Record, error) {
	return t.span(ctx, s, limit, false)
}

// Names is Range without values.
func (t *Tx) Names(ctx context.Context, s Span, limit int) ([]Record, error) {
	return t.span(ctx, s, limit, true)
}

func (t *Tx) span(ctx context.Context, s Span, limit int, keysOnly bool) ([]Record, error) {
	rs, rev, err := t.l.rangeAt(ctx, s, limit, t.rev, keysOnly)
	if err != nil {
		return nil, err
	}
	t.rev = rev0(t.rev, rev)
	if limit > 0 && len(rs) == limit {
		s.To = rs[limit-1].Key.Text() + "\x00"
	}
	t.spans = append(t.spans, s)
	for _, r := range rs {
		t.reads[r.Key.Text()] = r.Revision
	}
	return rs, nil
}

func rev0(have, got int64) int64 {
	if have != 0 {
		return have
	}
	return got
}

// Put writes a record when the transaction commits. The value is kept, not copied.
func (t *Tx) Put(k Key, value []byte) error {
	if err := k.Check(); err != nil {
		return err
	}
	text := k.Text()
	if _, again := t.puts[text]; !again {
		t.order = append(t.order, text)
	}
	t.drops = slices.DeleteFunc(t.drops, func(d Key) bool { return d == k })
	t.puts[text] = put{k, value}
	return nil
}

// Delete removes a record when the transaction commits; an absent one is no error.
func (t *Tx) Delete(k Key) error {
	if err := k.Check(); err != nil {
		return err
	}
	t.unput(func(text string) bool { return text == k.Text() })
	if !slices.Contains(t.drops, k) {
		t.drops = append(t.drops, k)
	}
	return nil
}

// DeleteSpan removes all records of a span when the transaction commits, also
// those that this transaction has written so far.
func (t *Tx) DeleteSpan(s Span) {
	t.unput(s.Holds)
	t.drops = slices.DeleteFunc(t.drops, func(k Key) bool { return s.Holds(k.Text()) })
	t.gone = append(t.gone, s)
}

func (t *Tx) unput(match func(string) bool) {
	t.order = slices.DeleteFunc(t.order, func(text string) bool {
		if match(text) {
			delete(t.puts, text)
			return true
		}
		return false
	})
}

// Emit appends one event to the tenant's log in the same commit. Several events of
// one transaction keep their order; at most MaxEvents of them.
func (t *Tx) Emit(tenant string, body []byte) error {
	if len(t.told[tenant]) == MaxEvents {
		return fault.New(fault.TooLarge, "more than %d events in one transaction", MaxEvents)
	}
	t.told[tenant] = append(t.told[tenant], body)
	return nil
}

// smallPut is how much a transaction that deletes may write besides.
const smallPut = 16 << 10

// frees says whether the transaction deletes, and writes little but replacements.
func (t *Tx) frees() bool {
	added := 0
	for text, p := range t.puts {
		if t.reads[text] == 0 {
			added += len(p.value)
		}
	}
	return len(t.gone)+len(t.drops) > 0 && added <= smallPut
}

func (t *Tx) empty() bool { return len(t.puts)+len(t.gone)+len(t.drops)+len(t.told) == 0 }

// touched lists the etcd keys that are put or deleted one by one.
func (t *Tx) touched() []string {
	keys := slices.Clone(t.order)
	for _, k := range t.drops {
		keys = append(keys, k.Text())
	}
	return keys
}
