package ledger

import (
	"github.com/coffer-dev/coffer/internal/ledger/etcdnode"
)

// CodeFull marks an Unavailable fault: the database quota or the disk is used up.
const CodeFull = etcdnode.CodeFull

// CodeSealed marks an Unavailable fault: no key encryption key opens the keyring.
const CodeSealed = "SEALED"
