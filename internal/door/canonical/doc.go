// Package canonical is the door that addresses secrets by Canonical Secret URI:
// /api/secrets. It decodes strictly, makes one call of the use case, and encodes.
package canonical
