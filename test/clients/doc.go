// Package clients holds tests in which clients that others wrote drive Coffer: hvac and
// the SDK of the documented API against the Vault protocol over the embedded engine,
// schemathesis against the canonical door of the program. The clients run in a Python
// environment of their own; where it cannot be had, the tests skip and say why.
package clients
