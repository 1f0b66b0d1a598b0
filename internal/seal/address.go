package seal

import "encoding/binary"

// Address is the place that a sealed record belongs to. It is authenticated with
// the record, not stored in it: a record that is copied to another address does
// not open there.
type Address struct {
	Kind    string // kind of record, such as a value or an event
	Tenant  string
	Path    string // mount and path, or what else names the record within its kind
	Version int64  // 0 where the record has no version
}

// Every field stands behind its length, so that no two addresses share one encoding.
const lengthSize = 4

func (a Address) size() int {
	return 4*lengthSize + len(a.Kind) + len(a.Tenant) + len(a.Path) + 8
}

func (a Address) append(b []byte) []byte {
	for _, s := range [...]string{a.Kind, a.Tenant, a.Path} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	b = binary.BigEndian.AppendUint32(b, 8)
	return binary.BigEndian.AppendUint64(b, uint64(a.Version))
}
