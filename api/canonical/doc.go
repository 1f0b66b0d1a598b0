// Package canonical owns the wire of the canonical door, /api/secrets: its OpenAPI
// document and the types of its bodies, for the door, the Go client and anybody
// else who speaks it. It does not own what a body means or when it is refused; the
// door and its use cases do. It imports nothing of this module.
package canonical
