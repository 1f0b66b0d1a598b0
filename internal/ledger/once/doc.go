// Package once makes a request happen once for its idempotency key: the result is
// kept on the ledger with the change itself, and a repetition gets it again.
package once
