package seal

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"
)

// A key within the keyring: id (4 bytes), creation (Unix seconds, 8), seals (8), secret.
const entrySize = 4 + 8 + 8 + keySize

func (k *Keyring) encode() []byte {
	b := make([]byte, 0, len(k.keys)*entrySize)
	for _, key := range k.keys {
		b = binary.BigEndian.AppendUint32(b, key.id)
		b = binary.BigEndian.AppendUint64(b, uint64(key.created.Unix()))
		b = binary.BigEndian.AppendUint64(b, key.seals())
		b = append(b, key.secret[:]...)
	}
	return b
}

// decode refuses what encode never gives: no key at all, an id of 0, ids that do not
// ascend (the last key is the active one).
func decode(b []byte) (*Keyring, error) {
	if len(b) == 0 || len(b)%entrySize != 0 {
		return nil, errors.New("keyring has a broken length")
	}
	k := &Keyring{}
	for entry := range slices.Chunk(b, entrySize) {
		id := binary.BigEndian.Uint32(entry)
		if id <= k.Active() {
			return nil, errors.New("keyring is out of order")
		}
		created := time.Unix(int64(binary.BigEndian.Uint64(entry[4:])), 0)
		key, err := newKey(id, entry[20:], created)
		if err != nil {
			return nil, err
		}
		key.saved.Store(binary.BigEndian.Uint64(entry[12:]))
		k.keys = append(k.keys, key)
	}
	return k, nil
}

func appendField(b, field []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
	return append(b, field...)
}

func cutField(b []byte) (field, rest []byte, ok bool) {
	if len(b) < lengthSize {
		return nil, nil, false
	}
	n := uint64(binary.BigEndian.Uint32(b))
	b = b[lengthSize:]
	if n > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}
