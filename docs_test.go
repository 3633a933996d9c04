package towpath_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every package says what it is, and every exported name has a comment that
// begins with it; so do the fields and methods that a user sets, reads or
// implements.
func TestEveryExportedNameIsExplained(t *testing.T) {
	files := map[string][]*ast.File{}
	set := token.NewFileSet()
	walkModule(t, ".go", func(file string) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		parsed, err := parser.ParseFile(set, file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files[path.Dir(file)] = append(files[path.Dir(file)], parsed)
	})
	for _, pkg := range slices.Sorted(maps.Keys(files)) {
		if !slices.ContainsFunc(files[pkg], func(f *ast.File) bool { return f.Doc.Text() != "" }) {
			t.Errorf("package %s has no comment", pkg)
		}
		for _, file := range files[pkg] {
			c := commentCheck{T: t, set: set, explained: map[string]bool{}}
			for _, d := range file.Decls {
				c.declaration(d)
			}
		}
	}
}

// commentCheck goes through one file from top to bottom, as its reader does.
type commentCheck struct {
	*testing.T
	set *token.FileSet
	// explained holds the fields that a struct further up explains: of ten
	// events with a Worker, the first says what that is.
	explained map[string]bool
}

func (c commentCheck) declaration(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && (d.Recv == nil || exportedReceiver(d)) {
			c.begins(d.Name, d.Doc)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() {
					doc := either(spec.Doc, d.Doc)
					c.begins(spec.Name, doc)
					c.members(spec, doc)
				}
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					own := either(spec.Doc, spec.Comment)
					if name.IsExported() && (own != nil || d.Doc == nil || len(d.Specs) == 1) {
						c.begins(name, either(own, d.Doc)) // else the comment of its group explains it
					}
				}
			}
		}
	}
}

// begins checks that a comment begins with the name it explains, or, where one
// comment explains several, that it holds it.
func (c commentCheck) begins(name *ast.Ident, doc *ast.CommentGroup) {
	text := doc.Text()
	switch {
	case text == "":
		c.Errorf("%s: %s has no comment", c.set.Position(name.Pos()), name.Name)
	case !regexp.MustCompile(`^((A|An|The) )?`+name.Name+`\b`).MatchString(text) && !mentions(text, name.Name):
		c.Errorf("%s: the comment of %s does not begin with its name", c.set.Position(name.Pos()), name.Name)
	}
}

// members checks the fields of a struct and the methods of an interface: each is
// explained by its own comment, or named by that of its type, a neighbour or a
// struct further up. What stands on one line, and the one method of an
// interface, are explained by the comment of their type.
func (c commentCheck) members(spec *ast.TypeSpec, doc *ast.CommentGroup) {
	var members *ast.FieldList
	small := false
	switch typ := spec.Type.(type) {
	case *ast.StructType:
		members = typ.Fields
		small = c.set.Position(members.Opening).Line == c.set.Position(members.Closing).Line
	case *ast.InterfaceType:
		members = typ.Methods
		small = members.NumFields() == 1
	default:
		return
	}
	said := doc.Text()
	for _, f := range members.List {
		said += "\n" + f.Doc.Text() + "\n" + f.Comment.Text()
	}
	for _, f := range members.List {
		own := f.Doc.Text() != "" || f.Comment.Text() != ""
		for _, name := range f.Names {
			switch {
			case !name.IsExported() || small || ofSDK(f, name.Name):
			case own || mentions(said, name.Name):
				c.explained[name.Name] = true
			case !c.explained[name.Name]:
				c.Errorf("%s: %s.%s has no comment", c.set.Position(name.Pos()), spec.Name.Name, name.Name)
			}
		}
	}
}

// ofSDK reports whether a method is an operation of an AWS client, which the SDK
// explains: it takes a *service.OperationInput.
func ofSDK(f *ast.Field, name string) bool {
	signature, ok := f.Type.(*ast.FuncType)
	return ok && slices.ContainsFunc(signature.Params.List, func(p *ast.Field) bool {
		star, ok := p.Type.(*ast.StarExpr)
		if !ok {
			return false
		}
		sel, ok := star.X.(*ast.SelectorExpr)
		return ok && sel.Sel.Name == name+"Input"
	})
}

func exportedReceiver(d *ast.FuncDecl) bool {
	typ := d.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		default:
			id, ok := typ.(*ast.Ident)
			return ok && id.IsExported()
		}
	}
}

func either(docs ...*ast.CommentGroup) *ast.CommentGroup {
	for _, doc := range docs {
		if doc.Text() != "" {
			return doc
		}
	}
	return nil
}

func mentions(text, name string) bool {
	return regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).MatchString(text)
}
