package acl

import (
	"slices"
	"strings"
)

// Capability is a set of capabilities. The zero set grants nothing.
type Capability uint16

// The capabilities of a rule. Deny never stands beside another one in a compiled set.
const (
	Deny Capability = 1 << iota
	Create
	Read
	Update
	Patch
	Delete
	List
	Scan
	Sudo
)

// Every is all that a rule can grant.
const Every = Create | Read | Update | Patch | Delete | List | Scan | Sudo

// vocabulary is sorted by name, the order in which sets are shown.
func vocabulary() []named {
	return []named{
		{"create", Create}, {"delete", Delete}, {"deny", Deny}, {"list", List}, {"patch", Patch},
		{"read", Read}, {"scan", Scan}, {"sudo", Sudo}, {"update", Update},
	}
}

type named struct {
	name string
	bit  Capability
}

// capabilityOf reads one name, exactly as written.
func capabilityOf(name string) (Capability, bool) {
	for _, n := range vocabulary() {
		if n.name == name {
			return n.bit, true
		}
	}
	return 0, false
}

// legacy reads the value of the older form, policy = "read".
func legacy(word string) (Capability, bool) {
	const write = Create | Read | Update | Delete | List
	switch word {
	case "deny":
		return Deny, true
	case "read":
		return Read | List, true
	case "write":
		return write, true
	case "sudo":
		return write | Sudo, true
	}
	return 0, false
}

// Has says whether every capability of want is granted. Nothing is granted beside
// Deny, and an empty want is granted by nothing.
func (c Capability) Has(want Capability) bool {
	return c&Deny == 0 && want != 0 && c&want == want
}

// Union is what two rules of one path give together: deny wins.
func (c Capability) Union(o Capability) Capability { return (c | o).settle() }

// settle leaves only Deny where it is present.
func (c Capability) settle() Capability {
	if c&Deny != 0 {
		return Deny
	}
	return c
}

// Names lists the set sorted by name; a set that grants nothing is ["deny"].
func (c Capability) Names() []string {
	if c.settle() == Deny || c == 0 {
		return []string{"deny"}
	}
	var names []string
	for _, n := range vocabulary() {
		if c&n.bit != 0 {
			names = append(names, n.name)
		}
	}
	return slices.Clip(names)
}

// String joins Names with commas.
func (c Capability) String() string { return strings.Join(c.Names(), ",") }
