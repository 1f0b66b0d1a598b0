// Package logtest keeps what a program under test writes. It owns no form of a line:
// what must or must not be in one is each test's own.
package logtest
