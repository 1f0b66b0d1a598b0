package config

import (
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decoder lays a YAML tree over the struct. It walks the nodes itself instead of
// asking the library, whose errors stop early and repeat the values they refuse.
type decoder struct {
	mode     Mode
	env      lookup
	problems *Problems
}

// section reads a mapping into a struct. An empty one changes nothing, so that a
// section whose lines are all comments is no mistake.
func (d decoder) section(v reflect.Value, path string, n *yaml.Node) {
	if n = target(n); n.ShortTag() == "!!null" {
		return
	}
	known := fields(v, path, noEnv)
	d.pairs(path, n, func(key string, at, value *yaml.Node) {
		name := join(path, key)
		i := slices.IndexFunc(known, func(f field) bool { return f.tag.Get("yaml") == key })
		if i < 0 {
			d.problems.add(name, at.Line, "unknown setting; remove it (known here: %s)", names(known))
			return
		}
		d.member(known[i], value)
	})
}

func (d decoder) member(f field, n *yaml.Node) {
	switch shapeOf(f.value.Type()) {
	case section:
		d.section(f.value, f.path, n)
	case list:
		d.list(f, target(n))
	case table:
		d.table(f, n)
	default:
		d.leaf(f, target(n))
	}
}

// list reads a sequence of mappings; it replaces what was there.
func (d decoder) list(f field, n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		d.problems.add(f.path, n.Line, "must be a list")
		return
	}
	out := reflect.MakeSlice(f.value.Type(), 0, len(n.Content))
	for i, item := range n.Content {
		elem := reflect.New(f.value.Type().Elem()).Elem()
		setDefaults(elem, d.mode)
		d.section(elem, element(f.path, i), item)
		out = reflect.Append(out, elem)
	}
	f.value.Set(out)
}

// table reads a mapping from names to mappings.
func (d decoder) table(f field, n *yaml.Node) {
	out := reflect.MakeMap(f.value.Type())
	d.pairs(f.path, target(n), func(key string, _, value *yaml.Node) {
		elem := reflect.New(f.value.Type().Elem()).Elem()
		setDefaults(elem, d.mode)
		d.section(elem, join(f.path, key), value)
		out.SetMapIndex(reflect.ValueOf(key), elem)
	})
	f.value.Set(out)
}

// leaf reads a scalar, a list of texts or a map of texts. The latter two may also be
// an expression, which stands for their text in a variable.
func (d decoder) leaf(f field, n *yaml.Node) {
	switch p := f.value.Addr().Interface().(type) {
	case *[]string:
		if n.Kind == yaml.SequenceNode {
			*p = d.texts(f.path, n)
			return
		}
		if !isExpression(n.Value) {
			d.problems.add(f.path, n.Line, "must be a list, such as [a, b]")
			return
		}
	case *map[string]string:
		if n.Kind == yaml.MappingNode {
			d.textMap(f.path, n, p)
			return
		}
		if !isExpression(n.Value) {
			d.problems.add(f.path, n.Line, "must be a map, such as {key: value}")
			return
		}
	}
	text, ok := d.scalar(f.path, n, f.value.Kind() == reflect.Bool)
	if !ok {
		return
	}
	if err := assign(f, text, d.mode); err != nil {
		d.problems.add(f.path, n.Line, "%s", err)
	}
}

func (d decoder) texts(path string, n *yaml.Node) []string {
	out := make([]string, 0, len(n.Content))
	for i, item := range n.Content {
		if text, ok := d.scalar(element(path, i), target(item), false); ok {
			out = append(out, text)
		}
	}
	return out
}

func (d decoder) textMap(path string, n *yaml.Node, m *map[string]string) {
	merged := writable(*m)
	d.pairs(path, n, func(key string, _, value *yaml.Node) {
		if text, ok := d.scalar(join(path, key), target(value), false); ok {
			merged[key] = text
		}
	})
	*m = merged
}

// scalar gives the text of a node, an expression expanded. A switch must be a YAML
// boolean: a quoted "false" or a word such as off would be a guess.
func (d decoder) scalar(path string, n *yaml.Node, isSwitch bool) (string, bool) {
	tag := n.ShortTag()
	switch {
	case n.Kind != yaml.ScalarNode:
		d.problems.add(path, n.Line, "must be a single value")
	case tag == "!!null":
		d.problems.add(path, n.Line, "has no value; give one or remove the line")
	case !slices.Contains([]string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp"}, tag):
		d.problems.add(path, n.Line, "has a YAML tag; write a plain value")
	case isExpression(n.Value):
		text, err := expand(n.Value, d.env)
		if err != nil {
			d.problems.add(path, n.Line, "%s", err)
			return "", false
		}
		return text, true
	case isSwitch && tag != "!!bool":
		d.problems.add(path, n.Line, "must be true or false, without quotes")
	default:
		return n.Value, true
	}
	return "", false
}

// pairs visits a mapping and reports names that are no text or come twice.
func (d decoder) pairs(path string, n *yaml.Node, visit func(key string, at, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.problems.add(path, n.Line, "must be a section with settings of its own")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		at := n.Content[i]
		if at.Kind != yaml.ScalarNode || at.ShortTag() != "!!str" {
			d.problems.add(path, at.Line, "has a name that is no text")
			continue
		}
		if seen[at.Value] {
			d.problems.add(join(path, at.Value), at.Line, "is given twice; remove one")
			continue
		}
		seen[at.Value] = true
		visit(at.Value, at, n.Content[i+1])
	}
}

// target follows an alias. An anchor cannot contain its own alias here: the struct
// bounds the depth that is walked.
func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func names(fs []field) string {
	out := make([]string, len(fs))
	for i, f := range fs {
		out[i] = f.tag.Get("yaml")
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
