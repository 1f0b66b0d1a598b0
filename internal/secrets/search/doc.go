// Package search walks a store for what a caller may know of: by path, by the names
// of fragments, by owner and custom metadata, never by value. Every path is decided
// before it is looked at. It is the part of package secrets that lists.
package search
