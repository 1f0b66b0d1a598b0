package config

import (
	"errors"
	"os"
	"strings"
)

// lookup is how variables are read.
type lookup func(name string) (string, bool)

// isExpression says whether a scalar of the file stands for a value kept elsewhere:
// ${{ENV:NAME}}, ${{ENV:NAME:default}} or ${{FILE:/path}}, and nothing around it.
func isExpression(text string) bool {
	return strings.HasPrefix(text, "${{") && strings.HasSuffix(text, "}}")
}

// expand gives the value that an expression stands for. The last line break of a
// file is not part of the value. Errors do not repeat the expression.
func expand(text string, env lookup) (string, error) {
	body := strings.TrimSuffix(strings.TrimPrefix(text, "${{"), "}}")
	kind, rest, _ := strings.Cut(strings.TrimSpace(body), ":")
	switch kind {
	case "ENV":
		name, fallback, has := strings.Cut(rest, ":")
		if value, ok := env(name); ok && name != "" {
			return value, nil
		}
		if has && name != "" {
			return fallback, nil
		}
		return "", errors.New("names an environment variable that is not set; set it or give a default, ${{ENV:NAME:default}}")
	case "FILE":
		data, err := os.ReadFile(rest)
		if err != nil {
			return "", errors.New("names a file that cannot be read; check that it exists and that Coffer may read it")
		}
		return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), nil
	}
	return "", errors.New("is no known expression; write ${{ENV:NAME}}, ${{ENV:NAME:default}} or ${{FILE:/path}}")
}
