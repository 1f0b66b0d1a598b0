// Package activity is the use case of looking at what happened: the stream of
// events as they are committed, and the latest audit records, for whoever may see
// them. It changes nothing and keeps nothing.
package activity
