package embedded

import (
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

// metaFormat is the first byte of a metadata record. The record is read at every
// access of its key, so it is kept as varints and length-prefixed texts in the order
// of encodeMeta; times are nanoseconds since 1970 in UTC, 0 is none.
const metaFormat = 1

// Flags of a key and of a version.
const (
	flagCAS     = 1 << 0
	flagMetaCAS = 1 << 1
	flagDestroy = 1 << 0
)

func encodeMeta(m secret.Metadata) []byte {
	b := make([]byte, 0, 128+24*len(m.Versions))
	b = append(b, metaFormat)
	b = appendText(b, m.ID)
	for _, n := range []int64{
		nanos(m.Created), nanos(m.Updated), m.Current, m.Oldest, m.MaxVersions, int64(m.DeleteVersionAfter), m.MetaVersion,
		flag(m.CASRequired, flagCAS) | flag(m.MetaCASRequired, flagMetaCAS), int64(len(m.Custom)),
	} {
		b = binary.AppendVarint(b, n)
	}
	for _, k := range slices.Sorted(maps.Keys(m.Custom)) {
		b = appendText(appendText(b, k), m.Custom[k])
	}
	b = binary.AppendVarint(b, int64(len(m.Versions)))
	for _, v := range m.Versions {
		for _, n := range []int64{v.Version, nanos(v.Created), nanos(v.Deleted), flag(v.Destroyed, flagDestroy)} {
			b = binary.AppendVarint(b, n)
		}
	}
	return b
}

func decodeMeta(b []byte) (secret.Metadata, error) {
	r := reader{rest: b}
	if len(b) == 0 || b[0] != metaFormat {
		return secret.Metadata{}, errMeta()
	}
	r.rest = b[1:]
	m := secret.Metadata{ID: r.text()}
	m.Created, m.Updated = r.time(), r.time()
	m.Current, m.Oldest, m.MaxVersions = r.number(), r.number(), r.number()
	m.DeleteVersionAfter, m.MetaVersion = time.Duration(r.number()), r.number()
	flags := r.number()
	m.CASRequired, m.MetaCASRequired = flags&flagCAS != 0, flags&flagMetaCAS != 0
	if n := r.count(); n > 0 {
		m.Custom = make(map[string]string, n)
		for range n {
			k := r.text()
			m.Custom[k] = r.text()
		}
	}
	if n := r.count(); n > 0 {
		m.Versions = make([]secret.VersionInfo, n)
		for i := range m.Versions {
			v := &m.Versions[i]
			v.Version, v.Created, v.Deleted = r.number(), r.time(), r.time()
			v.Destroyed = r.number()&flagDestroy != 0
		}
	}
	if r.bad || len(r.rest) > 0 {
		return secret.Metadata{}, errMeta()
	}
	return m, nil
}

func errMeta() error { return fault.New(fault.Corrupt, "a metadata record cannot be read") }

// reader takes a record apart; after the first thing that does not fit it is bad and
// gives zeros.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) number() int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

// count is a number of things that each take at least one byte.
func (r *reader) count() int {
	n := r.number()
	if n < 0 || n > int64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return 0
	}
	return int(n)
}

func (r *reader) text() string {
	n := r.count()
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

func (r *reader) time() time.Time {
	if n := r.number(); n != 0 {
		return time.Unix(0, n).UTC()
	}
	return time.Time{}
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendVarint(b, int64(len(s))), s...)
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func flag(is bool, bit int64) int64 {
	if is {
		return bit
	}
	return 0
}
