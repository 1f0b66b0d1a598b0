// Package wire reads and writes JSON as OpenBao and Vault do: lenient about the
// form of a field, exact about the form of an answer. It knows no endpoint.
package wire
