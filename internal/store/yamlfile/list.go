package yamlfile

import (
	"context"
	"slices"
	"strings"

	"github.com/coffer-dev/coffer/internal/secret"
	"go.yaml.in/yaml/v3"
)

// List gives the names below prefix. A leaf is a map with a member that is no map,
// or, directly below a mount where no path holds it, a value that is no map; names
// that cannot be part of a path are left out.
func (s *Store) List(_ context.Context, prefix secret.Ref, opts secret.ListOptions) ([]string, error) {
	if err := prefix.ValidatePrefix(); err != nil {
		return nil, err
	}
	if prefix.Tenant != s.tenant {
		return nil, nil
	}
	doc, err := s.load()
	if err != nil {
		return nil, err
	}
	at := find(root(doc), keys(prefix))
	if at == nil || at.Kind != yaml.MappingNode {
		return nil, nil
	}
	names := leaves(at, "", prefix.Path == "")
	if !opts.Recursive {
		for i, name := range names {
			if slash := strings.IndexByte(name, '/'); slash >= 0 {
				names[i] = name[:slash+1]
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	names = slices.DeleteFunc(names, func(name string) bool { return name <= opts.After })
	if opts.Limit > 0 && len(names) > opts.Limit {
		names = names[:opts.Limit]
	}
	return names, nil
}

// leaves gives the paths of all leaves below a map.
func leaves(m *yaml.Node, above string, mount bool) []string {
	var out []string
	for pair := range slices.Chunk(m.Content, 2) {
		name, value := pair[0].Value, pair[1]
		if !secret.ValidSegment(name) {
			continue
		}
		if value.Kind != yaml.MappingNode {
			if mount {
				out = append(out, name)
			}
			continue
		}
		if hasField(value) {
			out = append(out, above+name)
		}
		out = append(out, leaves(value, above+name+"/", false)...)
	}
	return out
}

func hasField(m *yaml.Node) bool {
	for i := 1; i < len(m.Content); i += 2 {
		if m.Content[i].Kind != yaml.MappingNode {
			return true
		}
	}
	return false
}
