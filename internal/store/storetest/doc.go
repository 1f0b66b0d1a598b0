// Package storetest is the conformance suite of secret.Store: Run takes any back
// end, reads the capabilities it declares and holds it to the acceptance cases
// that apply at the level of the Store interface. Sub-tests carry the numbers of
// the cases (E..) and of the KV v2 rules (K..).
//
// It owns Memory too, the smallest correct Store, which serves as the model that
// other back ends are compared with and as a double in the tests of use cases.
//
// It does not own what lies outside the interface: sealing, events, crashes, wire
// formats and the health of a particular back end are tested where they are built.
package storetest
