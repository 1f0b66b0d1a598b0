package acl

import (
	"strings"

	"github.com/coffer-dev/coffer/internal/policy"
)

// Demand is one capability on one Vault API path.
type Demand struct {
	Path       string
	Capability Capability
}

// Need says what a request needs: any one of the demands suffices, and a request
// without any is refused. Fragment and version play no part.
func Need(r policy.Request) []Demand {
	mount, path := r.URI.Mount, r.URI.Path
	if mount == "" {
		return nil
	}
	if r.Purpose == policy.ReadMetadata {
		return needMetadata(mount, path, r.NamesOnly)
	}
	if path == "" {
		return nil
	}
	one := func(kind string, c Capability) []Demand { return []Demand{{mount + "/" + kind + "/" + path, c}} }
	switch r.Purpose {
	case policy.Read, policy.Execute:
		return one("data", Read)
	case policy.Write:
		if r.Known {
			return one("data", Update)
		}
		return one("data", Create)
	case policy.Rotate:
		return one("data", Update)
	case policy.Delete:
		return one("data", Delete)
	case policy.Undelete:
		return one("undelete", Update)
	case policy.Destroy:
		if r.Whole {
			return one("metadata", Delete)
		}
		return one("destroy", Update)
	case policy.OwnerUpdate:
		return one("metadata", Update)
	}
	return nil
}

// needMetadata lets a listing of the parent show names alone.
func needMetadata(mount, path string, namesOnly bool) []Demand {
	root := mount + "/metadata/"
	needs := []Demand{{root + path, Read}}
	if namesOnly {
		parent := root
		if slash := strings.LastIndexByte(path, '/'); slash >= 0 {
			parent = root + path[:slash+1]
		}
		needs = append(needs, Demand{parent, List})
	}
	return needs
}

// Permits decides a request.
func (a *ACL) Permits(r policy.Request) bool {
	for _, d := range Need(r) {
		if a.Allows(d.Path, d.Capability) {
			return true
		}
	}
	return false
}
