// Package door is what all HTTP doors share: the route table, the order of checks
// before a handler runs, strict JSON, the dispatch of one listener to its doors. It
// translates nothing: each door's wire is its own room, and each door turns faults
// into its wire shape in exactly one file.
package door
