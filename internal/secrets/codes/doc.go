// Package codes gives the faults of secrets their stable tokens. It is the part of
// package secrets that names errors; what a wire makes of them is the doors'.
package codes
