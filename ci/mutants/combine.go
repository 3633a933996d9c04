package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// To build a test for each mutant would take many minutes. So those that
// one package's tests are to kill are built into one binary, and the environment
// names the one that is in force: the changed files are the compiler's alone, and the
// tree has no such switch. A function with mutants begins, in the changed file, with
//
//	if mutantInForce == "some-name" { its body, changed }
//
// and a variable is set anew by an init. A mutant anywhere else, as of a constant, is
// built by itself.

// chosenBy is the variable of the environment that names the mutant in force.
const chosenBy = "TOWPATH_MUTANT"

// errAlone says that a mutant cannot be built together with others.
var errAlone = errors.New("not within a function or a variable of the package")

// overlay is a set of changed files under way.
type overlay struct {
	root  string
	files map[string]*changedFile // by path from the root
}

type changedFile struct {
	text  string
	set   *token.FileSet
	file  *ast.File
	heads map[int]string // by offset behind a body's brace: what is put there
	inits string         // bodies of an init: variables that are set anew
}

// add puts one more mutant into the overlay.
func (o *overlay) add(m mutant) error {
	f, err := o.open(m.File)
	if err != nil {
		return fmt.Errorf("mutant %s: %w", m.Name, err)
	}
	changed, err := m.apply(f.text)
	if err != nil {
		return err
	}
	at := 0
	for at < len(changed) && at < len(f.text) && changed[at] == f.text[at] {
		at++
	}
	grown := len(changed) - len(f.text)
	for _, d := range f.file.Decls {
		from, to := f.offset(d.Pos()), f.offset(d.End())
		if at < from || at >= to {
			continue
		}
		switch d := d.(type) {
		case *ast.FuncDecl:
			return f.addBody(m, d, changed, at, grown)
		case *ast.GenDecl:
			return f.addVariable(m, d, changed, at, grown)
		}
	}
	return errAlone
}

func (o *overlay) open(path string) (*changedFile, error) {
	if f := o.files[path]; f != nil {
		return f, nil
	}
	text, err := os.ReadFile(filepath.Join(o.root, path))
	if err != nil {
		return nil, err
	}
	f := &changedFile{text: string(text), set: token.NewFileSet(), heads: map[int]string{}}
	if f.file, err = parser.ParseFile(f.set, path, text, parser.SkipObjectResolution); err != nil {
		return nil, err
	}
	o.files[path] = f
	return f, nil
}

func (f *changedFile) offset(p token.Pos) int { return f.set.Position(p).Offset }

// addBody has a function begin with its changed body.
func (f *changedFile) addBody(m mutant, d *ast.FuncDecl, changed string, at, grown int) error {
	if d.Body == nil || at <= f.offset(d.Body.Lbrace) || hasLabel(d.Body) {
		return errAlone
	}
	head := f.offset(d.Body.Lbrace) + 1
	body := changed[head : f.offset(d.Body.Rbrace)+grown]
	if d.Type.Results == nil {
		body += "\nreturn\n"
	}
	f.heads[head] += "\nif mutantInForce == " + strconv.Quote(m.Name) + " {" + body + "}\n"
	return nil
}

// addVariable has a variable of the package set to its changed value.
func (f *changedFile) addVariable(m mutant, d *ast.GenDecl, changed string, at, grown int) error {
	for _, s := range d.Specs {
		v, ok := s.(*ast.ValueSpec)
		if !ok || d.Tok != token.VAR || len(v.Names) != 1 || len(v.Values) != 1 {
			continue
		}
		if from, to := f.offset(v.Values[0].Pos()), f.offset(v.Values[0].End()); at >= from && at < to {
			f.inits += "\nif mutantInForce == " + strconv.Quote(m.Name) + " {\n" + v.Names[0].Name + " = " + changed[from:to+grown] + "\n}\n"
			return nil
		}
	}
	return errAlone
}

// hasLabel reports whether a body has a label, which a function may have once.
func hasLabel(body *ast.BlockStmt) (found bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		_, label := n.(*ast.LabeledStmt)
		found = found || label
		return !found
	})
	return found
}

// write writes the changed files, and for each of their packages the one that reads
// the environment, and returns the path of the overlay that names them.
func (o *overlay) write(folder string) (string, error) {
	replace := map[string]string{}
	put := func(path, text string) error {
		to := filepath.Join(folder, fmt.Sprintf("%d.go", len(replace)))
		replace[filepath.Join(o.root, path)] = to
		return os.WriteFile(to, []byte(text), 0o600)
	}
	packages := map[string]string{}
	for _, path := range slices.Sorted(maps.Keys(o.files)) {
		f := o.files[path]
		packages[filepath.Dir(path)] = f.file.Name.Name
		if err := put(path, f.render()); err != nil {
			return "", err
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(packages)) {
		text := fmt.Sprintf("package %s\n\nimport \"os\"\n\nvar mutantInForce = os.Getenv(%q)\n", packages[dir], chosenBy)
		if err := put(filepath.Join(dir, "mutantinforce.go"), text); err != nil {
			return "", err
		}
	}
	said, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "overlay.json")
	return path, os.WriteFile(path, said, 0o600)
}

// render is the text with all that was added.
func (f *changedFile) render() string {
	var b bytes.Buffer
	from := 0
	for _, at := range slices.Sorted(maps.Keys(f.heads)) {
		b.WriteString(f.text[from:at] + f.heads[at])
		from = at
	}
	b.WriteString(f.text[from:])
	if f.inits != "" {
		b.WriteString("\nfunc init() {" + f.inits + "}\n")
	}
	return b.String()
}
