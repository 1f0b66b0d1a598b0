package oidc

import (
	"errors"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
)

// refuse is the answer to a credential that does not hold. The reason goes to the log
// alone: a caller who guesses learns nothing from it, and it is always a text of this
// package, never one of a parser, which might quote the credential.
func refuse(reason string) error {
	return unauthenticated(identity.CodeUnauthenticated, "the credentials are not valid", reason)
}

// refuseBinding is the answer to a token whose holder could not prove to be the one it
// was issued to.
func refuseBinding(reason string) error {
	return unauthenticated(identity.CodeBinding, "the token is bound to another sender", reason)
}

func unauthenticated(code, detail, reason string) error {
	return &fault.Error{Kind: fault.Unauthenticated, Code: code, Detail: detail, Cause: errors.New(reason)}
}
