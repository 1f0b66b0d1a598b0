package yamlfile

import (
	"bytes"
	"slices"

	"github.com/coffer-dev/coffer/internal/fault"
	"go.yaml.in/yaml/v3"
)

// index finds the value of a key in the content of a map, or gives -1.
func index(m *yaml.Node, name string) int {
	for i := 1; i < len(m.Content); i += 2 {
		if m.Content[i-1].Value == name {
			return i
		}
	}
	return -1
}

// find walks down from a map; nil when the way ends early.
func find(at *yaml.Node, way []string) *yaml.Node {
	for _, name := range way {
		if at.Kind != yaml.MappingNode {
			return nil
		}
		i := index(at, name)
		if i < 0 {
			return nil
		}
		at = at.Content[i]
	}
	return at
}

// put makes value the node at the end of the way and creates the maps above it.
func put(at *yaml.Node, way []string, value *yaml.Node) error {
	last := len(way) - 1
	for _, name := range way[:last] {
		i := index(at, name)
		if i < 0 {
			set(at, name, newMap())
			i = index(at, name)
		}
		if at = at.Content[i]; at.Kind != yaml.MappingNode {
			return fault.New(fault.Invalid, "a parent in the YAML file is not a map")
		}
	}
	set(at, way[last], value)
	return nil
}

func set(m *yaml.Node, name string, value *yaml.Node) {
	if i := index(m, name); i >= 0 {
		m.Content[i] = reconciled(m.Content[i], value)
		return
	}
	if len(m.Content) == 0 {
		m.Style = 0 // an empty map was written as {}; its members are not
	}
	m.Content = append(m.Content, text(name), value)
}

// reconciled is old changed to mean the same as value with the least change: what
// keeps its value keeps its node, and with it form, order and comments.
func reconciled(old, value *yaml.Node) *yaml.Node {
	if old.Kind == yaml.MappingNode && value.Kind == yaml.MappingNode {
		var content []*yaml.Node
		for pair := range slices.Chunk(old.Content, 2) {
			if i := index(value, pair[0].Value); i >= 0 {
				content = append(content, pair[0], reconciled(pair[1], value.Content[i]))
			}
		}
		for pair := range slices.Chunk(value.Content, 2) {
			if index(old, pair[0].Value) < 0 {
				content = append(content, pair...)
			}
		}
		if len(old.Content) == 0 {
			old.Style = 0
		}
		old.Content = content
		return old
	}
	if sameMeaning(old, value) {
		return old
	}
	value.HeadComment, value.LineComment, value.FootComment = old.HeadComment, old.LineComment, old.FootComment
	return value
}

// sameMeaning compares what a reader would be given.
func sameMeaning(a, b *yaml.Node) bool {
	x, errX := appendJSON(nil, a)
	y, errY := appendJSON(nil, b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// sameTree compares everything but form and comments.
func sameTree(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && a.ShortTag() == b.ShortTag() && a.Value == b.Value &&
		slices.EqualFunc(a.Content, b.Content, sameTree)
}

// remove takes the node at the end of the way out of its map.
func remove(at *yaml.Node, way []string) error {
	last := len(way) - 1
	m := find(at, way[:last])
	if m == nil || m.Kind != yaml.MappingNode {
		return notFound()
	}
	i := index(m, way[last])
	if i < 0 {
		return notFound()
	}
	m.Content = slices.Delete(m.Content, i-1, i+1)
	return nil
}
