// Package audittest helps tests of those who audit: Memory, a sink with a fault
// switch, and Conform, the suite that every audit.Sink passes. It owns no rule of
// its own and is linked into no binary.
package audittest
