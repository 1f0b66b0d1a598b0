// Package coffer_test keeps the walls of the house: who may import whom, and what
// every source file owes its reader. Each message says which rule and why.
package coffer_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/coffer-dev/coffer"

// room is one package.
type room struct {
	dir   string // relative to the module, such as internal/secret
	files []source
}

// source is one parsed file.
type source struct {
	path      string
	lines     int
	test      bool
	generated bool
	fset      *token.FileSet
	syntax    *ast.File
}

// production gives the files that ship and that somebody wrote.
func (r room) production() []source {
	return slices.DeleteFunc(slices.Clone(r.files), func(s source) bool { return s.test || s.generated })
}

// support says whether the package exists for tests alone, such as storetest and
// everything below test.
func (r room) support() bool { return isSupport(r.dir) }

func isSupport(dir string) bool { return strings.HasSuffix(dir, "test") || matches("test/...", dir) }

func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(n.Pos()).Line)
}

// rooms parses every Go file of a tree.
func rooms(tree fs.FS) ([]room, error) {
	byDir := map[string]*room{}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name != "." && strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || name == "bin"):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		s, err := parse(tree, name)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		if byDir[dir] == nil {
			byDir[dir] = &room{dir: dir}
		}
		byDir[dir].files = append(byDir[dir].files, s)
		return nil
	})
	var out []room
	for _, r := range byDir {
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b room) int { return strings.Compare(a.dir, b.dir) })
	return out, err
}

func parse(tree fs.FS, name string) (source, error) {
	text, err := fs.ReadFile(tree, name)
	if err != nil {
		return source{}, err
	}
	s := source{path: name, test: strings.HasSuffix(name, "_test.go"), fset: token.NewFileSet()}
	s.lines = strings.Count(string(text), "\n")
	s.syntax, err = parser.ParseFile(s.fset, name, text, parser.ParseComments)
	if err != nil {
		return source{}, err
	}
	s.generated = ast.IsGenerated(s.syntax)
	return s, nil
}

// violations runs every rule over a tree.
func violations(tree fs.FS) ([]string, error) {
	all, err := rooms(tree)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range all {
		for _, rule := range []func(room) []string{
			importRules, foreignRules, packageRules, fileRules, functionRules, variableRules, docRules, verbRules,
		} {
			out = append(out, rule(r)...)
		}
	}
	return out, nil
}

func TestArchitecture(t *testing.T) {
	found, err := violations(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range found {
		t.Error(v)
	}
}

// The table must know every package, and every row must be about a real one or one
// that is on the plan, so it is read here against the tree's size alone.
func TestTheWholeTreeIsRead(t *testing.T) {
	all, err := rooms(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for _, r := range all {
		dirs = append(dirs, r.dir)
	}
	for _, dir := range []string{"cmd/coffer", "internal/config", "internal/fault", "internal/secret", "internal/ledger"} {
		if !slices.Contains(dirs, dir) {
			t.Errorf("%s was not read; read were %v", dir, dirs)
		}
	}
}
