package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// setText puts a text into a setting: a variable, a flag, a default or a scalar of
// the file. Lists are separated by commas, maps are key=value pairs of such a list.
// Errors say what is wanted and never repeat the text.
func setText(v reflect.Value, text string) error {
	switch p := v.Addr().Interface().(type) {
	case *Secret:
		*p = NewSecret(text)
		return nil
	case *time.Duration:
		return setDuration(p, text)
	case *[]string:
		*p = splitList(text)
		return nil
	case *map[string]string:
		return setPairs(p, text)
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, ok := parseBool(text)
		if !ok {
			return errors.New("must be true or false")
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return errors.New("must be a whole number")
		}
		v.SetInt(n)
	default:
		return fmt.Errorf("cannot hold a text")
	}
	return nil
}

func parseBool(text string) (value, ok bool) {
	switch strings.ToLower(text) {
	case "true", "1", "yes", "on":
		return true, true
	case "false", "0", "no", "off":
		return false, true
	}
	return false, false
}

// setDuration reads a Go duration; a bare number counts seconds.
func setDuration(d *time.Duration, text string) error {
	wanted := errors.New("must be a duration such as 30s or 5m, or a number of seconds")
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if n < 0 || n > int64(time.Duration(1<<63-1)/time.Second) {
			return wanted
		}
		*d = time.Duration(n) * time.Second
		return nil
	}
	parsed, err := time.ParseDuration(text)
	if err != nil || parsed < 0 {
		return wanted
	}
	*d = parsed
	return nil
}

// splitList trims the elements and drops blank ones, so an empty text is an empty
// list, never a list of one empty name.
func splitList(text string) []string {
	list := []string{}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// setPairs lays pairs over the map that is there.
func setPairs(m *map[string]string, text string) error {
	merged := writable(*m)
	for _, pair := range splitList(text) {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return errors.New("must be a list of key=value pairs")
		}
		merged[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	*m = merged
	return nil
}

// writable is a copy of a map that may be nil.
func writable(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return maps.Clone(m)
}

// inBounds holds a setting against its oneof, min and max. An empty text is one of
// the choices where the setting has no default.
func inBounds(v reflect.Value, tag reflect.StructTag, mode Mode) error {
	if choices, ok := tag.Lookup("oneof"); ok {
		empty := v.String() == "" && byDefault(tag, mode) == ""
		if !empty && !slices.Contains(strings.Fields(choices), v.String()) {
			return fmt.Errorf("must be %s", strings.Join(strings.Fields(choices), ", or "))
		}
	}
	for _, side := range []string{"min", "max"} {
		text, ok := tag.Lookup(side)
		if !ok {
			continue
		}
		bound := reflect.New(v.Type()).Elem()
		if err := setText(bound, text); err != nil {
			return err
		}
		if side == "min" && v.Int() < bound.Int() {
			return fmt.Errorf("must be %s or more", text)
		}
		if side == "max" && v.Int() > bound.Int() {
			return fmt.Errorf("must be %s or less", text)
		}
	}
	return nil
}
