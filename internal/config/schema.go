package config

import (
	"reflect"
	"strings"
)

// field is one setting or section of the struct.
type field struct {
	path  string   // dotted names from the root
	env   []string // variables, the first one that is set counts; none inside lists and maps
	tag   reflect.StructTag
	value reflect.Value
}

// shape is how a field is written in the file.
type shape int

const (
	leaf    shape = iota // a scalar, a list of texts or a map of texts
	section              // a struct
	list                 // a list of structs
	table                // a map of structs
)

func shapeOf(t reflect.Type) shape {
	switch {
	case t.Kind() == reflect.Struct && t != reflect.TypeFor[Secret]():
		return section
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return list
	case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Struct:
		return table
	}
	return leaf
}

// noEnv is the prefix of settings that no variable reaches.
const noEnv = "-"

// fields gives the direct members of a struct. prefix is what the names of their
// variables begin with.
func fields(v reflect.Value, path, prefix string) []field {
	var out []field
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		name := tag.Get("yaml")
		if name == "-" {
			continue
		}
		f := field{path: join(path, name), tag: tag, value: v.Field(i)}
		switch {
		case prefix == noEnv:
			f.env = []string{noEnv}
		case tag.Get("env") != "":
			f.env = strings.Split(tag.Get("env"), ",")
		default:
			f.env = []string{prefix + "_" + strings.ToUpper(name)}
		}
		out = append(out, f)
	}
	return out
}

// walk visits every field below v, sections before their members. Members of lists
// and tables are not visited.
func walk(v reflect.Value, visit func(field)) { walkFrom(v, "", "COFFER", visit) }

func walkFrom(v reflect.Value, path, prefix string, visit func(field)) {
	for _, f := range fields(v, path, prefix) {
		sub := f.env[0]
		if f.env[0] == noEnv || shapeOf(f.value.Type()) != leaf {
			f.env = nil
		}
		visit(f)
		if shapeOf(f.value.Type()) == section {
			walkFrom(f.value, f.path, sub, visit)
		}
	}
}

// byDefault is the default of a setting in a mode; an empty mode has the default
// that is common to all.
func byDefault(tag reflect.StructTag, mode Mode) string {
	if text, ok := tag.Lookup(string(mode)); ok && mode != "" {
		return text
	}
	return tag.Get("default")
}

// setDefaults fills v. A default that does not parse is a mistake in this package,
// which its tests find; the setting stays zero.
func setDefaults(v reflect.Value, mode Mode) {
	walk(v, func(f field) {
		if text := byDefault(f.tag, mode); text != "" && shapeOf(f.value.Type()) == leaf {
			_ = setText(f.value, text)
		}
	})
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
