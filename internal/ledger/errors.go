package ledger

import (
	"errors"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger/etcdnode"
)

// CodeFull marks an Unavailable fault: the database quota or the disk is used up.
const CodeFull = etcdnode.CodeFull

// CodeSealed marks an Unavailable fault: no key encryption key opens the keyring.
const CodeSealed = "SEALED"

// IsFull says whether err means that the store takes no more writes for want of room.
func IsFull(err error) bool {
	return errors.Is(err, fault.Unavailable) && fault.CodeOf(err) == CodeFull
}
