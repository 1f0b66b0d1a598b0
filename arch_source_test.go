package coffer_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
)

// Limits of size, in lines.
const (
	maxFile     = 500
	maxFunction = 80
	maxPackage  = 2000
)

func packageRules(r room) []string {
	var out []string
	total, documented := 0, false
	for _, s := range r.files {
		documented = documented || s.syntax.Doc != nil
	}
	for _, s := range r.production() {
		total += s.lines
	}
	if total > maxPackage {
		out = append(out, fmt.Sprintf("%s: has %d lines, %d at most: a package that nobody can hold in mind is two packages", r.dir, total, maxPackage))
	}
	if !documented {
		out = append(out, r.dir+": has no package comment; say in doc.go what it owns and what it does not")
	}
	if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "lib"}, path.Base(r.dir)) {
		out = append(out, r.dir+": is named after nothing; put each part where its meaning is")
	}
	return out
}

func fileRules(r room) []string {
	var out []string
	for _, s := range r.files {
		if s.lines > maxFile && !s.generated {
			out = append(out, fmt.Sprintf("%s: has %d lines, %d at most: split it by meaning", s.path, s.lines, maxFile))
		}
	}
	return out
}

func functionRules(r room) []string {
	var out []string
	for _, s := range r.production() {
		for _, d := range s.syntax.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if f.Name.Name == "init" && f.Recv == nil {
				out = append(out, s.at(f)+": func init runs before anybody asked; build it in a constructor")
			}
			lines := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1
			if lines > maxFunction && !isTable(f) {
				out = append(out, fmt.Sprintf("%s: %s has %d lines, %d at most: name its parts", s.at(f), f.Name.Name, lines, maxFunction))
			}
		}
	}
	return out
}

// isTable says whether a function only returns one literal.
func isTable(f *ast.FuncDecl) bool {
	if f.Body == nil || len(f.Body.List) != 1 {
		return false
	}
	ret, ok := f.Body.List[0].(*ast.ReturnStmt)
	if !ok || len(ret.Results) != 1 {
		return false
	}
	_, ok = ret.Results[0].(*ast.CompositeLit)
	return ok
}

// variableRules refuse package state: a variable may be an error, a metric, an
// embedded file, a compile-time check, the version that the linker stamps, or an
// unexported table that is only read.
func variableRules(r room) []string {
	var out []string
	written := writes(r)
	for _, s := range r.production() {
		for _, d := range s.syntax.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, spec := range g.Specs {
				v := spec.(*ast.ValueSpec)
				for i, name := range v.Names {
					if !allowedVariable(r, g, v, i, written) {
						out = append(out, fmt.Sprintf("%s: variable %s is state of the package; tests and callers would share it: inject it, or make it a constant or a function", s.at(name), name.Name))
					}
				}
			}
		}
	}
	return out
}

func allowedVariable(r room, g *ast.GenDecl, v *ast.ValueSpec, i int, written map[string]bool) bool {
	name := v.Names[i].Name
	switch {
	case name == "_":
		return true
	case r.dir == "cmd/coffer" && name == "version":
		return true
	case embedded(g.Doc) || embedded(v.Doc):
		return true
	case i >= len(v.Values) || written[name]:
		return false
	}
	switch value := v.Values[i].(type) {
	case *ast.CallExpr:
		return madeOnce(value)
	case *ast.CompositeLit:
		return !v.Names[i].IsExported()
	}
	return false
}

func embedded(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// madeOnce says whether a call makes an error or a metric.
func madeOnce(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, _ := sel.X.(*ast.Ident)
	if pkg == nil {
		return false
	}
	switch pkg.Name + "." + sel.Sel.Name {
	case "errors.New", "fmt.Errorf", "fault.New", "fault.Coded":
		return true
	}
	return pkg.Name == "prometheus" && strings.HasPrefix(sel.Sel.Name, "New")
}

// writes names what the package assigns to or takes the address of.
func writes(r room) map[string]bool {
	out := map[string]bool{}
	mark := func(e ast.Expr) {
		for {
			switch x := e.(type) {
			case *ast.IndexExpr:
				e = x.X
			case *ast.SelectorExpr:
				e = x.X
			case *ast.Ident:
				out[x.Name] = true
				return
			default:
				return
			}
		}
	}
	for _, s := range r.production() {
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.AssignStmt:
				if x.Tok != token.DEFINE {
					for _, e := range x.Lhs {
						mark(e)
					}
				}
			case *ast.IncDecStmt:
				mark(x.X)
			case *ast.UnaryExpr:
				if x.Op == token.AND {
					mark(x.X)
				}
			}
			return true
		})
	}
	return out
}

func docRules(r room) []string {
	if r.dir == "." || strings.HasPrefix(r.dir, "cmd/") {
		return nil
	}
	var out []string
	for _, s := range r.production() {
		for _, d := range s.syntax.Decls {
			for _, name := range undocumented(d) {
				out = append(out, fmt.Sprintf("%s: %s is exported and has no comment; say what it promises", s.at(name), name.Name))
			}
		}
	}
	return out
}

// undocumented gives the exported names of a declaration that lack a comment.
func undocumented(d ast.Decl) []*ast.Ident {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		var out []*ast.Ident
		for _, spec := range d.Specs {
			switch x := spec.(type) {
			case *ast.TypeSpec:
				if x.Name.IsExported() && d.Doc == nil && x.Doc == nil {
					out = append(out, x.Name)
				}
			case *ast.ValueSpec:
				for _, n := range x.Names {
					if n.IsExported() && d.Doc == nil && x.Doc == nil && x.Comment == nil {
						out = append(out, n)
					}
				}
			}
		}
		return out
	}
	return nil
}

func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	t := f.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

// verbRules want each verb of the command line in the file of its name.
func verbRules(r room) []string {
	if !strings.HasPrefix(r.dir, "cmd/") {
		return nil
	}
	var out []string
	for _, s := range r.production() {
		verb := strings.TrimSuffix(path.Base(s.path), ".go")
		for _, d := range s.syntax.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(f.Name.Name, "new") || !returnsCommand(f) {
				continue
			}
			if !strings.HasPrefix(strings.ToLower(strings.TrimPrefix(f.Name.Name, "new")), strings.ReplaceAll(verb, "_", "")) {
				out = append(out, fmt.Sprintf("%s: %s belongs in a file of its verb's name, one file a verb", s.at(f), f.Name.Name))
			}
		}
	}
	return out
}

func returnsCommand(f *ast.FuncDecl) bool {
	if f.Type.Results == nil || len(f.Type.Results.List) != 1 {
		return false
	}
	star, ok := f.Type.Results.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	sel, ok := star.X.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "Command"
}
