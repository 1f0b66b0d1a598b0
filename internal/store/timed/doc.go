// Package timed tells how long a store takes, verb by verb. It changes nothing about
// what the store does.
package timed
