// Package daemon is the composition: it builds every part of Coffer from its
// configuration, runs it, and stops it in reverse. It decides nothing that a part
// could decide itself.
package daemon
