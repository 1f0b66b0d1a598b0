// Package route finds the back end that a Canonical Secret URI names. It keeps no
// state and calls nobody.
package route
