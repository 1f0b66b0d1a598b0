// Package apitest holds answers and requests against an OpenAPI 3.1 document, so
// that every test of a door is a test of its document too. It owns no rules of its
// own: what is not in the document is wrong. For tests alone.
package apitest
