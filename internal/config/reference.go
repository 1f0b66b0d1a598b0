package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

const preamble = `# Reference of the configuration of Coffer, with the defaults of coffer serve.
# Every setting is a comment: remove its # to change it.
#
# A variable of the environment comes over this file, a flag over both. Durations
# are 30s, 5m or a number of seconds. Any value may be kept elsewhere:
# ${{ENV:NAME}}, ${{ENV:NAME:default}} or ${{FILE:/path}}.
`

// Reference is a configuration file that explains every setting: its sentence, its
// variables and its default. It is valid as it stands and changes nothing.
func Reference() string {
	var b strings.Builder
	b.WriteString(preamble)
	var c Config
	setDefaults(reflect.ValueOf(&c).Elem(), Serve)
	walk(reflect.ValueOf(&c).Elem(), func(f field) { writeField(&b, f) })
	return b.String()
}

func writeField(b *strings.Builder, f field) {
	depth := strings.Count(f.path, ".")
	indent := strings.Repeat("  ", depth)
	name := f.tag.Get("yaml")
	if depth == 0 {
		b.WriteByte('\n')
	}
	comment := func(text string) { fmt.Fprintf(b, "%s# %s\n", indent, text) }
	comment(f.tag.Get("doc"))
	switch shapeOf(f.value.Type()) {
	case section:
		fmt.Fprintf(b, "%s%s:\n", indent, name)
	case list:
		comment("Each element has:")
		writeMembers(comment, f.value.Type().Elem(), "")
		fmt.Fprintf(b, "%s#%s: []\n", indent, name)
	case table:
		comment("Each name has:")
		writeMembers(comment, f.value.Type().Elem(), "")
		fmt.Fprintf(b, "%s#%s: {}\n", indent, name)
	default:
		if notes := remarks(f); notes != "" {
			comment(notes)
		}
		fmt.Fprintf(b, "%s#%s: %s\n", indent, name, rendered(f.value))
	}
}

// writeMembers explains the members of an element, nested ones by their path.
func writeMembers(comment func(string), t reflect.Type, path string) {
	elem := reflect.New(t).Elem()
	setDefaults(elem, Serve)
	walkFrom(elem, path, noEnv, func(f field) {
		if shapeOf(f.value.Type()) != leaf {
			return
		}
		text := fmt.Sprintf("  %s: %s", f.path, f.tag.Get("doc"))
		if f.tag.Get("default") != "" {
			text += " Default: " + rendered(f.value) + "."
		}
		comment(text)
	})
}

// remarks are a setting's variables, choices, bounds and the default of coffer dev.
func remarks(f field) string {
	var parts []string
	if len(f.env) > 0 {
		parts = append(parts, "Environment: "+strings.Join(f.env, " or "))
	}
	if choices, ok := f.tag.Lookup("oneof"); ok {
		parts = append(parts, "one of "+strings.Join(strings.Fields(choices), ", "))
	}
	if low, ok := f.tag.Lookup("min"); ok {
		parts = append(parts, "at least "+low)
	}
	if high, ok := f.tag.Lookup("max"); ok {
		parts = append(parts, "at most "+high)
	}
	if own, ok := f.tag.Lookup(string(Dev)); ok {
		parts = append(parts, "coffer dev: "+own)
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, "; ") + "."
}

// rendered is a value as YAML.
func rendered(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case Secret:
		return `""`
	case time.Duration:
		return durationText(x)
	case []string:
		return "[" + strings.Join(x, ", ") + "]"
	case map[string]string:
		pairs := make([]string, 0, len(x))
		for k, text := range x {
			pairs = append(pairs, k+": "+text)
		}
		slices.Sort(pairs)
		return "{" + strings.Join(pairs, ", ") + "}"
	case string:
		return strconv.Quote(x)
	default:
		return fmt.Sprint(x)
	}
}

// durationText drops the zero units that time.Duration spells out.
func durationText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
