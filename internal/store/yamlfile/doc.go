// Package yamlfile is the back end of a developer's machine: one YAML file that a
// person may edit while Coffer serves it.
//
// A top-level key is a mount, the segments of a path are nested maps, the members
// of the map at a path are the secret's fields. The file belongs to one tenant.
// The store can read, write, delete and list; it knows no versions, no metadata
// and no check-and-set, and answers Unsupported to them without any effect.
//
// It owns reading (what YAML means as JSON, which files are refused), writing
// (whole file or none of it, one writer at a time across processes; values, order
// and comments of everything else survive) and the names that are listed. Whether
// writing is allowed in an environment is decided above. It needs flock, that is
// a Unix system and a local disk.
package yamlfile
