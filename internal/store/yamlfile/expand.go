package yamlfile

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// Limits of expansion: aliases followed, and what the tree weighs then, in bytes
// of text plus one for each node.
const (
	maxAliases = 10_000
	maxWeight  = 64 << 20
)

// expander copies a tree so that every node stands for itself: a write to one
// place then never changes another that shared it.
type expander struct{ aliases, weight int }

func (x *expander) expand(n *yaml.Node) (*yaml.Node, error) {
	if x.weight += 1 + len(n.Value); x.weight > maxWeight {
		return nil, refuse(n, "the file is too large when its aliases are expanded")
	}
	if n.Kind == yaml.AliasNode {
		return x.alias(n)
	}
	if !standard(n) {
		return nil, refuse(n, "custom tags are not allowed")
	}
	c := *n
	c.Anchor, c.Content = "", nil
	if n.Kind == yaml.MappingNode {
		return &c, x.mapping(n, &c)
	}
	for _, child := range n.Content {
		item, err := x.expand(child)
		if err != nil {
			return nil, err
		}
		c.Content = append(c.Content, item)
	}
	return &c, nil
}

func (x *expander) alias(n *yaml.Node) (*yaml.Node, error) {
	if x.aliases++; x.aliases > maxAliases {
		return nil, refuse(n, "too many aliases")
	}
	c, err := x.expand(n.Alias)
	if err != nil {
		return nil, err
	}
	c.HeadComment, c.LineComment, c.FootComment = n.HeadComment, n.LineComment, n.FootComment
	return c, nil
}

// mapping copies the members of n to c: its own first, then what merge keys bring.
func (x *expander) mapping(n, c *yaml.Node) error {
	known := map[string]bool{}
	var merged []*yaml.Node
	for pair := range slices.Chunk(n.Content, 2) {
		key, err := x.expand(pair[0])
		if err != nil {
			return err
		}
		value, err := x.expand(pair[1])
		if err != nil {
			return err
		}
		switch {
		case key.Kind != yaml.ScalarNode:
			return refuse(key, "a key is not a scalar")
		case key.ShortTag() == "!!merge":
			merged = append(merged, value)
			continue
		case known[key.Value]:
			return refuse(key, "duplicate key")
		}
		known[key.Value] = true
		c.Content = append(c.Content, key, value)
	}
	for _, source := range merged {
		if err := merge(c, source, known); err != nil {
			return err
		}
	}
	return nil
}

// merge adds the members of source, a map or a list of maps, that are not known.
func merge(c, source *yaml.Node, known map[string]bool) error {
	switch source.Kind {
	case yaml.SequenceNode:
		for _, item := range source.Content {
			if item.Kind != yaml.MappingNode {
				return refuse(item, "a merge key takes maps")
			}
			if err := merge(c, item, known); err != nil {
				return err
			}
		}
	case yaml.MappingNode:
		for pair := range slices.Chunk(source.Content, 2) {
			if !known[pair[0].Value] {
				known[pair[0].Value] = true
				c.Content = append(c.Content, pair...)
			}
		}
	default:
		return refuse(source, "a merge key takes maps")
	}
	return nil
}

func standard(n *yaml.Node) bool {
	switch n.Kind {
	case yaml.MappingNode:
		return n.ShortTag() == "!!map"
	case yaml.SequenceNode:
		return n.ShortTag() == "!!seq"
	}
	switch n.ShortTag() {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!binary", "!!merge":
		return true
	}
	return false
}
